"""Who may not go through the API server's proxy, or is not let through by a NetworkPolicy, reaches a relay's pod by its
node: all commands on queues, and `send-test`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.e2e import resources
from tests.support.e2e.canaries import remember
from tests.support.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RIGHTS = (
    ("get,list", "smtprelays.mailhaul.dev,upstreamproviders.mailhaul.dev,mailaliases.mailhaul.dev,pods"),
    ("get", "secrets"),
    ("get,create", "pods/portforward"),
)


@pytest.fixture
def kubeconfig(stage: Stage, tmp_path: Path) -> Path:
    """Somebody of this namespace who may forward ports, and use no proxy."""
    stage.ask("create", "serviceaccount", "somebody")
    for number, (verbs, kinds) in enumerate(RIGHTS):
        stage.ask("create", "role", f"somebody-{number}", f"--verb={verbs}", f"--resource={kinds}")
        account = f"--serviceaccount={stage.namespace}:somebody"
        stage.ask("create", "rolebinding", f"somebody-{number}", f"--role=somebody-{number}", account)
    token = remember(stage.ask("create", "token", "somebody", "--duration=10m").strip())
    known = json.loads(stage.ask("config", "view", "--raw", "--minify", "-o", "json"))
    known["users"] = [{"name": known["users"][0]["name"], "user": {"token": token}}]
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(known))
    return path


def test_without_the_proxy_every_command_goes_as_kubectl_port_forward_does(stage: Stage, kubeconfig: Path) -> None:
    provider = stage.provider("provider")
    stage.apply(resources.provider("provider", provider.host), resources.relay(["provider"]))
    stage.wait_condition("smtprelay/relay", "ConfigApplied", "True")
    proxied = f"/api/v1/namespaces/{stage.namespace}/pods/relay-0:9090/proxy/healthz"
    assert "forbidden" in stage.kubectl(f"--kubeconfig={kubeconfig}", "get", "--raw", proxied).err.lower()

    told = _mailhaul(kubeconfig, stage, "send-test", "--relay", "relay", "--to", "user@example.net")
    assert "delivered by provider" in told, told
    assert len(provider.subjects()) == 1

    provider.behave(rcpt="451 4.7.1 later")
    sent = _mailhaul(
        kubeconfig, stage, "send-test", "--relay", "relay", "--to", "other@example.net", "--timeout", "2", code=1
    )
    (waiting,) = json.loads(_mailhaul(kubeconfig, stage, "queue", "list", "--cluster", "-o", "json"))["messages"]
    assert waiting["id"] in sent
    export = kubeconfig.with_name("message.eml")
    _mailhaul(kubeconfig, stage, "queue", "export", waiting["id"], str(export), "--cluster")
    assert b"other@example.net" in export.read_bytes()


def _mailhaul(kubeconfig: Path, stage: Stage, *arguments: str, code: int = 0) -> str:
    place = ("-n", stage.namespace, "--kubeconfig", str(kubeconfig))
    command = [sys.executable, "-m", "mailhaul_contract.console", *arguments, *place]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout
