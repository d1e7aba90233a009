"""The console script `mailhaul`: hands each verb to the plane that owns it, by name, so that neither imports the other.

A plane's command is a function from arguments to an exit code. Only the module of the chosen verb is imported.
"""

import sys
from importlib import import_module
from importlib.metadata import version
from typing import cast

COMMANDS: dict[str, tuple[str, str]] = {
    "relay": ("mailhaul_relay.cli:relay", "serve: run one relay from its configuration file"),
    "queue": ("mailhaul_operator.mail.queue:queue", "look at the mail of a running relay, and act on it"),
    "suppression": ("mailhaul_operator.mail.suppression:suppression", "recipients that a relay refuses at once"),
    "replies": ("mailhaul_operator.mail.replies:replies", "replies of providers that no rule knows, counted"),
    "trace": ("mailhaul_operator.mail.trace:trace", "the whole story of one message"),
    "up": ("mailhaul_operator.cli:up", "run resources from YAML files here, with no cluster"),
    "validate": (
        "mailhaul_operator.cli:validate",
        "check resources in YAML files: findings with file, line and remedy",
    ),
    "render": ("mailhaul_operator.cli:render", "print what the resources become"),
    "operator": ("mailhaul_operator.serve.command:operator", "serve: run the operator of a cluster"),
    "status": ("mailhaul_operator.cli:status", "does mail leave, and if not, why: here, or in a cluster"),
    "send-test": ("mailhaul_operator.cluster.commands:send_test", "a mail through a relay in a cluster, followed"),
}


_OF_A_CLUSTER = frozenset({"status", "queue", "trace", "suppression", "replies"})


def main(arguments: list[str] | None = None) -> int:
    """Run one verb. Exit code 2 when there is no such verb, else the verb's own."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or given[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_help())
        return 0 if given else 2
    if given[0] == "--version":
        sys.stdout.write(f"mailhaul {version('mailhaul')}\n")
        return 0
    if given[0] not in COMMANDS:
        sys.stderr.write(f"mailhaul: there is no command `{given[0]}`\n\n{_help()}")
        return 2
    module, _, function = COMMANDS[given[0]][0].partition(":")
    return cast("int", getattr(import_module(module), function)(given[1:]))


def kubectl(arguments: list[str] | None = None) -> int:
    """As kubectl's plugin `kubectl mailhaul VERB`: the same verbs, and those that look at a relay mean the cluster."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return main([*given, "--cluster"] if given and given[0] in _OF_A_CLUSTER else given)


def _help() -> str:
    rows = "".join(f"  {verb:<11} {text}\n" for verb, (_, text) in COMMANDS.items())
    return f"Usage: mailhaul COMMAND [ARGUMENTS]\n\n{rows}\nmailhaul COMMAND --help tells more of each.\n"


if __name__ == "__main__":
    sys.exit(main())
