"""The routes that say how the relay is: `/healthz`, `/readyz`, `/metrics`, `/v1/report`. They change nothing."""

from collections.abc import Callable

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.exposition import CONTENT_TYPE, exposition
from mailhaul_relay.http.health import Health
from mailhaul_relay.http.messages import Request, Response, to_json
from mailhaul_relay.http.readings import Readings
from mailhaul_relay.http.report import build_report
from mailhaul_relay.http.routes import Route


def status_routes(readings: Callable[[], Readings], health: Health, guard: Guard) -> tuple[Route, ...]:
    """Give the routes. Only the report asks for the token, and only when there is one."""
    render = exposition(readings)

    async def metrics(_: Request) -> Response:
        return Response(200, render(), CONTENT_TYPE)

    async def report(_: Request) -> Response:
        # Defaults are written out too: a reader of another version may have other defaults (contractVersions).
        return to_json(build_report(readings()).model_dump(mode="json", by_alias=True))

    return (
        Route("GET", "/healthz", health.healthz),
        Route("GET", "/readyz", health.readyz),
        Route("GET", "/metrics", metrics),
        Route("GET", "/v1/report", guard.when_configured(report)),
    )
