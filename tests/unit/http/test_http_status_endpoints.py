"""Health is measured, readiness told with its reason; what is open stays open and what is closed stays closed."""

import asyncio

import pytest
from tests.support.http_exchange import ask, bearer, serving
from tests.support.readings import readings

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.health import DEADLINE, FRESH, Health
from mailhaul_relay.http.messages import Request
from mailhaul_relay.http.routes import Route
from mailhaul_relay.http.status_routes import status_routes
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.telemetry.tally import Tally

ASK = Request("GET", "/healthz")


class Writer:
    """A spool's writer as a test wants it."""

    def __init__(self) -> None:
        self.commits = 0
        self.error: SpoolError | None = None
        self.stuck = False

    async def check(self) -> None:
        self.commits += 1
        if self.stuck:
            await asyncio.Event().wait()
        if self.error:
            raise self.error


async def test_health_is_ok_when_the_writer_commits() -> None:
    writer = Writer()
    assert (await Health(writer.check, lambda: "").healthz(ASK)).status == 200
    assert writer.commits == 1


@pytest.mark.looptime
async def test_a_writer_that_hangs_is_unhealthy_after_the_deadline() -> None:
    writer = Writer()
    writer.stuck = True
    started = asyncio.get_running_loop().time()
    response = await Health(writer.check, lambda: "").healthz(ASK)
    assert response.status == 503
    assert b"did not commit" in response.body
    assert asyncio.get_running_loop().time() - started == pytest.approx(DEADLINE, abs=0.1)


@pytest.mark.looptime
async def test_many_probes_at_once_cost_one_commit_and_later_ones_measure_anew() -> None:
    writer = Writer()
    health = Health(writer.check, lambda: "")
    await asyncio.gather(*(health.healthz(ASK) for _ in range(50)))
    assert writer.commits == 1
    await asyncio.sleep(FRESH + 0.1)
    await health.healthz(ASK)
    assert writer.commits == 2


@pytest.mark.looptime
async def test_health_recovers_by_itself() -> None:
    writer = Writer()
    writer.error = SpoolError("canary /var/spool/x", full=True)
    health = Health(writer.check, lambda: "")
    refused = await health.healthz(ASK)
    assert refused.status == 503
    assert b"full" in refused.body
    assert b"canary" not in refused.body
    writer.error = None
    await asyncio.sleep(FRESH + 0.1)
    assert (await health.healthz(ASK)).status == 200


async def test_readiness_tells_why_not() -> None:
    reason = "no configuration was accepted yet"
    assert (await Health(Writer().check, lambda: "").readyz(ASK)).status == 200
    refused = await Health(Writer().check, lambda: reason).readyz(ASK)
    assert (refused.status, refused.body) == (503, b"not ready: no configuration was accepted yet\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_probes_and_scrapers_need_no_token(path: str) -> None:
    async with serving(_routes("a token")) as server:
        assert (await ask(server.port, "GET", path)).status == 200
        assert (await ask(server.port, "HEAD", path)).status == 200


async def test_metrics_have_the_content_type_of_their_format() -> None:
    async with serving(_routes("")) as server:
        answer = await ask(server.port, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_the_report_needs_the_token_when_there_is_one() -> None:
    async with serving(_routes("s3cret-t0ken")) as server:
        refused = await ask(server.port, "GET", "/v1/report")
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "bearer")
        assert (await ask(server.port, "GET", "/v1/report", headers=bearer("wrong"))).status == 401
        assert (await ask(server.port, "GET", "/v1/report", headers=bearer("s3cret-t0ken"))).status == 200


async def test_the_report_is_open_without_a_token_configured() -> None:
    async with serving(_routes("")) as server:
        report = (await ask(server.port, "GET", "/v1/report")).json()
    assert report["kind"] == "RelayReport"
    assert report["contractVersions"] == [1]


def _routes(token: str) -> tuple[Route, ...]:
    return status_routes(readings, Health(Writer().check, lambda: ""), Guard(lambda: token, Tally()))
