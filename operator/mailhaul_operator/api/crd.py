"""Generates the CustomResourceDefinitions and the reference from the models, and says when the files differ.

`python -m mailhaul_operator.api.crd --write` after a change of a model, `--check` in the gate (exit code 1 and the
difference). Failures: an unwritable directory ends it with the system's message.
"""

import argparse
import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mailhaul_contract.names import GROUP, VERSION
from mailhaul_operator.api.conditions import NOT_ASSESSED
from mailhaul_operator.api.definitions import DEFINITIONS, Definition
from mailhaul_operator.api.provider_reference import provider_reference
from mailhaul_operator.api.reference import kind_reference
from mailhaul_operator.api.structural import field_schema, validations

MAX_BYTES = 200 * 1024
"""The largest CRD: `kubectl apply` keeps a copy of it in an annotation of at most 256 KiB."""
_HEADER = "# Generated from the models by `python -m mailhaul_operator.api.crd --write`; do not edit.\n"
_COMMAND = "python -m mailhaul_operator.api.crd --write"


def custom_resource_definition(definition: Definition) -> dict[str, Any]:
    """Give the CustomResourceDefinition of a kind."""
    names = {"kind": definition.kind, "listKind": f"{definition.kind}List", "plural": definition.plural}
    names |= {"singular": definition.singular}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{definition.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {**names, "shortNames": list(definition.short), "categories": ["mail"]},
            "versions": [_version(definition)],
        },
    }


def _version(definition: Definition) -> dict[str, Any]:
    version: dict[str, Any] = {"name": VERSION, "served": True, "storage": True}
    version["subresources"] = _subresources(definition)
    if definition.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in definition.selectable]
    version["additionalPrinterColumns"] = [column.to_json() for column in definition.columns]
    version["schema"] = {"openAPIV3Schema": _root(definition)}
    return version


def _subresources(definition: Definition) -> dict[str, Any]:
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    return {"status": {}, **({"scale": scale} if definition.scales else {})}


def _root(definition: Definition) -> dict[str, Any]:
    fields = definition.model.model_fields
    schema: dict[str, Any] = {
        "description": definition.model.__doc__,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": field_schema(fields["spec"]),
            "status": {**field_schema(fields["status"]), "default": dict(NOT_ASSESSED)},
        },
    }
    rules = validations(definition.model)
    return {**schema, "x-kubernetes-validations": rules} if rules else schema


class _Plain(yaml.SafeDumper):
    """YAML without anchors: a schema that is used twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - PyYAML's signature
        """Write everything out."""
        return True


def generated(crds: Path, reference: Path) -> Mapping[Path, str]:
    """Give every generated file with its text."""
    texts: dict[Path, str] = {}
    for definition in DEFINITIONS:
        crd = custom_resource_definition(definition)
        dumped = yaml.dump(crd, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)
        texts[crds / f"{definition.plural}.yaml"] = _HEADER + dumped
        texts[reference / f"{definition.singular}.md"] = kind_reference(definition)
    texts[reference / "providers.md"] = provider_reference()
    return texts


def differences(crds: Path, reference: Path) -> tuple[str, ...]:
    """Give a short difference for each file that is not as generated, or is too many; empty when all is well."""
    expected = generated(crds, reference)
    found = [_difference(path, text) for path, text in expected.items()]
    stray = [f"{path}: generated from nothing; remove it" for path in crds.glob("*.yaml") if path not in expected]
    return tuple(one for one in (*found, *sorted(stray)) if one)


def _difference(path: Path, expected: str) -> str:
    if not path.exists():
        return f"{path}: missing; run `{_COMMAND}`"
    lines = difflib.unified_diff(path.read_text().splitlines(), expected.splitlines(), "file", "generated", "", "", 1)
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    return f"{path}: {len(changed)} lines differ; run `{_COMMAND}`\n" + "\n".join(changed[:20]) if changed else ""


def main(arguments: list[str] | None = None) -> int:
    """Write or check; exit code 1 when the check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m mailhaul_operator.api.crd", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", metavar="CRDS", type=Path, nargs="?", const=Path("crds"), help="write the files")
    mode.add_argument("--check", metavar="CRDS", type=Path, nargs="?", const=Path("crds"), help="compare the files")
    parser.add_argument("--reference", type=Path, default=Path("docs/reference"), help="directory of the reference")
    given = parser.parse_args(arguments)
    if given.write:
        for path, text in generated(given.write, given.reference).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 0
    found = differences(given.check, given.reference)
    sys.stderr.writelines(f"{one}\n" for one in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
