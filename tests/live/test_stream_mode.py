"""Stream mode: a window of tasks is kept filled, never more than it, and who finds nothing open stands in line."""

import asyncio
from typing import Any

import pytest
from channels.db import database_sync_to_async

from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.streams import commands, wake
from marketplace.streams.routes import Fact, address_of_worker
from tests import factories as make
from tests.api_client import key_for
from tests.live.communicators import Socket
from tests.live.test_socket_commands import answer
from tests.live.test_streams_socket import opened, run
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.waiting import match
from workers.assignments.models import Assignment
from workers.assignments.waits import waits_of
from workers.live import supply
from workers.live.limits import WINDOW_MAX
from workers.profiles.models import Worker


async def streaming(key: str, batch: Batch, window: int) -> Socket:
    """A socket that joined and asked for a stream, which is being filled."""
    socket = await opened(key)
    await socket.join()
    await socket.send_json({"type": "stream", "batch": str(batch.public_id), "window": window})
    assert await socket.receive_json() == {"type": "stream", "batch": str(batch.public_id), "state": "filling"}
    return socket


async def tasks(socket: Socket) -> list[dict[str, Any]]:
    """The assignments of the next frame, which pushes some."""
    said = await socket.receive_json()
    assert said["type"] == "tasks", said
    return list(said["assignments"])


async def state(socket: Socket) -> str:
    said = await socket.receive_json()
    assert said["type"] == "stream", said
    return str(said["state"])


async def told(worker: Worker, kind: str, batch: Batch, *assignments: Any) -> None:
    """The fact, as the relay writes it."""
    body = {"batch": str(batch.public_id), "assignments": [str(one) for one in assignments]}
    fact = Fact(hash(assignments) % 10**9, address_of_worker(worker.pk), kind, body)
    heads = await database_sync_to_async(commands.append)([fact])
    await asyncio.to_thread(wake.announce, heads, {})


def test_the_window_is_filled_and_filled_again_after_each_answer(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=6, overlap=1)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        socket = await streaming(key, batch, 2)
        hand = await tasks(socket)
        assert len(hand) == 2
        assert await state(socket) == "full"
        seen = {lease["id"] for lease in hand}
        while len(seen) < 6:
            lease = hand.pop(0)
            await socket.send_json({"type": "submit", "id": "s", "key": lease["id"], "answers": [answer(lease)]})
            assert (await socket.receive_json())["status"] == 200
            fresh = await tasks(socket)
            assert len(fresh) == 1
            hand += fresh
            seen |= {one["id"] for one in fresh}
        assert await socket.receive_nothing(timeout=0.1)
        await socket.leave()

    run(story)
    assert Assignment.objects.filter(worker=worker, state="submitted").count() == 4
    assert Assignment.objects.filter(worker=worker, state="leased").count() == 2


def test_never_more_than_the_window_is_pushed_whatever_he_claims_besides(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=9)
    make.take(worker, batch, 5)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        socket = await streaming(key, batch, 3)
        assert len(await tasks(socket)) == 3
        assert await state(socket) == "full"
        claim = {"type": "claim", "id": "c", "key": "c", "batch": str(batch.public_id), "count": 7}
        await socket.send_json(claim)
        leases = (await socket.receive_json())["body"]["assignments"]
        await told(worker, "place_taken", batch, *(lease["id"] for lease in leases))
        assert (await socket.receive_json())["type"] == "fact"
        assert await socket.receive_nothing(timeout=0.3)
        await socket.leave()

    run(story)


def test_who_finds_nothing_waits_and_is_given_what_opens(db: None) -> None:
    worker, other, batch = make.make_worker(), make.make_worker(), make.make_batch(tasks=2, overlap=1)
    held = make.take(other, batch, 2)
    key = key_for(worker.user, "worker")

    def opens() -> None:
        with one_transaction(principal="test"):
            return_lease(worker_id=other.pk, assignment=held[0].id, token=held[0].token, reason="skip", comment="")
        with one_transaction(principal="test"):
            assert match(batch_id=batch.pk) == 1

    async def story() -> None:
        socket = await streaming(key, batch, 1)
        assert await state(socket) == "waiting"
        assert [wait.window for wait in await database_sync_to_async(waits_of)(worker.pk)] == [1]
        await database_sync_to_async(opens)()
        mine = await database_sync_to_async(Assignment.objects.get)(worker=worker)
        await told(worker, "place_taken", batch, mine.public_id)
        said = [await socket.receive_json() for _ in range(3)]
        # The round that looks after those in line may find the place before the fact of it comes.
        pushed, filled = (frame for frame in said if frame["type"] != "fact")
        assert [lease["id"] for lease in pushed["assignments"]] == [str(mine.public_id)]
        assert (filled["type"], filled["state"]) == ("stream", "full")
        await socket.leave()

    run(story)


def test_unstream_and_the_end_of_the_socket_leave_the_line_and_keep_what_he_holds(db: None) -> None:
    worker, batch, empty = make.make_worker(), make.make_batch(tasks=1, overlap=1), make.make_batch(tasks=1, overlap=1)
    make.take(make.make_worker(), empty, 1)
    key = key_for(worker.user, "worker")

    async def waits() -> int:
        return len(await database_sync_to_async(waits_of)(worker.pk))

    async def story() -> None:
        socket = await streaming(key, batch, 2)
        assert len(await tasks(socket)) == 1
        assert await state(socket) == "waiting"
        await socket.send_json({"type": "stream", "batch": str(empty.public_id), "window": 1})
        assert [await state(socket), await state(socket)] == ["filling", "waiting"]
        assert await waits() == 2
        await socket.send_json({"type": "unstream", "batch": str(batch.public_id)})
        assert await state(socket) == "ended"
        for _moment in range(100):
            if await waits() == 1:
                break
            await asyncio.sleep(0.02)
        assert await waits() == 1
        await socket.leave()
        for _moment in range(100):
            if await waits() == 0:
                break
            await asyncio.sleep(0.02)
        assert await waits() == 0

    run(story)
    assert Assignment.objects.filter(worker=worker, state="leased").count() == 1


def test_after_a_reconnect_the_stream_goes_on_with_the_same_leases(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=4)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        socket = await streaming(key, batch, 2)
        before = await tasks(socket)
        await socket.leave()
        again = await opened(key)
        snapshot = await again.join()
        assert [lease["id"] for lease in snapshot["leases"]] == [lease["id"] for lease in before]
        await again.send_json({"type": "stream", "batch": str(batch.public_id), "window": 2})
        assert await state(again) == "filling"
        assert {lease["id"] for lease in await tasks(again)} == {lease["id"] for lease in before}
        await again.leave()

    run(story)


def test_a_lease_that_was_returned_elsewhere_makes_room(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=4)
    key = key_for(worker.user, "worker")

    def give_back(lease: dict[str, Any]) -> None:
        with one_transaction(principal="test"):
            return_lease(worker_id=worker.pk, assignment=lease["id"], token=lease["token"], reason="skip", comment="")

    async def story() -> None:
        socket = await streaming(key, batch, 1)
        (lease,) = await tasks(socket)
        assert await state(socket) == "full"
        await database_sync_to_async(give_back)(lease)
        await told(worker, "lease_returned", batch, lease["id"])
        assert (await socket.receive_json())["type"] == "fact"
        (other,) = await tasks(socket)
        assert other["id"] != lease["id"]
        await socket.leave()

    run(story)


def test_a_batch_that_cannot_be_ends_the_stream_with_the_reason(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        socket = await opened(key)
        for shown, frames in (("nonsense", 1), ("00000000-0000-4000-8000-000000000000", 2)):
            await socket.send_json({"type": "stream", "batch": shown, "window": 1})
            said = [await socket.receive_json() for _ in range(frames)][-1]
            assert (said["batch"], said["state"], said["problem"]["status"]) == (shown, "ended", 404)
        await socket.leave()

    run(story)


@pytest.mark.parametrize("window", [0, WINDOW_MAX + 1, 1.0, True, "2", None])
def test_a_window_is_a_small_whole_number(db: None, window: Any) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        socket = await opened(key)
        await socket.send_json({"type": "stream", "batch": "b", "window": window})
        assert (await socket.refused_with())[0] == 4400

    run(story)


def test_the_wait_lasts_as_long_as_the_socket(db: None, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    monkeypatch.setattr(supply, "STAY_EVERY_S", 0.0)
    worker, batch = make.make_worker(), make.make_batch(tasks=1, overlap=1)
    make.take(make.make_worker(), batch, 1)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        socket = await streaming(key, batch, 1)
        assert await state(socket) == "waiting"
        for _round in range(2):
            await database_sync_to_async(clock)(timedelta(seconds=20))
            # Another round of the listener prolongs it.
            await asyncio.sleep(1.5)
        assert len(await database_sync_to_async(waits_of)(worker.pk)) == 1
        await socket.leave()

    run(story)
