"""Names are looked up in threads of their own: what one look-up meets is nothing to the next."""

import socket
import threading

import pytest

from mailhaul_relay.ports.loop import Loop


def _refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_name_that_could_not_be_asked_for_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    try:
        with monkeypatch.context() as exhausted:
            exhausted.setattr(threading.Thread, "start", _refuse)
            with pytest.raises(socket.gaierror, match="can't start new thread"):
                loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 25, type=socket.SOCK_STREAM))
        found = loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 25, type=socket.SOCK_STREAM))
        assert [one[4] for one in found] == [("127.0.0.1", 25)]
    finally:
        loop.close()
