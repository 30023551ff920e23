"""A worker's socket: only his key opens it, the snapshot comes after joining, and hints follow what happened."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from marketplace.accounts.models import ApiKey
from marketplace.common.outbox import Delivered, deliver
from tests import factories as make
from tests.api_client import key_for, signed_up
from tests.live.communicators import Socket
from workers.live import consumers, hints
from workers.live.watch import watch
from workers.profiles.models import Worker

Clock = Callable[[timedelta], None]
Story = Callable[[], Awaitable[None]]


def run(story: Story) -> None:
    """Tell an async story in the test's own thread and transaction, and leave Redis clean."""

    async def whole() -> None:
        try:
            async with asyncio.timeout(30):
                await story()
        finally:
            await get_channel_layer().flush()

    async_to_sync(whole)()


def socket(key: str) -> Socket:
    return Socket(authorization=f"Bearer {key}")


async def opened(key: str) -> tuple[Socket, dict[str, Any]]:
    connected = socket(key)
    assert (await connected.connect())[0]
    return connected, await connected.receive_json()


def look(worker_id: int, about: str = "LeaseReturned") -> None:
    deliver(Delivered(1, about, {"batch_id": 1, "worker_ids": [worker_id], "assignment_ids": [1]}))


def test_the_snapshot_is_all_that_the_worker_holds(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=3)
    make.take(make.make_worker(), batch, 1)
    (lease,) = make.take(worker, batch, 1)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        connected, snapshot = await opened(key)
        assert set(snapshot) == {"type", "worker", "leases"}
        assert (snapshot["type"], snapshot["worker"]) == ("snapshot", str(worker.public_id))
        assert [shown["id"] for shown in snapshot["leases"]] == [str(lease.id)]
        await connected.leave()

    run(story)


def test_the_key_may_come_in_the_first_message(db: None) -> None:
    worker = make.make_worker()
    key = key_for(worker.user, "worker")

    async def story() -> None:
        connected = Socket()
        assert (await connected.connect())[0]
        await connected.send_json({"type": "authenticate", "key": key})
        assert (await connected.receive_json())["worker"] == str(worker.public_id)
        await connected.leave()

    run(story)


def test_a_hint_reaches_the_worker_and_nobody_else(db: None) -> None:
    worker, other = make.make_worker(), make.make_worker()
    key, other_key = key_for(worker.user, "worker"), key_for(other.user, "worker")

    async def story() -> None:
        (connected, _), (elsewhere, _) = await opened(key), await opened(other_key)
        look(worker.pk)
        assert await connected.receive_json() == {"type": "look", "about": "LeaseReturned"}
        assert await elsewhere.receive_nothing(timeout=0.3)
        await connected.leave()
        await elsewhere.leave()

    run(story)


def test_every_socket_of_a_worker_gets_the_hint(db: None) -> None:
    worker = make.make_worker()
    key = key_for(worker.user, "worker")

    async def story() -> None:
        sockets = [(await opened(key))[0] for _ in range(3)]
        look(worker.pk, "LeaseExpired")
        for connected in sockets:
            assert (await connected.receive_json())["about"] == "LeaseExpired"
            await connected.leave()

    run(story)


def test_a_change_while_the_snapshot_is_made_is_not_lost(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = make.make_worker()
    key = key_for(worker.user, "worker")
    original = consumers.snapshot

    def slow(worker_id: int) -> dict[str, Any]:
        look(worker_id, "PlaceTaken")
        return original(worker_id)

    monkeypatch.setattr(consumers, "snapshot", slow)

    async def story() -> None:
        connected, snapshot = await opened(key)
        assert snapshot["type"] == "snapshot"
        assert await connected.receive_json() == {"type": "look", "about": "PlaceTaken"}
        await connected.leave()

    run(story)


def test_another_snapshot_may_be_asked_for_and_other_words_are_refused(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        connected, snapshot = await opened(key)
        await connected.send_json({"type": "snapshot"})
        assert await connected.receive_json() == snapshot
        await connected.send_json({"type": "grant_me_staff"})
        assert await connected.receive_json() == {"type": "refused", "code": "unknown-message"}
        await connected.leave()

    run(story)


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Basic YTpi", "Token x", "Bearer \xe9"])
def test_a_wrong_header_is_refused_before_the_socket_opens(db: None, header: str) -> None:
    async def story() -> None:
        accepted, code = await Socket(authorization=header).connect()
        assert (accepted, code) == (False, 4401)

    run(story)


@pytest.mark.parametrize("scopes", [["requester"], ["worker"]])
def test_only_a_workers_key_with_the_scope_opens_it(db: None, scopes: list[str]) -> None:
    # The first has a worker's account without the scope, the second the scope without a worker's account.
    user = make.make_worker().user if scopes == ["requester"] else signed_up()
    key = key_for(user, *scopes)

    async def story() -> None:
        accepted, code = await socket(key).connect()
        assert (accepted, code) == (False, 4403)

    run(story)


@pytest.mark.parametrize(
    "message",
    [{"type": "authenticate", "key": "nonsense"}, {"type": "authenticate"}, {"type": "snapshot"}, {"type": []}],
)
def test_a_wrong_first_message_closes_the_socket(db: None, message: dict[str, Any]) -> None:
    async def story() -> None:
        connected = Socket()
        await connected.connect()
        await connected.send_json(message)
        assert await connected.closed_with() == 4401

    run(story)


def test_a_session_cookie_opens_nothing(db: None, client: Any) -> None:
    worker = make.make_worker()
    client.force_login(worker.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    cookie = f"sessionid={client.cookies['sessionid'].value}"

    async def story() -> None:
        connected = Socket(cookie=cookie, origin="http://testserver")
        await connected.connect()
        await connected.send_json({"type": "snapshot"})
        assert await connected.closed_with() == 4401

    run(story)


def test_who_says_nothing_is_shown_out(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "AUTHENTICATE_WITHIN_S", 0.2)

    async def story() -> None:
        connected = Socket()
        await connected.connect()
        assert await connected.closed_with() == 4401

    run(story)


@pytest.mark.parametrize("text", ["not json", "7", "[]", "[" * 50_000, '{"no": "type"}'])
def test_nonsense_closes_the_socket(db: None, text: str) -> None:
    async def story() -> None:
        connected = Socket()
        await connected.connect()
        await connected.send(text)
        assert await connected.closed_with() == 1007

    run(story)


@pytest.mark.parametrize("kind", ["text", "bytes"])
def test_a_frame_over_64_kib_closes_the_socket(db: None, kind: str) -> None:
    key = key_for(make.make_worker().user, "worker")
    text = json.dumps({"type": "snapshot", "x": "é" * 40_000}, ensure_ascii=False)

    async def story() -> None:
        connected, _ = await opened(key)
        await connected.send(text if kind == "text" else text.encode())
        assert await connected.closed_with() == 1009

    run(story)


def test_a_revoked_or_expired_key_closes_its_sockets(db: None, clock: Clock) -> None:
    first, second, third = (make.make_worker() for _ in range(3))
    revoked, expired, kept = (
        key_for(first.user, "worker"),
        key_for(second.user, "worker", life=timedelta(minutes=1)),
        key_for(third.user, "worker"),
    )

    async def story() -> None:
        (one, _), (two, _), (three, _) = await opened(revoked), await opened(expired), await opened(kept)
        await database_sync_to_async(ApiKey.objects.filter(user=first.user).delete)()
        await database_sync_to_async(clock)(timedelta(minutes=2))
        await watch.look()
        assert await one.closed_with() == 4401
        assert await two.closed_with() == 4401
        assert await three.receive_nothing(timeout=0.2)
        await three.leave()

    run(story)


def test_without_redis_there_is_a_snapshot_and_hints_come_back_with_it(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = make.make_worker()
    key = key_for(worker.user, "worker")
    monkeypatch.setattr(consumers, "REJOIN_AFTER_S", 0.2)
    down = [True]
    original = type(get_channel_layer())._get_layer

    def maybe(self: Any) -> Any:
        if down[0]:
            raise ConnectionRefusedError("no server")
        return original(self)

    monkeypatch.setattr(type(get_channel_layer()), "_get_layer", maybe)

    async def story() -> None:
        connected, snapshot = await opened(key)
        assert snapshot["type"] == "snapshot"
        look(worker.pk)
        assert await connected.receive_nothing(timeout=0.3)
        down[0] = False
        assert (await connected.receive_json())["type"] == "snapshot"
        look(worker.pk)
        assert (await connected.receive_json())["type"] == "look"
        await connected.leave()

    run(story)


def test_a_hint_that_cannot_be_sent_troubles_nobody(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: Any) -> Any:
        raise ConnectionRefusedError("no server")

    monkeypatch.setattr(type(get_channel_layer()), "_get_layer", refuse)

    look(1)

    for _ in range(100):
        if caplog.records:
            break
        asyncio.run(asyncio.sleep(0.02))
    assert "hints for 1 workers were not sent" in caplog.text


def test_a_snapshot_that_fails_closes_the_socket(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_for(make.make_worker().user, "worker")

    def fail(worker_id: int) -> dict[str, Any]:
        raise Worker.DoesNotExist

    monkeypatch.setattr(consumers, "snapshot", fail)

    async def story() -> None:
        connected = socket(key)
        await connected.connect()
        assert await connected.closed_with() == 1011

    run(story)


def test_a_socket_that_leaves_leaves_nothing_behind(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        connected, _ = await opened(key)
        layer = get_channel_layer()
        assert (len(layer.channels), len(layer.groups)) == (1, 1)
        await connected.leave()
        assert (layer.channels, layer.groups, watch._sockets) == ({}, {}, {})

    run(story)


def test_an_unknown_address_is_refused(db: None) -> None:
    async def story() -> None:
        accepted, code = await Socket(path="/ws/other/").connect()
        assert (accepted, code) == (False, 4404)

    run(story)


def test_hints_are_named_by_worker() -> None:
    assert hints.group_of(7) == "worker.7"
