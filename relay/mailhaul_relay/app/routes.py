"""The relay's HTTP endpoints, put together: what each package offers, over the parts of one relay."""

from mailhaul_contract.upstream import UpstreamKind
from mailhaul_relay.app.options import Addresses
from mailhaul_relay.app.relay import Relay
from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.drain_route import drain_route
from mailhaul_relay.http.health import Health
from mailhaul_relay.http.inbox_routes import inbox_routes
from mailhaul_relay.http.message_routes import Follower, Tester, message_routes
from mailhaul_relay.http.probe_route import probe_route
from mailhaul_relay.http.queue_routes import queue_routes
from mailhaul_relay.http.reply_routes import reply_routes
from mailhaul_relay.http.routes import Route
from mailhaul_relay.http.status_routes import status_routes
from mailhaul_relay.http.suppression_routes import suppression_routes
from mailhaul_relay.policy.trial_mail import Sent, TrialMail, usual_sender
from mailhaul_relay.ports.clock import wall_clock
from mailhaul_relay.smtpin.send_test import send_test
from mailhaul_relay.smtpout.inbox import Inbox
from mailhaul_relay.telemetry.transcript import Transcript


def routes(relay: Relay, addresses: Addresses) -> tuple[Route, ...]:
    """Give every route of a relay."""
    guard = Guard(lambda: relay.running().secrets.api_token, relay.tally)
    return (
        *status_routes(relay.readings, Health(relay.spool.check, relay.not_accepting), guard),
        probe_route(relay.prober.ask, guard),
        *queue_routes(relay.commands, wall_clock, guard),
        *suppression_routes(relay.suppressor, guard),
        *reply_routes(relay.reply_book, guard),
        drain_route(lambda draining: relay.drain(draining=draining), guard),
        *message_routes(_tester(relay), _follower(relay), guard),
        *inbox_routes(lambda: _inbox(relay), guard, is_open=addresses.open_inbox),
    )


def _tester(relay: Relay) -> Tester:
    async def send(mail: TrialMail, transcript: Transcript) -> Sent:
        listener = relay.listeners.first
        assert listener is not None, "asked only while a listener is open"
        sent = await send_test(listener, relay.running(), mail, transcript, relay.recordings.mark)
        relay.log.event("send-test", id=sent.id or None, sender=mail.sender, accepted=sent.accepted)
        return sent

    return Tester(
        not_possible=lambda: "" if relay.listeners.first else relay.not_accepting(),
        usual_sender=lambda: usual_sender(relay.running()),
        send=send,
        transcript=lambda: Transcript(wall_clock),
    )


def _follower(relay: Relay) -> Follower:
    return Follower(relay.commands.show, relay.chronicle.story, relay.recordings.get)


def _inbox(relay: Relay) -> Inbox | None:
    captures = any(one.kind is UpstreamKind.CAPTURE for one in relay.running().candidates)
    return relay.inbox if captures else None
