"""A private Exim on loopback, for tests, from Debian's package that `make setup` only unpacks.

It takes mail on one port and hands all of it to another host and port, as `postfix.py` does. Exim insists on the user
that Debian compiled into it: it runs in a mount namespace of its own in which /etc/passwd knows that user, so that
nothing of the machine changes. Needs root; without it, without Exim or without `unshare` the test is skipped.
"""

import asyncio
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.free_ports import free_port
from tests.support.programs import need, need_root

USER, NUMBER = "Debian-exim", 61234
"""A name and number that exist in the namespace only."""
_IN_NAMESPACE = 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && exec "$@"'
_CONFIG = """\
primary_hostname = exim.example
exim_user = {user}
exim_group = {user}
exim_path = {program}
deliver_drop_privilege = true
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
trusted_users = {user}
accept_8bitmime = true
smtputf8_advertise_hosts = *
message_size_limit = 50M
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = judge
acl_smtp_data = accept
queue_run_in_order
remote_max_parallel = 4
{settings}

begin acl
accept:
  accept
judge:
{judge}

begin routers
smart_host:
  driver = manualroute
  transport = onwards
  route_list = * {host} byname
  self = send

begin transports
onwards:
  driver = smtp
  port = {onwards}
  {transport}

begin retry
*  *  F,10m,2s

begin authenticators
{authenticators}
"""
_LOGGED_IN = "  accept authenticated = *\n  deny message = relay not permitted"
AUTHENTICATORS = """\
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{name}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${{if and{{{{eq{{$auth1}}{{{name}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
"""


@dataclass(frozen=True)
class Way:
    """Where Exim hands mail on to, with lines of its smtp transport."""

    port: int
    host: str = "127.0.0.1"
    transport: Sequence[str] = ("hosts_avoid_tls = *",)


@dataclass(frozen=True)
class Exim:
    """A running one."""

    folder: Path
    port: int

    @property
    def log(self) -> str:
        """Its main and panic logs so far."""
        return "".join(
            path.read_text(encoding="utf-8", errors="replace") for path in sorted((self.folder / "log").iterdir())
        )

    async def sendmail(self, content: bytes, sender: str, recipients: Sequence[str]) -> None:
        """Submit as local programs do. Raises CalledProcessError."""
        command = _command(self.folder, "-i", "-f", sender, "--", *recipients)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(process.communicate(content), 30)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, output)


@contextmanager
def exim(
    way: Way, *settings: str, authenticators: str = "", judge: str = "  accept", authority: Path | None = None
) -> Iterator[Exim]:
    """Run one. `settings` are lines of its main section; with `authenticators` only who logged in may relay.

    `judge` is the ACL at RCPT otherwise. `authority` is copied to `{folder}/ca.pem`, where Exim's user can read it.
    """
    need("exim4")
    need("unshare")
    need_root("for a private Exim")
    with tempfile.TemporaryDirectory(prefix="mailhaul-exim-") as name:
        folder = Path(name)
        judge = _LOGGED_IN if authenticators else judge
        port = _prepare(folder, way, settings, (authenticators, judge))
        if authority is not None:
            (folder / "ca.pem").write_bytes(authority.read_bytes())
        said = folder / "said"
        with said.open("wb") as output:
            process = subprocess.Popen(
                _command(folder, "-bdf", "-q2s"), stdout=output, stderr=output, start_new_session=True
            )
        try:
            _await_port(process, port, said)
            yield Exim(folder, port)
        finally:
            _stop(process)


def _prepare(folder: Path, way: Way, settings: Sequence[str], sections: tuple[str, str]) -> int:
    folder.chmod(0o755)
    for name in ("spool", "log"):
        (folder / name).mkdir()
        os.chown(folder / name, NUMBER, NUMBER)
    passwd, group = Path("/etc/passwd").read_text(encoding="utf-8"), Path("/etc/group").read_text(encoding="utf-8")
    (folder / "passwd").write_text(f"{passwd}{USER}:x:{NUMBER}:{NUMBER}::/:/bin/false\n", encoding="utf-8")
    (folder / "group").write_text(f"{group}{USER}:x:{NUMBER}:\n", encoding="utf-8")
    port = free_port()
    config = _CONFIG.format(
        user=USER, program=need("exim4"), folder=folder, port=port, host=way.host, onwards=way.port,
        authenticators=sections[0], settings="\n".join(settings),
        transport="\n  ".join(way.transport).replace("{folder}", str(folder)),
        judge=sections[1],
    )  # fmt: skip
    (folder / "exim.conf").write_text(config, encoding="utf-8")
    return port


def _command(folder: Path, *words: str) -> list[str]:
    program = [str(need("exim4")), "-C", str(folder / "exim.conf"), *words]
    return [str(need("unshare")), "--mount", "sh", "-c", _IN_NAMESPACE, str(folder), *program]


def _await_port(process: "subprocess.Popen[bytes]", port: int, said: Path) -> None:
    for _ in range(150):
        assert process.poll() is None, said.read_text(encoding="utf-8")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"Exim does not listen: {said.read_text(encoding='utf-8')}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """`unshare` and `sh` became Exim by exec, so that the id is the daemon's, and that of the group of its children.

    A child that outlives the daemon, such as one that waits after a failed handshake, would make the log folder anew.
    """
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
