"""One namespace of a cluster in which mail is sent and received: apps' pods, providers' pods, resources, what is told.

Everything goes through kubectl, as a user's would: `apply`, `exec` in the app's pod, `get`; what it would only read,
`cluster` reads without it. Pods run the relay's image, for it has Python. Waiting ends with an assertion that shows the
last state.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Pair
from tests.support.cluster import Answer, Cluster
from tests.support.e2e.canaries import hear

PYTHON = "/opt/mailhaul/bin/python"
PROGRAM = Path(__file__).with_name("provider_program.py")
SEND = """
import json, smtplib, sys, time
job = json.load(sys.stdin)
answers = []
connection = None
for number in range(job["count"]):
    time.sleep(job["pause"])
    text = f"{job['subject']} {number}"
    try:
        if connection is None:
            connection = smtplib.SMTP(job["host"], job["port"], timeout=job["timeout"])
        head = f"From: {job['sender']}\\r\\nTo: {job['recipients'][0]}\\r\\nSubject: {text}\\r\\n\\r\\n"
        connection.sendmail(job["sender"], job["recipients"], head + f"Body of {text}\\r\\n")
        answers.append([text, 250, ""])
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        answers.append([text, code, words.decode("utf-8", "replace")])
    except smtplib.SMTPResponseException as error:
        answers.append([text, error.smtp_code, str(error.smtp_error)])
        connection = None
    except (OSError, smtplib.SMTPException) as error:
        answers.append([text, 0, repr(error)])
        connection = None
print(json.dumps(answers))
"""

DOOR = "import socket, sys; sys.exit(0 if socket.create_connection((sys.argv[1], 25), 5).recv(3) == b'220' else 1)"


@dataclass(frozen=True)
class Sent:
    """What an app got for its mails: (subject, reply code, words) of each; 0 when there was no reply."""

    answers: tuple[tuple[str, int, str], ...]

    @property
    def accepted(self) -> tuple[str, ...]:
        """Subjects of the mails that were answered 250."""
        return tuple(subject for subject, code, _ in self.answers if code == 250)


@dataclass(frozen=True)
class Mail:
    """What an app sends: `count` mails with numbered subjects, over one connection, each after a pause in seconds."""

    subject: str
    sender: str = "app@example.com"
    recipients: Sequence[str] = ("user@example.net",)
    count: int = 1
    timeout: int = 30
    pause: float = 0


@dataclass(frozen=True)
class Stage:
    """A namespace, with the image that its pods run."""

    cluster: Cluster
    namespace: str
    image: str

    def apply(self, *objects: Mapping[str, Any] | str) -> None:
        """`kubectl apply` of objects or of YAML text."""
        for one in objects:
            text = one if isinstance(one, str) else json.dumps(one)
            self.cluster.ask("apply", "-n", self.namespace, "-f", "-", stdin=text)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> Answer:
        """kubectl in this namespace."""
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def ask(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl in this namespace; the test fails when it fails."""
        return self.cluster.ask("-n", self.namespace, *arguments, stdin=stdin)

    def get(self, *what: str) -> Any:  # noqa: ANN401 - any JSON value
        """`kubectl get -o json`."""
        return self.cluster.get(*what, "-n", self.namespace)

    def exists(self, what: str) -> bool:
        """Whether there is a resource like `pod/app`."""
        return self.kubectl("get", what, "-o", "json").code == 0

    def condition(self, what: str, type_: str) -> dict[str, str]:
        """A condition of a resource like `smtprelay/relay`; empty when it has none yet."""
        found = self.kubectl("get", what, "-o", "json")
        if found.code != 0:
            return {}
        conditions = json.loads(found.out).get("status", {}).get("conditions", [])
        return next((dict(one) for one in conditions if one["type"] == type_), {})

    def delete_pod(self, name: str, *words: str) -> None:
        """`kubectl delete pod`; what it has said is searched for secrets later."""
        hear(self.cluster, self.namespace, name)
        self.ask("delete", "pod", name, *words)

    def identity(self, pod: str) -> tuple[str, int]:
        """What a restart of a pod, or of its container, changes."""
        found = self.get("pod", pod)
        return str(found["metadata"]["uid"]), int(found["status"]["containerStatuses"][0]["restartCount"])

    def wait_condition(self, what: str, type_: str, wanted: str, reason: str = "", seconds: float = 60) -> float:
        """Wait for `True`, `False` or `Unknown` (and a reason); gives the seconds that it took."""

        def holds() -> bool:
            one = self.condition(what, type_)
            return one.get("status") == wanted and (not reason or one.get("reason") == reason)

        return self.until(holds, seconds, lambda: f"{what} {type_}={wanted} {reason}: {self._told(what)}")

    def until(self, holds: Callable[[], bool], seconds: float, told: Callable[[], str] = lambda: "") -> float:
        """Wait until something holds; gives the seconds that it took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if holds():
                return time.monotonic() - began
            time.sleep(0.2)
        pytest.fail(f"not so after {seconds} s: {told()}")

    def app(self, name: str = "app") -> str:
        """A pod that sends mail, as an app would."""
        return self._pod(name, ["-c", "import time; time.sleep(36000)"])

    def provider(
        self,
        name: str,
        *,
        auth: tuple[str, str] | None = None,
        tls: Pair | None = None,
        clients: str = "",
        tokens: tuple[str, str, str] | None = None,
    ) -> "ProviderPod":
        """A provider's pod with a Service `name` on port 25, and 443 for its token server (and 8025 for the test).
        `clients` is PEM text of the authority of which everybody must show a certificate.
        """
        arguments = ["/program/provider_program.py"]
        files = {"provider_program.py": PROGRAM.read_text()}
        if auth:
            arguments += ["--auth", *auth]
        if tls:
            files |= {"tls.crt": tls.chain.read_text(), "tls.key": tls.key.read_text()}
            arguments += ["--tls", "/program/tls.crt", "/program/tls.key"]
        if clients:
            files["clients.crt"] = clients
            arguments += ["--clients", "/program/clients.crt"]
        if tokens:
            arguments += ["--tokens", *tokens]
        self.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{name}-program"}, "data": files},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {
                    "selector": {"app": name},
                    "ports": [
                        {"name": "smtp", "port": 25, "targetPort": 2525},
                        {"name": "tokens", "port": 443, "targetPort": 8443},
                    ],
                },
            },
        )
        self._pod(name, arguments, {"name": "program", "configMap": {"name": f"{name}-program"}})
        provider = ProviderPod(self, name)
        self.until(provider.answers, 40, lambda: self.kubectl("logs", name).out)
        return provider

    def send(self, mail: Mail, relay: str = "relay", app: str = "app") -> Sent:
        """Send through a relay's Service on port 25 without credentials, from the app's pod."""
        host = relay if "." in relay else f"{relay}.{self.namespace}.svc.cluster.local"
        job = {
            "host": host,
            "port": 25,
            "sender": mail.sender,
            "recipients": list(mail.recipients),
            "subject": mail.subject,
            "count": mail.count,
            "timeout": mail.timeout,
            "pause": mail.pause,
        }
        said = self.ask("exec", "-i", app, "--", PYTHON, "-c", SEND, stdin=json.dumps(job))
        return Sent(tuple((subject, code, words) for subject, code, words in json.loads(said)))

    def accepted(self, mail: Mail, relay: str = "relay") -> list[str]:
        """Send mails that must all be answered 250; gives their subjects."""
        self.wait_door(relay)
        sent = self.send(mail, relay)
        assert len(sent.accepted) == mail.count, sent.answers
        return list(sent.accepted)

    def wait_door(self, relay: str = "relay", app: str = "app") -> None:
        """Wait until the relay's Service answers: a status speaks of a pod up to two seconds before it leads there."""
        host = f"{relay}.{self.namespace}.svc.cluster.local"
        knock = ("exec", app, "--", PYTHON, "-c", DOOR, host)
        self.until(lambda: self.kubectl(*knock).code == 0, 30, lambda: self.kubectl(*knock).err)

    def _pod(self, name: str, arguments: list[str], *volumes: dict[str, Any]) -> str:
        mounts = [{"name": one["name"], "mountPath": f"/{one['name']}"} for one in volumes]
        container = {
            "name": "main",
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": [PYTHON, *arguments],
            "volumeMounts": mounts,
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "automountServiceAccountToken": False,
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [container],
                    "volumes": list(volumes),
                },
            }
        )
        waited = self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        assert waited.code == 0, f"{waited.err}\n{self.kubectl('describe', f'pod/{name}').out[-2000:]}"
        return name

    def _told(self, what: str) -> str:
        found = self.kubectl("get", what, "-o", "json")
        return json.dumps(json.loads(found.out).get("status", {}), indent=1) if found.code == 0 else found.err


@dataclass(frozen=True)
class ProviderPod:
    """A provider that runs in the stage (tests/support/e2e/provider_program.py)."""

    stage: Stage
    name: str

    @property
    def host(self) -> str:
        """The name of its Service."""
        return f"{self.name}.{self.stage.namespace}.svc.cluster.local"

    def answers(self) -> bool:
        """Whether its door answers."""
        return self.stage.cluster.kubectl("get", "--raw", self._path("/mails")).code == 0

    def mails(self) -> list[dict[str, Any]]:
        """What it took, in order."""
        return list(json.loads(self.stage.cluster.ask("get", "--raw", self._path("/mails"))))

    def logins(self) -> list[dict[str, Any]]:
        """Attempts to log in: `time`, `good`."""
        return list(json.loads(self.stage.cluster.ask("get", "--raw", self._path("/logins"))))

    def subjects(self) -> list[str]:
        """Subjects of what it took, sorted, each as often as it came."""
        return sorted(str(one["subject"]) for one in self.mails())

    def behave(self, **behaviour: object) -> None:
        """Set its behaviour anew: fields of `Behaviour`, the others as a good server."""
        text = json.dumps(behaviour)
        self.stage.cluster.ask("create", "--raw", self._path("/behaviour"), "-f", "-", stdin=text)

    def wait_subjects(self, wanted: Sequence[str], seconds: float = 60) -> float:
        """Wait until exactly these came, each once; gives the seconds that it took."""
        return self.stage.until(
            lambda: self.subjects() == sorted(wanted),
            seconds,
            lambda: f"{self.name} has {len(self.subjects())} of {len(wanted)}: {self.subjects()[:5]}",
        )

    def _path(self, path: str) -> str:
        return f"/api/v1/namespaces/{self.stage.namespace}/pods/{self.name}:8025/proxy{path}"
