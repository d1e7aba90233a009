"""The cases of the torture: TOML files, each case with the clause it is about, and a verdict for each of its variants.

A case has `name`, `rule` (the clause), `level` (MUST or SHOULD), `talk` (see `steps`), and where it wants them:
`start` (how far the conversation is when the talk begins, see `STARTS`), `each` (a table of variants, whose value is
`$each` in the talk), `needs` and `unless` (EHLO keywords; `SINK` and `LOGIN` for what the runner was given, `CLEAR`
where TLS does not begin at once), and about what arrives at the sink: `head` and `no_head` (patterns of header fields,
`*` is anything), `envelope` (of MAIL and RCPT as the sink got them), `recipients` (how many there are in all; the
message may come in several copies).
Unknown keys and malformed steps raise ValueError.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torture.steps import Step, Wanted, read_talk

FOLDER = Path(__file__).parent / "clauses"
LEVELS = ("MUST", "SHOULD")
_EHLO = "s: 220\nc: EHLO client.example\ns: 250"
_MAIL = f"{_EHLO}\nc: MAIL FROM:<$from>\ns: 250"
_TO_DATA = "\nc: RCPT TO:<$to>\ns: 250\nc: DATA\ns: 354"
STARTS: Mapping[str, str] = {
    "connect": "",
    "banner": "s: 220",
    "helo": "s: 220\nc: HELO client.example\ns: 250",
    "ehlo": _EHLO,
    "mail": _MAIL,
    "rcpt": f"{_MAIL}\nc: RCPT TO:<$to>\ns: 250",
    "data": _MAIL + _TO_DATA,
    "data8": f"{_EHLO}\nc: MAIL FROM:<$from> BODY=8BITMIME\ns: 250{_TO_DATA}",
    "tls": f"{_EHLO}\nc: STARTTLS\ns: 220\ntls\nc: EHLO client.example\ns: 250",
}
"""The steps before the talk, by the name of where they lead."""
_KEYS = {
    "name",
    "rule",
    "level",
    "talk",
    "start",
    "each",
    "needs",
    "unless",
    "head",
    "no_head",
    "envelope",
    "recipients",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One verdict. `talk` begins with the steps of its start; `each` is this variant's value."""

    name: str
    rule: str
    level: str
    talk: tuple[Step, ...]
    each: str = ""
    needs: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()
    head: tuple[str, ...] = ()
    no_head: tuple[str, ...] = ()
    envelope: tuple[str, ...] = ()
    recipients: int = 0


def read_cases(folder: Path = FOLDER) -> tuple[Case, ...]:
    """Give every verdict of a folder; names are unique."""
    cases = tuple(case for path in sorted(folder.glob("*.toml")) for case in _of_file(path))
    names = [one.name for one in cases]
    if len(names) != len(set(names)):
        raise ValueError(f"named twice: {sorted(one for one in set(names) if names.count(one) > 1)}")
    return cases


def _of_file(path: Path) -> Iterator[Case]:
    for table in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
        try:
            yield from _variants(path.stem, table)
        except (ValueError, KeyError) as error:
            raise ValueError(f"{path.name}: {table.get('name')}: {error}") from error


def _variants(file: str, table: dict[str, Any]) -> Iterator[Case]:
    if unknown := table.keys() - _KEYS:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    if table["level"] not in LEVELS or not table["rule"]:
        raise ValueError("a case names its rule, and MUST or SHOULD")
    talk = read_talk(f"{STARTS[table.get('start', 'ehlo')]}\n{table['talk']}")
    for step in talk:
        if step.word in {"s", "end"}:
            Wanted.parse(step.value)
    for variant, value in table.get("each", {"": ""}).items():
        yield _case(f"{file}/{table['name']}" + (f"[{variant}]" if variant else ""), table, talk, value)


def _case(name: str, table: dict[str, Any], talk: tuple[Step, ...], each: str) -> Case:
    return Case(
        name=name,
        rule=table["rule"],
        level=table["level"],
        talk=talk,
        each=each,
        needs=frozenset(table.get("needs", ())),
        unless=frozenset(table.get("unless", ())),
        head=tuple(table.get("head", ())),
        no_head=tuple(table.get("no_head", ())),
        envelope=tuple(table.get("envelope", ())),
        recipients=table.get("recipients", 0),
    )
