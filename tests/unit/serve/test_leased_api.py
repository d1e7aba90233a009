"""Without the lease nothing is written, by whichever method; reads go on."""

import inspect
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.cluster_objects import made

from mailhaul_operator.effects.api import Api
from mailhaul_operator.serve.leased_api import LeasedApi
from mailhaul_operator.wire.kinds import KINDS
from mailhaul_operator.wire.refused import Refused

SERVICE = made("Service", "one", "one")
KEY = ("smtp", "one")
CALLS: Mapping[str, tuple[Any, ...]] = {
    "get": (KINDS["Service"], *KEY),
    "list_all": (KINDS["Service"],),
    "serves": (KINDS["Service"],),
    "apply": (SERVICE,),
    "apply_absent": (SERVICE,),
    "create": (SERVICE,),
    "delete": (SERVICE,),
    "patch": (KINDS["Service"], KEY, {}),
    "patch_steps": (KINDS["Service"], KEY, []),
}
READS = {"get", "list_all", "serves"}


class Answer:
    async def read(self) -> bytes:
        return b"{}"


class Dynamic:
    """Counts what would go to the API server."""

    def __init__(self) -> None:
        self.asked = 0

    async def request(self, *_: object, **__: object) -> Answer:
        self.asked += 1
        return Answer()


def test_every_request_of_the_api_is_tried_here() -> None:
    methods = {name for name, one in inspect.getmembers(Api, inspect.iscoroutinefunction) if not name.startswith("_")}
    assert methods - {"open", "close"} == set(CALLS)


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("leads", [True, False])
async def test_only_reads_leave_without_the_lease(method: str, leads: bool) -> None:
    dynamic = Dynamic()
    api = LeasedApi(None, dynamic)  # type: ignore[arg-type]
    api.may_write = lambda: leads
    answer = await getattr(api, method)(*CALLS[method])
    assert dynamic.asked == int(leads or method in READS)
    assert isinstance(answer, Refused) == (not dynamic.asked)


async def test_before_it_is_told_who_leads_it_writes_nothing() -> None:
    dynamic = Dynamic()
    await LeasedApi(None, dynamic).apply(SERVICE)  # type: ignore[arg-type]
    assert dynamic.asked == 0
