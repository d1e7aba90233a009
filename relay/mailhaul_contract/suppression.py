"""When a recipient that failed permanently is refused at once; part of `RelayConfig`, absent while it is off."""

from typing import Annotated

from pydantic import Field

from mailhaul_contract.base import Frozen


class Suppression(Frozen):
    """So many permanent failures `within` a time (seconds) refuse a recipient for as long as it `lasts` (seconds)."""

    failures: Annotated[int, Field(ge=1, le=100)] = 3
    within: Annotated[int, Field(ge=60, le=31_536_000)] = 604_800
    lasts: Annotated[int, Field(ge=60, le=31_536_000)] = 2_592_000
