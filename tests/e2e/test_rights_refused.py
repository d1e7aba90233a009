"""Item 14, least rights: what the operator's token must not do is refused, and nothing that it does is.

The other tests are the proof that the chart's rights suffice; this one looks for refusals in the operator's own count.
The namespace of the stage is one that the operator serves, so that a refusal is the rule's and not the place's.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.cluster import Answer
from tests.support.e2e import resources
from tests.support.e2e.release import Release
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

REFUSED = {
    "list Secrets cluster-wide": ("get", "secrets", "-A"),
    "list Secrets of a namespace": ("get", "secrets"),
    "watch Secrets": ("get", "--raw", "/api/v1/namespaces/{namespace}/secrets?watch=1&timeoutSeconds=1"),
    "delete a Secret": ("delete", "secret", "credential", "--dry-run=server"),
    "patch a pod's image": ("patch", "pod", "app", "-p", '{"spec":{"containers":[{"name":"main","image":"other"}]}}'),
    "annotate a pod, but through its status": ("annotate", "pod", "app", "a=b"),
    "create a pod": ("run", "shell", "--image=other"),
    "delete a pod": ("delete", "pod", "app", "--dry-run=server"),
    "run a command in a pod": ("exec", "app", "--", "true"),
    "read a pod's log": ("logs", "app"),
    "reach a pod through the API server": (
        "get",
        "--raw",
        "/api/v1/namespaces/{namespace}/pods/relay-0:9090/proxy/metrics",
    ),
    "make a token": ("create", "token", "default"),
    "make a role": ("create", "role", "more", "--verb=get", "--resource=secrets"),
    "bind a role": ("create", "rolebinding", "more", "--clusterrole=admin", "--serviceaccount=default:default"),
    "bind a role in the cluster": ("create", "clusterrolebinding", "more", "--clusterrole=admin", "--user=x"),
    "widen its own role": (
        "patch",
        "clusterrole",
        "mailhaul",
        "--type=json",
        "-p",
        '[{"op":"remove","path":"/rules/0"}]',
    ),
    "make a namespace": ("create", "namespace", "more"),
    "delete a namespace": ("delete", "namespace", "{namespace}", "--dry-run=server"),
    "list namespaces": ("get", "namespaces"),
    "list nodes": ("get", "nodes"),
    "change a definition": ("label", "crd", "smtprelays.mailhaul.dev", "a=b"),
    "delete a definition": ("delete", "crd", "smtprelays.mailhaul.dev", "--dry-run=server"),
    "change a relay's spec": ("patch", "smtprelay", "relay", "--type=merge", "-p", '{"spec":{"replicas":9}}'),
    "delete a relay": ("delete", "smtprelay", "relay", "--dry-run=server"),
    "delete a volume": ("delete", "pvc", "--all", "--dry-run=server"),
    "patch a node": ("label", "node", "--all", "a=b"),
    "change a policy": ("delete", "validatingadmissionpolicy", "--all", "--dry-run=server"),
    "read another lease": ("get", "--raw", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"),
    "act as somebody else": ("get", "secrets", "--as=system:admin"),
}


@dataclass(frozen=True)
class Operator:
    """kubectl with what the operator's pod shows the API server, and with nothing else of its user."""

    stage: Stage
    kubeconfig: Path

    def call(self, words: tuple[str, ...]) -> Answer:
        """Whatever is said is an answer."""
        filled = [word.replace("{namespace}", self.stage.namespace) for word in words]
        return self.stage.kubectl(f"--kubeconfig={self.kubeconfig}", *filled)

    def allowed(self, words: tuple[str, ...]) -> str:
        """Nothing when it was refused for want of the right; else what came of it."""
        answer = self.call(words)
        refused = answer.code != 0 and "forbidden" in answer.err.lower()
        return "" if refused else f"{answer.code} {answer.out}{answer.err}"


@pytest.fixture(scope="module")
def operator(release: Release, relay: Stage, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """The operator's own identity."""
    known = json.loads(release.cluster.ask("config", "view", "--raw", "--minify", "-o", "json"))
    token = release.cluster.ask("create", "token", "mailhaul", "-n", release.namespace, "--duration=10m").strip()
    known["users"] = [{"name": known["users"][0]["name"], "user": {"token": token}}]
    path = tmp_path_factory.mktemp("operator") / "kubeconfig"
    path.write_text(json.dumps(known))
    return Operator(relay, path)


@pytest.fixture(scope="module")
def relay(stage: Stage) -> Stage:
    """A namespace with what the operator serves, in use."""
    stage.app()
    provider = stage.provider("provider", auth=(resources.USER, "first"))
    made = resources.provider("provider", provider.host, secret="credential")
    stage.apply(resources.secret("credential", "first"), made, resources.relay(["provider"]))
    stage.wait_condition("smtprelay/relay", "ConfigApplied", "True")
    stage.accepted(Mail("works"))
    return stage


def test_what_the_operator_must_not_do_is_refused(operator: Operator) -> None:
    allowed = {what: said for what, words in REFUSED.items() if (said := operator.allowed(words))}
    assert not allowed, json.dumps(allowed, indent=1)
    print(f"{len(REFUSED)} calls refused")


def test_the_same_token_may_do_what_the_operator_does(operator: Operator) -> None:
    """Else the list above would prove no more than a wrong token."""
    needed = (
        ("get", "secret", "credential"),
        ("get", "smtprelays", "-A"),
        ("get", "pods"),
        ("create", "configmap", "made", "--dry-run=server"),
        ("delete", "service", "provider", "--dry-run=server"),
        ("auth", "can-i", "patch", "pods", "--subresource=status"),
    )
    refused = {words: answer.err for words in needed if (answer := operator.call(words)).code != 0}
    assert not refused


def test_the_operator_tells_of_no_right_that_it_lacks(relay: Stage, release: Release) -> None:
    told = [line for line in release.log().splitlines() if "forbidden" in line.lower() or "permission" in line.lower()]
    assert not told, told[:3]
