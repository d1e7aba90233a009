"""Opens and closes the listeners as the configuration asks, while the relay runs.

`relay` calls it with each new configuration. A listener that stays the same keeps its port and sessions; only its
certificate is replaced. Failures: reasons that name the listener; the others are open all the same.
"""

import asyncio
from dataclasses import dataclass

from mailhaul_contract.listening import Listener as ListenerSpec
from mailhaul_contract.report import ListenerReport
from mailhaul_relay.policy.running import Running
from mailhaul_relay.smtpin.listener import Listener, probe
from mailhaul_relay.smtpin.reception import Services
from mailhaul_relay.smtpin.tls import CertificateError, server_context

SESSION_GRACE = 10.0
"""Seconds that sessions of a removed listener get to finish their message."""


@dataclass(frozen=True, slots=True)
class _Opened:
    spec: ListenerSpec
    listener: Listener


class Listeners:
    """The open listeners, by name."""

    def __init__(self, host: str, services: Services) -> None:
        self._host, self._services = host, services
        self._opened: dict[str, _Opened] = {}
        self._draining = False
        self._ending: set[asyncio.Task[None]] = set()

    def reports(self) -> tuple[ListenerReport, ...]:
        """What accepts mail now."""
        return tuple(
            ListenerReport(name=name, host=self._host, port=one.listener.port) for name, one in self._opened.items()
        )

    @property
    def first(self) -> Listener | None:
        """The first open listener of the configuration, which a send-test uses; None while there is none."""
        return next((one.listener for one in self._opened.values()), None)

    def refusals(self, running: Running) -> tuple[str, ...]:
        """Reasons why a configuration's certificates or ports cannot be used; asked before anything is changed.

        While nothing is open yet there is no last good configuration, and what can be opened is better than nothing.
        """
        reasons = []
        for name, certificate in running.secrets.certificates.items():
            try:
                server_context(certificate)
            except CertificateError as error:
                reasons.append(f"listeners[{name}].tls: {error}")
        ours = {one.listener.port for one in self._opened.values()}
        new = [spec for spec in running.config.listeners if self._opened and spec.port not in ours]
        return (*reasons, *filter(None, map(self._unbindable, new)))

    def _unbindable(self, spec: ListenerSpec) -> str:
        try:
            probe(self._host, spec.port)
        except OSError as error:
            return _not_bound(spec, error)
        return ""

    async def apply(self, running: Running) -> tuple[str, ...]:
        """Follow a configuration; the reasons of those listeners that could not be opened."""
        wanted = {spec.name: spec for spec in running.config.listeners}
        for name in [name for name, one in self._opened.items() if wanted.get(name) != one.spec]:
            self._end(self._opened.pop(name).listener)
        await asyncio.sleep(0)  # `stop` closes its sockets in its first step, so that a successor may bind the port
        reasons = []
        for name, spec in wanted.items():
            if name in self._opened:
                self._opened[name].listener.replace_certificate(running.secrets.certificates.get(name))
            elif reason := await self._open(spec):
                reasons.append(reason)
        self._opened = {name: self._opened[name] for name in wanted if name in self._opened}
        return tuple(reasons)

    def drain(self, *, draining: bool) -> None:
        """Refuse new mail at every listener, those that are opened later too; False takes it again."""
        self._draining = draining
        for one in self._opened.values():
            one.listener.drain(draining=draining)

    async def stop(self, grace: float) -> None:
        """Accept no more; sessions get `grace` seconds to finish their message."""
        opened, self._opened = self._opened, {}
        await asyncio.gather(*(one.listener.stop(grace) for one in opened.values()))
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        self._services.logins.close()

    async def _open(self, spec: ListenerSpec) -> str:
        try:
            listener = await Listener.open(spec, self._host, self._services)
        except OSError as error:
            return _not_bound(spec, error)
        listener.drain(draining=self._draining)
        self._opened[spec.name] = _Opened(spec, listener)
        return ""

    def _end(self, listener: Listener) -> None:
        task = asyncio.create_task(listener.stop(SESSION_GRACE))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def _not_bound(spec: ListenerSpec, error: OSError) -> str:
    return f"listeners[{spec.name}].port: {spec.port} cannot be bound ({error.strerror}); choose a free port"
