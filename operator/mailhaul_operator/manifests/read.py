"""Reads resources from YAML files and directories, and says of everything wrong where it stands.

Used by `mailhaul validate`, `render` and `up`. Failures: none; what cannot be read is in `Reading.refused`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mailhaul_contract.refusals import Refusal, refusals
from mailhaul_operator.api.inputs import ConfigMap, Namespace, Secret
from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.api.metadata import DEFAULT_NAMESPACE
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.manifests.files import FileRefused, find, read_text
from mailhaul_operator.manifests.kinds import OWN, Model, is_unknown_kind_of_ours, model_of, text, unpacked
from mailhaul_operator.manifests.reading import Origin, Place, Reading, Refused, Skipped
from mailhaul_operator.manifests.yaml_tree import YamlRefused, documents
from mailhaul_operator.plan.findings import ObjectRef


def read(paths: Iterable[Path]) -> Reading:
    """Read every resource in these files and directories, in a stable order."""
    gathered = _Gathered()
    try:
        for path in find(paths):
            gathered.add_file(path)
    except FileRefused as error:
        gathered.refuse_file(error)
    return gathered.reading()


def read_text_of(content: str, file: Path) -> Reading:
    """Read resources from a text; `file` is the name to tell in places."""
    gathered = _Gathered()
    gathered.add_text(content, file)
    return gathered.reading()


@dataclass(slots=True)
class _Gathered:
    """What was read so far."""

    objects: list[Model] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    origins: dict[ObjectRef, Origin] = field(default_factory=dict)

    def add_file(self, path: Path) -> None:
        try:
            self.add_text(read_text(path), path)
        except FileRefused as error:
            self.refuse_file(error)

    def refuse_file(self, error: FileRefused) -> None:
        self.refused.append(Refused(ObjectRef(), Place(error.path, 1), "", error.reason, error.remedy))

    def add_text(self, content: str, file: Path) -> None:
        try:
            for document in documents(content):
                value = document.value if isinstance(document.value, dict) else {}
                for prefix, one in unpacked(value):
                    self._add(one, Origin(file, document.positions, prefix))
        except YamlRefused as error:
            self.refused.append(Refused(ObjectRef(), Place(file, error.line), "", error.reason, error.remedy))

    def _add(self, value: Any, origin: Origin) -> None:  # noqa: ANN401 - any JSON value
        if not isinstance(value, dict) or not text(value, "kind"):
            self._refuse(
                ObjectRef(), origin, Refusal("", "not a Kubernetes resource", "give it an apiVersion and a kind")
            )
            return
        subject = _reference(value)
        model = model_of(value)
        if model is not None:
            self._add_object(model, value, subject, origin)
        elif is_unknown_kind_of_ours(value):
            self._refuse(subject, origin, Refusal("kind", "there is no such kind", f"use one of {', '.join(OWN)}"))
        else:
            self.skipped.append(Skipped(origin.place(), subject.kind, subject.name))

    def _add_object(self, model: type[Model], value: dict[str, Any], subject: ObjectRef, origin: Origin) -> None:
        try:
            resource = model.from_json(value)
        except ValidationError as error:
            for refusal in refusals(error):
                self._refuse(subject, origin, refusal)
            return
        known = self.origins.setdefault(subject, origin)
        if known is not origin:
            told = Refusal("metadata.name", f"given twice, first at {known.place()}", "remove one, or rename it")
            self._refuse(subject, origin, told)
            return
        self.objects.append(resource)

    def _refuse(self, subject: ObjectRef, origin: Origin, refusal: Refusal) -> None:
        place = origin.place(refusal.path)
        self.refused.append(Refused(subject, place, refusal.path, refusal.reason, refusal.remedy))

    def reading(self) -> Reading:
        resources = Resources(
            relays=tuple(one for one in self.objects if isinstance(one, SmtpRelay)),
            providers=tuple(one for one in self.objects if isinstance(one, UpstreamProvider)),
            aliases=tuple(one for one in self.objects if isinstance(one, MailAlias)),
            secrets=tuple(one for one in self.objects if isinstance(one, Secret)),
            config_maps=tuple(one for one in self.objects if isinstance(one, ConfigMap)),
            namespaces=tuple(one for one in self.objects if isinstance(one, Namespace)),
        )
        return Reading(resources, tuple(self.refused), tuple(self.skipped), dict(self.origins))


def _reference(value: dict[str, Any]) -> ObjectRef:
    metadata = value.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    kind = text(value, "kind")
    namespace = "" if kind == "Namespace" else text(named, "namespace") or DEFAULT_NAMESPACE
    return ObjectRef(kind[:63], namespace[:63], text(named, "name")[:253])
