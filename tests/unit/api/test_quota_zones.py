"""Time zones and dates of quotas: what only the operator can know is refused by it, before any relay counts by it."""

from typing import Any

import pytest
from pydantic import ValidationError

from mailhaul_contract.quotas import Quota
from mailhaul_operator.api.provider_quotas import ProviderQuota


def _quota(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON
    return {"period": "Day", "limit": 10, **fields}


@pytest.mark.parametrize("zone", ["Europe/Berln", "Europe", "posixrules/", "../UTC", "UTC+25", "", "Europe/Berlin "])
def test_a_zone_that_does_not_exist_is_refused_by_operator_and_relay(zone: str) -> None:
    with pytest.raises(ValidationError):
        ProviderQuota.from_json(_quota(timeZone=zone))
    with pytest.raises(ValidationError):
        Quota.from_json(_quota(timeZone=zone))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/Argentina/Buenos_Aires", "Etc/GMT+12"])
def test_a_zone_that_exists_is_taken_by_both(zone: str) -> None:
    assert ProviderQuota.from_json(_quota(timeZone=zone)).time_zone == zone
    assert Quota.from_json(_quota(timeZone=zone)).time_zone == zone


@pytest.mark.parametrize("day", ["2027-02-29", "2027-2-9", "20270131", "2027-W05-7", "tomorrow"])
def test_a_day_that_does_not_exist_is_refused_by_both(day: str) -> None:
    with pytest.raises(ValidationError):
        ProviderQuota.from_json(_quota(validUntil=day))
    with pytest.raises(ValidationError):
        Quota.from_json(_quota(validUntil=day))
