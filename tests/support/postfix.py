"""A private Postfix of Debian's on loopback, for tests: it takes mail on one port and hands all of it to another.

As an upstream of the relay it hands on to a server that remembers (`scripted_server`); as a client it hands on to the
relay, and `sendmail` submits to it. Needs root; without it or without Postfix the test is skipped with the reason. It
lives in a folder of its own that other users may enter, and is stopped by its own master's id.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.free_ports import free_port
from tests.support.programs import need, need_root

TEMPLATE = Path("/usr/share/postfix/master.cf.dist")
_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file_prefixes = {folder}
maillog_file = {folder}/mail.log
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
message_size_limit = 52428800
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
relayhost = {relayhost}
"""


@dataclass(frozen=True)
class Postfix:
    """A running one."""

    folder: Path
    port: int

    @property
    def log(self) -> str:
        """Its mail log so far."""
        path = self.folder / "mail.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    async def sendmail(self, content: bytes, sender: str, recipients: Sequence[str]) -> None:
        """Submit through its `sendmail`, as cron and PHP do. Raises CalledProcessError."""
        program = shutil.which("sendmail", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "sendmail"
        command = [program, "-C", str(self.folder / "etc"), "-i", "-f", sender, "--", *recipients]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(process.communicate(content), 30)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, output)


@contextmanager
def postfix(relayhost: str, *settings: str) -> Iterator[Postfix]:
    """Run one; `settings` are lines of main.cf, in which `{folder}` is its own. `relayhost` as `[127.0.0.1]:2525`."""
    need("postfix")
    need_root("for a private Postfix")
    if not TEMPLATE.exists():
        pytest.skip(f"needs {TEMPLATE} of Debian's package postfix")
    with tempfile.TemporaryDirectory(prefix="mailhaul-postfix-") as name:
        folder = Path(name)
        _prepare(folder, relayhost, settings)
        _control(folder, "start")
        try:
            yield Postfix(folder, _open_port(folder))
        finally:
            _stop(folder)


def _prepare(folder: Path, relayhost: str, settings: Sequence[str]) -> None:
    folder.chmod(0o755)
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    lines = "".join(f"{line}\n" for line in settings).replace("{folder}", str(folder))
    (folder / "etc" / "main.cf").write_text(_MAIN.format(folder=folder, relayhost=relayhost) + lines, encoding="utf-8")
    shutil.copy(TEMPLATE, folder / "etc" / "master.cf")
    _postconf(folder, "-M#", "smtp/inet")
    _postconf(folder, "-Me", "postlog/unix-dgram=postlog unix-dgram n - n - 1 postlogd")
    port = free_port()
    _postconf(folder, "-Me", f"{port}/inet={port} inet n - n - - smtpd")
    _postconf(folder, "-F", "*/*/chroot=n")
    (folder / "port").write_text(str(port), encoding="ascii")


def _open_port(folder: Path) -> int:
    return int((folder / "port").read_text(encoding="ascii"))


def _postconf(folder: Path, *words: str) -> None:
    subprocess.run([str(need("postconf")), "-c", str(folder / "etc"), *words], check=True, timeout=30)


def _control(folder: Path, verb: str) -> None:
    command = [str(need("postfix")), "-c", str(folder / "etc"), verb]
    # Its scripts print to the terminal; a failure is told with what they said.
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"postfix {verb}: {done.stdout}{done.stderr}"


def _stop(folder: Path) -> None:
    master = int((folder / "queue" / "pid" / "master.pid").read_text(encoding="ascii"))
    _control(folder, "stop")
    for _ in range(50):
        if not Path(f"/proc/{master}").exists():
            return
        time.sleep(0.1)
    os.kill(master, signal.SIGKILL)
