"""Configuration and secrets of a relay as Kubernetes mounts them: changed as a whole, by the swap of one symlink.

Make it before `running_relay` is given the same directory and no secrets: the relay then reads through the links. The
swap is that of `mailhaul up`, which the relay cannot tell from a volume's.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.relay_process import TOKEN

from mailhaul_operator.local.mount import Mount


class Mounts:
    """The two mounts of one relay directory. `running_relay` writes the first configuration through the link."""

    def __init__(self, directory: Path, secrets: Mapping[str, str] | None = None, revision: str = "") -> None:
        self._config, self._secrets = Mount(directory / "config"), Mount(directory / "secrets")
        self.config("{}")
        self.secrets(secrets or {}, revision)
        (directory / "relay.v1.json").symlink_to(Path("config") / "relay.v1.json")

    def config(self, document: Mapping[str, Any] | str) -> None:
        """Swap the configuration; a text is written as it is."""
        text = document if isinstance(document, str) else json.dumps(document)
        self._config.write({"relay.v1.json": text.encode()})

    def secrets(self, values: Mapping[str, str], revision: str = "") -> None:
        """Swap the secrets: these, the API token and, when given, the revision."""
        whole = {"api.token": TOKEN, **values, **({"revision": revision} if revision else {})}
        self._secrets.write({name: value.encode() for name, value in whole.items()})
