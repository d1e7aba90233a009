"""The commands of the control plane: `up`, `validate`, `render`, `status`; arguments in, exit code out.

Exit codes mean the same everywhere: 0 good, 1 something is wrong with the resources or the mail, 2 with the command
line. Nothing is decided here.
"""

import argparse
import ipaddress
import os
import sys
from collections.abc import Callable
from pathlib import Path

from mailhaul_operator.cluster.where import add_where
from mailhaul_operator.local import rendering
from mailhaul_operator.local import status as asking
from mailhaul_operator.local import up as running
from mailhaul_operator.local.envsecrets import FORM, EnvSecret, parse
from mailhaul_operator.local.loading import LoadError, Source
from mailhaul_operator.local.reports import Endpoint, endpoint_of
from mailhaul_operator.local.state import DEFAULT, running_file

_CODES = "exit codes: 0 good; 1 an error was found (status: mail does not leave); 2 wrong usage"


def up(arguments: list[str]) -> int:
    """`mailhaul up ...`: run resources here until Ctrl-C."""
    options = _up_parser().parse_args(arguments)
    chosen = running.Options(
        source=_source(options),
        state=options.state_dir,
        bind=options.bind,
        port_base=options.port_base,
        ready_file=options.ready_file,
        plain=options.output == "plain",
    )
    return _run("up", lambda: running.up(chosen))


def validate(arguments: list[str]) -> int:
    """`mailhaul validate ...`: findings with file, line and remedy."""
    text = "Check resources in YAML files, each by itself and all together."
    options = _parser("validate", text, ("text", "json")).parse_args(arguments)
    return _run("validate", lambda: rendering.validate(_source(options), options.output))


def render(arguments: list[str]) -> int:
    """`mailhaul render ...`: what the resources become; never a secret."""
    text = "Print the configuration that each relay would run, or the objects of a cluster. Secrets are never printed."
    parser = _parser("render", text, ("yaml", "json"))
    parser.add_argument("--manifests", action="store_true", help="print the objects that the operator would make")
    parser.add_argument("--relay", default="", metavar="NAMESPACE/NAME", help="only this relay")
    options = parser.parse_args(arguments)
    return _run(
        "render", lambda: rendering.render(_source(options), options.relay, options.output, objects=options.manifests)
    )


def status(arguments: list[str]) -> int:
    """`mailhaul status ...`: does mail leave, and if not, why."""
    options = _status_parser().parse_args(arguments)
    if _means_cluster(options):
        from mailhaul_operator.cluster.commands import status as in_cluster  # noqa: PLC0415 - only when it is asked

        return in_cluster(options)
    return _run("status", lambda: asking.status(_endpoints(options), options.output))


def _means_cluster(options: argparse.Namespace) -> bool:
    """A cluster when one of its options is given, or when no `up` runs here and a kubeconfig is there."""
    if options.cluster or options.namespace or options.all_namespaces or options.context or options.kubeconfig:
        return True
    if options.url or options.ready_file or running_file(options.state_dir).exists():
        return False
    known = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return any(Path(one).is_file() for one in known.split(os.pathsep) if one)


def _source(options: argparse.Namespace) -> Source:
    return Source(tuple(options.file), tuple(options.env_secret))


def _endpoints(options: argparse.Namespace) -> tuple[tuple[str, Endpoint], ...]:
    if not options.url:
        return asking.known_relays(options.ready_file or running_file(options.state_dir))
    try:
        token = options.token_file.read_text().strip() if options.token_file else ""
        return ((options.url, endpoint_of(options.url, token)),)
    except (ValueError, OSError) as error:
        raise LoadError(str(error)) from None


def _run(verb: str, command: Callable[[], int]) -> int:
    """Run a command; what the command line asks for and is not there is wrong usage."""
    try:
        return command()
    except LoadError as error:
        sys.stderr.write(f"mailhaul {verb}: {error}\n")
        return 2
    except asking.NoRelayError as error:
        sys.stderr.write(f"mailhaul {verb}: {error}\n")
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser(verb: str, text: str, outputs: tuple[str, ...]) -> argparse.ArgumentParser:
    """The parser of a command that reads resources; the first output is the default."""
    parser = argparse.ArgumentParser(prog=f"mailhaul {verb}", description=text, epilog=_CODES)
    parser.add_argument(
        *("-f", "--file"),
        type=Path,
        action="extend",
        nargs="+",
        required=True,
        metavar="FILE|DIR",
        help="YAML files, or directories of them; may be repeated",
    )
    parser.add_argument(
        "--env-secret",
        type=_env_secret,
        action="append",
        default=[],
        metavar=FORM,
        help="take a key of a Secret from an environment variable; may be repeated",
    )
    parser.add_argument("-o", "--output", choices=outputs, default=outputs[0], help="(default: %(default)s)")
    return parser


def _up_parser() -> argparse.ArgumentParser:
    text = "Run the resources in YAML files here, with no cluster, until Ctrl-C. Edits of the files are live."
    parser = _parser("up", text, ("auto", "plain"))
    parser.add_argument(
        "--ready-file", type=Path, metavar="FILE", help="write addresses and process ids here once mail is accepted"
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=DEFAULT,
        metavar="DIR",
        help="queues, which stay (default: %(default)s)",
    )
    parser.add_argument(
        "--bind", type=_ip, default="127.0.0.1", metavar="IP", help="address of all ports (default: %(default)s)"
    )
    parser.add_argument(
        "--port-base",
        type=_port,
        metavar="PORT",
        help="count ports up from here, 0 takes any (default: 25 is 2525, 587 is 2587, or the next free one)",
    )
    return parser


def _status_parser() -> argparse.ArgumentParser:
    text = (
        "Tell of each relay whether mail leaves, and if not, why and what to do: of the relays that `mailhaul up` runs "
        "here, else of the cluster that kubeconfig names."
    )
    parser = argparse.ArgumentParser(prog="mailhaul status", description=text, epilog=_CODES)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--state-dir", type=Path, default=DEFAULT, metavar="DIR", help="that of `mailhaul up` (default: %(default)s)"
    )
    where.add_argument("--ready-file", type=Path, metavar="FILE", help="the file that `mailhaul up --ready-file` wrote")
    where.add_argument("--url", metavar="URL", help="a relay's report port, such as http://127.0.0.1:9090")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="with --url: file with the relay's API token")
    parser.add_argument("--cluster", action="store_true", help="the cluster, whatever runs here")
    add_where(parser, all_namespaces=True)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="(default: %(default)s)")
    return parser


def _env_secret(text: str) -> EnvSecret:
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no IP address; write it like 127.0.0.1 or ::1") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or (text != "0" and not 1024 <= int(text) <= 65000):
        raise argparse.ArgumentTypeError(f"{text!r} is no port to count from; write 0, or a number from 1024 to 65000")
    return int(text)
