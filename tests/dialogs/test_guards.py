"""Each guard of the listener is held by a test: with that guard taken out, some conversation goes otherwise.

`guards.toml` says for each guard which conversation notices its loss first (one that is not there is looked for in all
of them), or which test elsewhere does: those of time, of many connections and of the process need more than a
conversation. A guard that nobody notices fails here: write a conversation for it.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.dialogs import test_dialogs
from tests.dialogs.test_dialogs import FILES, FOLDER
from tests.support import dialogs
from tests.support.guards import Guard, guards, taken_out
from tests.support.repository import REPOSITORY

certificate = test_dialogs.certificate
GUARDS = guards()
KNOWN = tomllib.loads((FOLDER / "guards.toml").read_text(encoding="utf-8"))
HERE: dict[str, str] = KNOWN["conversations"]
ELSEWHERE: dict[str, str] = KNOWN["elsewhere"]


async def notices(path: Path, request: pytest.FixtureRequest) -> bool:
    """Play a conversation; True when it goes otherwise."""
    try:
        await test_dialogs.test_the_conversation_goes_as_written(path, request)
    except Exception:  # noqa: BLE001 - whatever it is, the loss was noticed
        return True
    return False


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("guard", [one for one in GUARDS if one.name not in ELSEWHERE], ids=lambda one: one.name)
async def test_a_conversation_notices_when_the_guard_is_gone(
    guard: Guard, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [FOLDER / HERE[guard.name]] if guard.name in HERE else []
    for path in [*first, *(one for one in FILES if one not in first)]:
        with taken_out(guard), monkeypatch.context() as hurried:
            hurried.setattr(dialogs, "WAIT", 0.4)
            is_missed = await notices(path, request)
        if is_missed and not await notices(path, request):
            print(f"'{guard.name}' notices {path.relative_to(FOLDER)}")
            return
    pytest.fail(f"no conversation notices that this is gone: {guard.module}.py:{guard.line} {guard.condition}")


@pytest.mark.slow
@pytest.mark.parametrize("guard", [one for one in GUARDS if one.name in ELSEWHERE], ids=lambda one: one.name)
def test_a_test_elsewhere_notices_when_the_guard_is_gone(guard: Guard) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.support.without_guard",
    ]
    environment = {**os.environ, "MAILHAUL_WITHOUT_GUARD": guard.name}
    done = subprocess.run(
        [*command, ELSEWHERE[guard.name]],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, f"{ELSEWHERE[guard.name]} does not notice that this is gone:\n{done.stdout[-2000:]}"


def test_only_guards_that_are_there_are_listed() -> None:
    assert (HERE.keys() | ELSEWHERE.keys()) - {one.name for one in GUARDS} == set()
    assert HERE.keys().isdisjoint(ELSEWHERE.keys())
    assert all((FOLDER / path).exists() for path in HERE.values())


def test_the_guards_are_found() -> None:
    assert len(GUARDS) >= 80
