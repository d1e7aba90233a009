"""Routes of a real relay between scripted upstreams: whose mail goes where, what is refused, deferred, held, moved."""

import re
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.http_exchange import ask
from tests.support.mounts import Mounts
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.policy.upstream_order import UpstreamOrder

pytestmark = pytest.mark.integration

BILLING = {"name": "billing", "match": {"senderDomains": ["pay.example"]}, "upstreams": ["backup"]}
FULL = {"steps": {"mail": "451 4.7.0 Daily sending quota exceeded"}}


def upstream(name: str, port: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"name": name, "provider": name, "host": "127.0.0.1", "port": port, "tls": {"mode": "None"}} | changes


def mail(sender: str = "app@example.com", **fields: str) -> str:
    head = "".join(f"{name}: {value}\n" for name, value in {"From": sender, "Subject": "one", **fields}.items())
    return f"{head}\ntext\n"


@asynccontextmanager
async def two() -> AsyncIterator[tuple[ScriptedServer, ScriptedServer]]:
    async with ScriptedServer() as primary, ScriptedServer() as backup:
        yield primary, backup


def document(
    primary: ScriptedServer,
    backup: ScriptedServer,
    port: int,
    *routes: dict[str, Any],
    **changes: Any,  # noqa: ANN401
) -> dict[str, Any]:
    upstreams = [upstream("primary", primary.port), upstream("backup", backup.port, priority=10)]
    return relay_document(upstreams, port, routes=list(routes), **changes)


def subjects(server: ScriptedServer) -> list[str]:
    return sorted(re.findall(rb"Subject: (.*?)\r\n", one.data)[0].decode() for one in server.accepted)


async def refusal(relay: RelayProcess, content: str, sender: str = "app@example.com") -> tuple[int, str]:
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await relay.submit(content, sender)
    said = refused.value.smtp_error
    return refused.value.smtp_code, said if isinstance(said, str) else said.decode()


async def test_each_mail_and_each_recipient_takes_its_own_route(tmp_path: Path, free_port: int) -> None:
    routes = [
        {"name": "inside", "match": {"recipientDomains": ["*.in.example"]}, "upstreams": ["primary"]},
        BILLING,
        {"name": "invoices", "match": {"header": {"name": "X-Class", "value": "invoice-*"}}, "upstreams": ["backup"]},
        {"name": "elsewhere", "match": {"clientNetworks": ["192.0.2.0/24"]}, "upstreams": []},
    ]
    async with two() as (primary, backup):
        async with running_relay(tmp_path, document(primary, backup, free_port, *routes)) as relay:
            await relay.submit(mail(Subject="plain"))
            await relay.submit(mail("a@pay.example", Subject="billing"), "a@pay.example")
            await relay.submit(mail(**{"X-Class": "Invoice-7"}, Subject="invoice"))
            await relay.submit(
                mail("a@pay.example", Subject="both"), "a@pay.example", ("x@a.in.example", "y@out.example")
            )
            await relay.until("/v1/report", lambda one: one.get("delivered") == 5)
            told = {one["route"] for one in relay.events("delivered") if one["upstream"] == "backup"}
            metrics = (await ask(relay.http, "GET", "/metrics")).body.decode()
        assert (subjects(primary), subjects(backup)) == (["both", "plain"], ["billing", "both", "invoice"])
        assert [one.recipients for one in primary.accepted if b"both" in one.data] == [("x@a.in.example",)]
        assert told == {"billing", "invoices"}
        assert 'mailhaul_route_recipients_total{outcome="delivered",route="billing"} 2.0' in metrics


async def test_a_from_that_the_route_may_not_send_is_550_before_the_250_and_held_after_a_change(
    tmp_path: Path, free_port: int
) -> None:
    mounts = Mounts(tmp_path)
    async with two() as (primary, backup):
        senders = {"domains": ["other.example"]}
        down = {"steps": {"mail": "451 4.3.0 later"}}
        primary.play(down)
        backup.play(down)
        free = document(primary, backup, free_port)
        strict = [upstream("primary", primary.port), upstream("backup", backup.port, priority=10, senders=senders)]
        async with running_relay(tmp_path, free) as relay:
            await relay.submit(mail("a@pay.example"), "a@pay.example")
            await relay.until("/v1/report", lambda one: one["queue"].get("deferred") == 1)
            mounts.config(free | {"upstreams": strict, "routes": [BILLING]})
            await relay.until("/v1/report", lambda one: one["queue"].get("held") == 1)
            shown = (await relay.get("/v1/queue")).body.decode()
            assert "route billing: backup may not send pay.example" in shown
            code, text = await refusal(relay, mail("a@pay.example"), "a@pay.example")
            assert (code, text[:6]) == (550, "5.7.1 ")
            assert "no upstream of route billing may send From domain pay.example" in text
            primary.play({})
            backup.play({})
            mounts.config(free | {"routes": [BILLING]})
            await relay.until("/v1/report", lambda one: one.get("delivered") == 1)
        assert (len(primary.accepted), len(backup.accepted)) == (0, 1)


async def test_a_route_whose_provider_is_full_defers_new_mail_and_holds_what_was_accepted(
    tmp_path: Path, free_port: int
) -> None:
    routes = [
        {**BILLING, "onHold": "Defer"},
        {"name": "kept", "match": {"senderDomains": ["kept.example"]}, "upstreams": ["backup"]},
    ]
    async with two() as (primary, backup):
        backup.play(FULL)
        async with running_relay(tmp_path, document(primary, backup, free_port, *routes)) as relay:
            await relay.submit(mail("a@pay.example"), "a@pay.example")
            await relay.until("/v1/report", lambda one: one["queue"].get("held") == 1)
            code, text = await refusal(relay, mail("a@pay.example"), "a@pay.example")
            assert (code, text) == (451, "4.3.2 route billing: backup: quota; come again later")
            await relay.submit(mail("a@kept.example"), "a@kept.example")
            await relay.until("/v1/report", lambda one: one["queue"].get("held") == 2)
            await relay.submit(mail())
            await relay.until("/v1/report", lambda one: one.get("delivered") == 1)
        assert (len(primary.accepted), len(backup.accepted)) == (1, 0)


async def test_weights_share_mail_by_its_id_alike_before_and_after_a_restart(tmp_path: Path, free_port: int) -> None:
    async with two() as (primary, backup):
        shares = [upstream("primary", primary.port, weight=3), upstream("backup", backup.port, weight=1)]
        config = relay_document(shares, free_port)
        later = {"steps": {"mail": "451 4.3.0 later"}}
        primary.play(later)
        backup.play(later)
        async with running_relay(tmp_path, config) as relay:
            for _ in range(40):
                await relay.submit(mail())
            await relay.until("/v1/report", lambda one: one["queue"].get("deferred") == 40)
        primary.play({})
        backup.play({})
        async with running_relay(tmp_path, config) as relay:
            for _ in range(40):
                await relay.submit(mail())
            await relay.post("/v1/queue/retry")
            await relay.until("/v1/report", lambda one: one.get("delivered") == 80)
        order = UpstreamOrder.build(Upstream.from_json(one) for one in shares)
        for server, name in ((primary, "primary"), (backup, "backup")):
            ids = [re.findall(rb" id ([0-9a-z]{16})", one.data)[0].decode() for one in server.accepted]
            assert {order.of(one)[0].name for one in ids} == {name}
        assert len(backup.accepted) < len(primary.accepted)
        assert len(backup.accepted) + len(primary.accepted) == 80
