"""How old a Secret may be, what stands while the server fails, and that nothing of it is shown."""

import pytest
from tests.support.cluster_objects import NAMESPACE, FakeServer, secret

from mailhaul_operator.api.inputs import Secret
from mailhaul_operator.observe.references import Reference
from mailhaul_operator.observe.secrets import FORGOTTEN, FRESH, KEPT, SecretReader
from mailhaul_operator.wire.refused import Refusal, Refused

ACCOUNT = Reference("Secret", NAMESPACE, "account")
OLD, NEW = "b2xk", "bmV3"


class Clock:
    """Time that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> FakeServer:
    return FakeServer(secret("account", password=OLD))


async def password(reader: SecretReader, age: float = KEPT) -> bytes | None:
    found = await reader.read(ACCOUNT, age)
    assert isinstance(found, Secret)
    return found.value("password")


@pytest.mark.parametrize("age", [FRESH, KEPT])
async def test_an_answer_is_as_old_as_the_caller_lets_it_be(clock: Clock, server: FakeServer, age: float) -> None:
    reader = SecretReader(server, clock)
    assert await password(reader, age) == b"old"
    server.put(secret("account", 2, password=NEW))
    clock.now += age - 1
    assert await password(reader, age) == b"old"
    clock.now += 1
    assert await password(reader, age) == b"new"
    assert server.reads["Secret"] == 2


async def test_an_absent_secret_is_looked_for_soon_again(clock: Clock, server: FakeServer) -> None:
    reader = SecretReader(FakeServer(), clock)
    assert await reader.read(ACCOUNT) is None
    reader._reader = server
    assert await reader.read(ACCOUNT) is None
    clock.now += FRESH
    assert await password(reader) == b"old"


async def test_while_the_server_fails_the_last_answer_stands(clock: Clock, server: FakeServer) -> None:
    reader = SecretReader(server, clock)
    await password(reader)
    clock.now += KEPT
    server.failure = Refused(Refusal.UNAVAILABLE, "down")
    assert await password(reader) == b"old"
    other = Reference("Secret", NAMESPACE, "other")
    assert await reader.read(other) == server.failure


async def test_a_right_that_was_taken_away_is_told(clock: Clock, server: FakeServer) -> None:
    reader = SecretReader(server, clock)
    await password(reader)
    clock.now += KEPT
    server.failure = Refused(Refusal.FORBIDDEN, "no")
    assert await reader.read(ACCOUNT) == server.failure


async def test_a_watched_namespace_is_not_read_once_the_watch_has_brought_it(clock: Clock, server: FakeServer) -> None:
    reader = SecretReader(server, clock, {NAMESPACE})
    await password(reader)
    reader.synced = True
    assert reader.put(secret("account", 2, password=NEW)) == ACCOUNT
    clock.now += 10 * KEPT
    assert await password(reader, FRESH) == b"new"
    assert await reader.read(Reference("Secret", NAMESPACE, "absent")) is None
    assert server.reads["Secret"] == 1
    reader.remove(secret("account", 3))
    assert await reader.read(ACCOUNT) is None


async def test_only_a_change_of_content_is_an_edge(clock: Clock, server: FakeServer) -> None:
    reader = SecretReader(server, clock)
    await password(reader)
    assert reader.put(secret("account", 1, password=OLD)) is None
    assert reader.put(secret("account", 2, password=OLD)) is None
    assert reader.put(secret("account", 3, password=NEW)) == ACCOUNT


async def test_what_nobody_asks_for_is_forgotten(clock: Clock, server: FakeServer) -> None:
    reader = SecretReader(server, clock)
    await password(reader)
    clock.now += FORGOTTEN + 1
    reader.drop_unused()
    await password(reader)
    assert server.reads["Secret"] == 2


async def test_nothing_of_a_secret_is_shown(clock: Clock, server: FakeServer) -> None:
    reader = SecretReader(server, clock)
    await password(reader)
    shown = repr(reader) + repr(reader._answers)
    assert OLD not in shown
    assert "b'old'" not in shown


async def test_a_secret_that_was_made_anew_while_a_list_was_read_is_not_forgotten_with_the_one_before(
    clock: Clock,
) -> None:
    reader = SecretReader(FakeServer(), clock, {NAMESPACE})
    reader.synced = True
    reader.put(secret("account", password=OLD))
    (before,) = reader.heads("Secret")
    anew = secret("account", 3, password=NEW)
    anew["metadata"]["uid"] = "another"
    reader.put(anew)
    reader.remove(before)
    assert await password(reader) == b"new"
    reader.remove(anew)
    assert await reader.read(ACCOUNT) is None
