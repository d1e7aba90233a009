"""A Postfix of our own (Debian's package, as root), to compare with: everything goes to one smart host.

Debian's defaults but for what the comparison needs: the destination's concurrency is that of the load, names are not
looked up, the mail log is a file. Queue and log lie in one folder, and it is stopped by its own master's id.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from bench.rounds import Target

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file_prefixes = {folder}
maillog_file = {folder}/mail.log
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.bench.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{upstream}
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
message_size_limit = 52428800
default_destination_concurrency_limit = 20
"""
_TEMPLATE = Path("/usr/share/postfix/master.cf.dist")


class PostfixError(RuntimeError):
    """Postfix could not be started; the text says why and what to do."""


class Postfix:
    """A running Postfix; `stop` ends it."""

    def __init__(self, folder: Path, port: int, upstream: int) -> None:
        if os.geteuid() != 0 or not shutil.which("postfix") or not _TEMPLATE.exists():
            raise PostfixError("the comparison needs root and Debian's postfix package: run `make setup` as root")
        self._settings = folder / "etc"
        self._queue = folder / "queue"
        if self._settings.exists():
            # A bench that was killed may have left its Postfix behind; none is no error here.
            subprocess.run(["postfix", "-c", str(self._settings), "stop"], capture_output=True, timeout=60, check=False)
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir(parents=True)
        shutil.chown(folder / "data", "postfix")
        _readable_by_others(folder)
        (self._settings / "main.cf").write_text(_MAIN.format(folder=folder, upstream=upstream), encoding="ascii")
        shutil.copy(_TEMPLATE, self._settings / "master.cf")
        self._postconf("-M#", "smtp/inet")
        self._postconf("-Me", f"{port}/inet={port} inet n - n - - smtpd")
        self._postconf("-Me", "postlog/unix-dgram=postlog unix-dgram n - n - 1 postlogd")
        self._postconf("-F", "*/*/chroot=n")
        self._control("start")
        self.target = Target("postfix", port, self._master())

    def stop(self) -> None:
        """Stop it and wait until its master has gone."""
        self._control("stop")
        for _ in range(100):
            if not Path(f"/proc/{self.target.pid}").exists():
                return
            time.sleep(0.1)
        os.kill(self.target.pid, signal.SIGKILL)

    def _postconf(self, *words: str) -> None:
        subprocess.run(["postconf", "-c", str(self._settings), *words], check=True, timeout=30)

    def _control(self, verb: str) -> None:
        command = ["postfix", "-c", str(self._settings), verb]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise PostfixError(f"postfix {verb} failed: {done.stderr.strip()}; is {self._queue} reachable for all?")

    def _master(self) -> int:
        pid_file = self._queue / "pid" / "master.pid"
        for _ in range(100):
            if pid_file.exists() and pid_file.read_text(encoding="ascii").strip():
                return int(pid_file.read_text(encoding="ascii"))
            time.sleep(0.1)
        raise PostfixError(f"postfix wrote no {pid_file} within 10 s; see {self._settings.parent}/mail.log")


def _readable_by_others(folder: Path) -> None:
    """Postfix's daemons run as their own user and must reach the queue: say so early when they cannot."""
    for one in (folder, *folder.parents):
        if not one.stat().st_mode & 0o001:
            raise PostfixError(
                f"other users cannot enter {one}; name another folder: make bench BENCH_WORK=/var/tmp/bench"
            )
