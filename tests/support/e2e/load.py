"""An app that goes on sending while things break: one mail after the other from its pod, until the test stops it.

It tries again what was not answered 250, as an app with a queue of its own does, so that every subject ends as accepted
or, for a connection that broke after the final dot, was never counted. Only what was answered 250 is owed by a relay.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.e2e.stage import PYTHON, Stage

STOPPING_SECONDS = 60
PROGRAM = """
import json, smtplib, sys, threading, time
host, name, pause = sys.argv[1], sys.argv[2], float(sys.argv[3])
stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
accepted, refused, connection, number, last, gap = [], 0, None, 0, time.monotonic(), 0.0
while not stopped.is_set():
    subject = f"{name} {number}"
    try:
        if connection is None:
            connection = smtplib.SMTP(host, 25, timeout=5)
        head = f"From: app@example.com\\r\\nTo: user@example.net\\r\\nSubject: {subject}\\r\\n\\r\\n"
        connection.sendmail("app@example.com", ["user@example.net"], head + ("x" * 70 + "\\r\\n") * 30)
        accepted.append(subject)
        gap, last = max(gap, time.monotonic() - last), time.monotonic()
        time.sleep(pause)
    except (OSError, smtplib.SMTPException):
        refused, connection = refused + 1, None
        time.sleep(0.1)
    number += 1
print(json.dumps({"accepted": accepted, "refused": refused, "gap": gap}))
"""


@dataclass(frozen=True)
class Sending:
    """What came of it: subjects that were answered 250, attempts that were not, and the longest time without one."""

    accepted: tuple[str, ...]
    refused: int
    gap: float


@dataclass(frozen=True)
class Load:
    """An app that sends."""

    process: "subprocess.Popen[str]"

    def stop(self) -> Sending:
        """Let it end after the mail that is under way."""
        out, err = self.process.communicate("", timeout=STOPPING_SECONDS)
        assert self.process.returncode == 0, err
        found = json.loads(out)
        return Sending(tuple(found["accepted"]), found["refused"], found["gap"])


@contextmanager
def load(stage: Stage, name: str, *, relay: str = "relay", app: str = "app", pause: float = 0.02) -> Iterator[Load]:
    """Send mails with subjects `name N` through a relay, `pause` seconds after each."""
    stage.wait_door(relay, app)
    kubectl = shutil.which("kubectl", path=stage.cluster.environment["PATH"]) or "kubectl"
    host = f"{relay}.{stage.namespace}.svc.cluster.local"
    said = ["exec", "-i", app, "--", PYTHON, "-c", PROGRAM, host, name, str(pause)]
    process = subprocess.Popen(
        [kubectl, "-n", stage.namespace, *said],
        env=stage.cluster.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Load(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def lost(owed: Sending, arrived: list[str]) -> list[str]:
    """Subjects that were answered 250 and did not arrive."""
    return sorted(set(owed.accepted) - set(arrived))


def doubled(arrived: list[str]) -> int:
    """How many came more than once."""
    return len(arrived) - len(set(arrived))
