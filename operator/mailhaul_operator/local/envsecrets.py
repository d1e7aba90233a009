"""`--env-secret`: a key of a Secret whose value stands in an environment variable and in no file.

The command line parses with it and `resources` adds the Secrets. Failures: ValueError with the form or the variable;
the value itself is never told.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailhaul_operator.api.inputs import Secret
from mailhaul_operator.api.metadata import DEFAULT_NAMESPACE, ObjectMeta

FORM = "[NAMESPACE/]NAME:KEY=VARIABLE"


@dataclass(frozen=True, slots=True)
class EnvSecret:
    """One key of a Secret and the variable that holds its value."""

    namespace: str
    name: str
    key: str
    variable: str


def parse(text: str) -> EnvSecret:
    """Parse `smtp/mailtrap:password=MAILTRAP_PASSWORD`; without a namespace it is `default`. Raises ValueError."""
    target, equals, variable = text.partition("=")
    secret, colon, key = target.partition(":")
    namespace, slash, name = secret.rpartition("/")
    if not (equals and colon and name and key and variable) or (slash and not namespace):
        raise ValueError(f"write it as {FORM}, such as smtp/mailtrap:password=MAILTRAP_PASSWORD")
    return EnvSecret(namespace or DEFAULT_NAMESPACE, name, key, variable)


def with_env(
    secrets: tuple[Secret, ...], given: Sequence[EnvSecret], environment: Mapping[str, str] = os.environ
) -> tuple[Secret, ...]:
    """Add the given keys to the Secrets, over those of the files. Raises ValueError when a variable is not set."""
    known = {one.metadata.key: one for one in secrets}
    for one in given:
        if one.variable not in environment:
            raise ValueError(f"--env-secret: the environment variable {one.variable} is not set; export it first")
        key = (one.namespace, one.name)
        secret = known.get(key) or _empty(*key)
        value = {one.key: environment[one.variable]}
        known[key] = secret.model_copy(update={"string_data": {**secret.string_data, **value}})
    return tuple(known.values())


def _empty(namespace: str, name: str) -> Secret:
    return Secret(api_version="v1", kind="Secret", metadata=ObjectMeta(namespace=namespace, name=name))
