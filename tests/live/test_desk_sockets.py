"""The sockets of requesters and of staff: whose they are, what they show, and that they close when that ends."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from django.conf import settings

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.models import Member, Requester, User
from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.streams import commands, presence, queries, wake
from marketplace.streams.routes import MARKET, STAFF, Fact, address_of_requester, topic_of_batch
from tests import factories as make
from tests.api_client import key_for
from tests.conftest import owner_connection
from tests.live.communicators import Socket
from workers.live import presence as here
from workers.live.admin_socket import whole_market
from workers.live.listener import listener


def run(story: Callable[[], Awaitable[None]]) -> None:
    """Tell an async story in the test's own thread and transaction."""

    async def whole() -> None:
        async with asyncio.timeout(60):
            await story()

    async_to_sync(whole)()


def in_database(function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
    return database_sync_to_async(function)(*args)


async def opened(kind: str, key: str) -> Socket:
    socket = Socket(f"/ws/{kind}/", authorization=f"Bearer {key}")
    assert (await socket.connect())[0]
    assert (await socket.hello())["socket"] == kind
    return socket


async def happened(stream: str, *numbers: int) -> None:
    def append() -> dict[str, int]:
        return commands.append([Fact(n, stream, "batch_paused", {"n": n}) for n in numbers])

    await asyncio.to_thread(wake.announce, await in_database(append), {})


async def touched(topic: str) -> None:
    await asyncio.to_thread(wake.announce, {}, await in_database(commands.touch, [topic]))


async def subscribed(socket: Socket, topic: str) -> Any:
    await socket.send_json({"type": "subscribe", "id": "s", "topic": topic})
    return await socket.receive_json()


def member(requester: Requester, role: str = "viewer") -> User:
    user = make.make_user()
    Member.objects.create(requester=requester, user=user, role=role)
    return user


def staff() -> User:
    with one_transaction(principal="test"):
        return ensure_staff(email=make.make_user().email)


def test_a_requester_sees_his_organisations_and_the_facts_of_each_by_name(db: None) -> None:
    mine, also, theirs = make.make_requester(), make.make_requester(), make.make_requester()
    draft = make.make_draft(make.make_project(mine))
    make.make_draft(make.make_project(theirs))
    user = member(mine)
    Member.objects.create(requester=also, user=user, role="manager")
    key = key_for(user, "requester")
    ids = (str(mine.public_id), str(also.public_id))

    async def story() -> None:
        await happened(address_of_requester(mine.pk), 1, 2)
        socket = await opened("requester", key)
        snapshot = await socket.join()
        assert snapshot["type"] == "snapshot"
        assert snapshot["cursor"] == {"epoch": snapshot["cursor"]["epoch"], "seqs": {ids[0]: 2, ids[1]: 0}}
        assert [(of["id"], of["role"]) for of in snapshot["requesters"]] == [(ids[0], "viewer"), (ids[1], "manager")]
        assert [batch["id"] for batch in snapshot["batches"]] == [str(draft.public_id)]
        await happened(address_of_requester(theirs.pk), 3)
        await happened(address_of_requester(mine.pk), 4)
        first = await socket.receive_json()
        assert (first["type"], first["stream"], first["seq"], first["body"]) == ("fact", ids[0], 3, {"n": 4})
        await happened(address_of_requester(also.pk), 5)
        second = await socket.receive_json()
        assert (second["stream"], second["seq"], second["body"]) == (ids[1], 1, {"n": 5})
        assert await socket.receive_nothing(timeout=0.3)
        await socket.leave()

    run(story)


def test_a_requester_resumes_in_each_organisation_where_he_was(db: None) -> None:
    mine, also = make.make_requester(), make.make_requester()
    user = member(mine)
    Member.objects.create(requester=also, user=user, role="viewer")
    key = key_for(user, "requester")

    async def story() -> None:
        await happened(address_of_requester(mine.pk), 1, 2, 3)
        await happened(address_of_requester(also.pk), 4, 5)
        ids = (str(mine.public_id), str(also.public_id))
        cursor = {"epoch": str(await in_database(queries.epoch)), "seqs": {ids[0]: 1, ids[1]: 2}}
        socket = await opened("requester", key)
        assert await socket.join(cursor) == {"type": "resumed", "cursor": cursor}
        missed = [await socket.receive_json() for _ in range(2)]
        assert [(fact["stream"], fact["seq"]) for fact in missed] == [(ids[0], 2), (ids[0], 3)]
        caught_up = await socket.receive_json()
        assert (caught_up["type"], caught_up["cursor"]["seqs"]) == ("caught_up", {ids[0]: 3, ids[1]: 2})
        await socket.leave()
        # A cursor that says nothing of one of them is no place to go on from.
        again = await opened("requester", key)
        assert (await again.join({**cursor, "seqs": {ids[0]: 1}}))["type"] == "snapshot_required"
        assert (await again.receive_json())["cursor"]["seqs"] == {ids[0]: 3, ids[1]: 2}
        await again.leave()

    run(story)


def test_a_batch_is_shown_whole_and_then_as_it_changes(db: None) -> None:
    batch = make.make_batch(tasks=4)
    key = key_for(member(batch.requester), "requester")
    topic, worker = f"batch:{batch.public_id}", make.make_worker()

    async def story() -> None:
        socket = await opened("requester", key)
        shown = await subscribed(socket, topic)
        assert (shown["type"], shown["topic"], shown["version"]) == ("state", topic, 0)
        assert (shown["state"]["state"], shown["state"]["progress"]["leased"]) == ("published", 0)
        assert {"progress", "money", "answers_per_minute", "forecast_s"} <= set(shown["state"])
        assert "gold" not in shown["state"], "it is for reviewers"
        await in_database(make.take, worker, batch, 2)
        await touched(topic_of_batch(batch.pk))
        change = await socket.receive_json()
        assert (change["type"], change["topic"], change["from"], change["version"]) == ("change", topic, 0, 1)
        assert change["set"]["progress"]["leased"] == 2
        assert "money" not in change["set"]
        await socket.send_json({"type": "unsubscribe", "topic": topic})
        await socket.send_json({"type": "ping"})
        assert (await socket.receive_json())["type"] == "pong"
        await in_database(make.take, worker, batch, 3)
        await touched(topic_of_batch(batch.pk))
        assert await socket.receive_nothing(timeout=0.5)
        await socket.leave()

    run(story)


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("reviewer", 200)])
def test_how_gold_fares_is_shown_to_reviewers(db: None, role: str, status: int) -> None:
    batch = make.make_batch(tasks=4, gold=2)
    key = key_for(member(batch.requester, role), "requester")

    async def story() -> None:
        socket = await opened("requester", key)
        shown = await subscribed(socket, f"gold:{batch.public_id}")
        if status == 200:
            assert (shown["type"], shown["state"]["keys"]) == ("state", 2)
        else:
            assert (shown["type"], shown["status"]) == ("reply", status)
        await socket.leave()

    run(story)


@pytest.mark.parametrize("kind", ["foreign", "none", "malformed", "internal", "market", "board", "staff"])
def test_a_topic_that_is_not_his_is_refused_as_one_that_does_not_exist(db: None, kind: str) -> None:
    batch, foreign = make.make_batch(), make.make_batch()
    key = key_for(member(batch.requester, "owner"), "requester")
    topic = {
        "foreign": f"batch:{foreign.public_id}",
        "none": f"batch:{uuid4()}",
        "malformed": "batch:x",
        "internal": topic_of_batch(batch.pk),
    }.get(kind, kind)

    async def story() -> None:
        socket = await opened("requester", key)
        refused = await subscribed(socket, topic)
        assert (refused["type"], refused["status"], refused["id"]) == ("reply", 404, "s")
        assert refused["body"]["detail"] == "There is no such batch."
        await touched(topic_of_batch(foreign.pk))
        assert await socket.receive_nothing(timeout=0.5)
        assert (await subscribed(socket, f"batch:{batch.public_id}"))["type"] == "state"
        await socket.leave()

    run(story)


@pytest.mark.parametrize("change", ["role", "added"])
def test_a_membership_that_changes_closes_the_socket_and_lets_him_come_again(db: None, change: str) -> None:
    batch, other = make.make_batch(), make.make_requester()
    user = member(batch.requester, "manager")
    key, bystander = key_for(user, "requester"), key_for(member(batch.requester), "requester")

    def changed() -> None:
        if change == "role":
            Member.objects.filter(user=user).update(role="viewer")
        else:
            Member.objects.create(requester=other, user=user, role="viewer")

    async def story() -> None:
        socket, stays = await opened("requester", key), await opened("requester", bystander)
        assert (await subscribed(socket, f"batch:{batch.public_id}"))["type"] == "state"
        await in_database(changed)
        await listener().watch.look()
        assert await socket.closed_with() == 4401
        assert await stays.receive_nothing(timeout=0.2)
        again = await opened("requester", key)
        organisations = (await again.join())["requesters"]
        assert len(organisations) == (2 if change == "added" else 1)
        assert organisations[0]["role"] == ("viewer" if change == "role" else "manager")
        await again.leave()
        await stays.leave()

    run(story)


def test_who_is_no_member_any_more_loses_the_socket_by_itself_and_the_topic_with_it(
    as_owner: psycopg.Connection[Any],
) -> None:
    batch = make.make_batch()
    user, topic = member(batch.requester), f"batch:{batch.public_id}"
    key = key_for(user, "requester")

    async def story() -> None:
        socket = await opened("requester", key)
        assert (await subscribed(socket, topic))["type"] == "state"
        # The application cannot take anybody out, so the owner of the tables does.
        await asyncio.to_thread(as_owner.execute, "DELETE FROM accounts_member WHERE user_id = %s", [user.pk])
        loop = asyncio.get_running_loop()
        begun = loop.time()
        answer = await socket.receive_output(timeout=20)
        assert (answer["type"], answer["code"]) == ("websocket.close", 4401)
        # He is looked at every 4 s; the rest is room for a busy machine.
        assert loop.time() - begun < 15
        await socket.leave()
        again = await opened("requester", key)
        refused = await subscribed(again, topic)
        assert (refused["type"], refused["status"]) == ("reply", 404)
        await again.leave()

    run(story)


def test_keys_of_other_scopes_open_neither_socket(db: None) -> None:
    requester = make.make_requester()
    owner, one_of_staff, worker = make.owner_of(requester), staff(), make.make_worker()
    refused = {
        "requester": [key_for(worker.user, "worker"), key_for(one_of_staff, "staff")],
        "admin": [key_for(worker.user, "worker"), key_for(owner, "requester"), key_for(one_of_staff, "requester")],
    }
    key_for_owner, key_for_staff = key_for(owner, "requester"), key_for(one_of_staff, "staff")

    async def story() -> None:
        for kind, keys in refused.items():
            for key in keys:
                socket = Socket(f"/ws/{kind}/", authorization=f"Bearer {key}")
                assert await socket.connect() == (False, 4403), kind
        for kind, key in (("requester", key_for_owner), ("admin", key_for_staff)):
            await (await opened(kind, key)).leave()

    run(story)


def test_staff_see_the_market_and_their_stream(db: None) -> None:
    batch = make.make_batch(tasks=3)
    key, worker = key_for(staff(), "staff"), make.make_worker()

    async def story() -> None:
        socket = await opened("admin", key)
        snapshot = await socket.join()
        assert (snapshot["type"], snapshot["cursor"]["seq"]) == ("snapshot", 0)
        market = snapshot["market"]
        assert market["leases"] == 0
        assert market["batches"]["published"] == 1
        assert {"workers_online", "requesters_online", "admins_online", "relay", "alerts"} <= set(market)
        shown = await subscribed(socket, MARKET)
        assert (shown["type"], set(shown["state"])) == ("state", set(market))
        await happened(STAFF, 1)
        assert (await socket.receive_json())["body"] == {"n": 1}
        await in_database(make.take, worker, batch, 2)
        await touched(MARKET)
        while "leases" not in (change := (await socket.receive_json())["set"]):
            pass
        assert change["leases"] == 2
        refused = await subscribed(socket, f"batch:{batch.public_id}")
        assert (refused["type"], refused["status"]) == ("reply", 404)
        await socket.leave()

    run(story)


def test_who_is_no_longer_staff_loses_the_socket(as_owner: psycopg.Connection[Any]) -> None:
    user = staff()
    key = key_for(user, "staff")

    async def story() -> None:
        socket = await opened("admin", key)
        await asyncio.to_thread(as_owner.execute, "UPDATE accounts_user SET is_staff = false WHERE id = %s", [user.pk])
        await listener().watch.look()
        assert await socket.closed_with() == 4401
        assert await Socket("/ws/admin/", authorization=f"Bearer {key}").connect() == (False, 4403)

    run(story)


def test_what_is_late_is_seen_without_anything_having_happened(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(topics_again(), MARKET, 0.5)
    make.make_batch(tasks=3)
    key = key_for(staff(), "staff")

    async def story() -> None:
        socket = await opened("admin", key)
        assert "events_skipped" not in (await subscribed(socket, MARKET))["state"]["alerts"]
        await in_database(skip_an_event)
        # No version has changed, and nobody says look.
        while "alerts" not in (change := (await socket.receive_json())["set"]):
            pass
        assert "events_skipped" in change["alerts"]
        assert change["relay"]["skipped"] == 1
        await socket.leave()

    run(story)


def test_whose_sockets_are_open_counts_as_online_and_is_said_within_a_second(db: None) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(*map(presence._name, presence.KINDS))
    worker, requester = make.make_worker(), make.make_requester()
    keys = {"worker": key_for(worker.user, "worker"), "requester": key_for(make.owner_of(requester), "requester")}

    async def story() -> None:
        sockets = [await opened(kind, keys[kind]) for kind in ("worker", "worker", "requester")]
        while await asyncio.to_thread(presence.online, "requester") != 1:
            await asyncio.sleep(0.05)
        assert await asyncio.to_thread(presence.online, "worker") == 1
        assert await asyncio.to_thread(presence.online, "admin") == 0
        assert {kind: dict(users) for kind, users in listener().presence._here.items()} == {
            "worker": {worker.user_id: 2},
            "requester": {make_owner: 1},
        }
        for socket in sockets:
            await socket.leave()
        assert not any(listener().presence._here.values())

    make_owner = make.owner_of(requester).pk
    run(story)
    client.delete(*map(presence._name, presence.KINDS))


def test_who_stays_is_said_again_and_who_has_gone_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, set[int]]] = []
    monkeypatch.setattr(here, "present", lambda kind, users: said.append((kind, set(users))))
    monkeypatch.setattr(here, "EVERY_S", 0.0)

    async def story() -> None:
        counted = here.Presence()
        for user in (1, 1, 2, 3):
            counted.enter("worker", user)
        counted.leave("worker", 1)
        counted.leave("worker", 3)
        await counted.round()
        assert counted._saying is not None
        await counted._saying
        counted.leave("worker", 1)
        await counted.round()
        await counted._saying

    run(story)
    assert said == [("worker", {1, 2}), ("worker", {2})]


def topics_again() -> dict[str, float]:
    from workers.live import topics

    return topics._again_s


def skip_an_event() -> None:
    from marketplace.streams.models import Skipped

    Skipped.objects.create(event_id=1, kind="Odd", error="odd", at="2026-01-01T00:00:00Z")


def test_a_batch_that_is_looked_at_by_many_is_read_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.live import requester_socket

    batch = make.make_batch(tasks=3)
    keys = [key_for(member(batch.requester), "requester") for _ in range(5)]
    reads: list[int] = []
    original, role = requester_socket.KINDS["batch"]
    counting = (lambda pk: (reads.append(pk), original(pk))[1], role)
    monkeypatch.setitem(requester_socket.KINDS, "batch", counting)
    topic = f"batch:{batch.public_id}"

    async def story() -> None:
        sockets = [await opened("requester", key) for key in keys]
        for socket in sockets:
            await subscribed(socket, topic)
        reads.clear()
        await in_database(make.take, make_worker, batch, 1)
        await touched(topic_of_batch(batch.pk))
        changes = [await socket.receive_json() for socket in sockets]
        assert len({str(change) for change in changes}) == 1
        assert reads == [batch.pk]
        for socket in sockets:
            await socket.leave()

    make_worker = make.make_worker()
    run(story)


def test_states_of_several_batches_are_read_together(db: None) -> None:
    from workers.live.requester_socket import states_of_batches

    batches: list[Batch] = [make.make_batch(), make.make_batch()]
    names = [topic_of_batch(batch.pk) for batch in batches]

    assert set(states_of_batches(names)) == set(names)


def test_staff_are_alerted_of_a_transaction_that_holds_events_back(
    committed: str, clock: Callable[[timedelta], None]
) -> None:
    with owner_connection(committed) as slow, slow.transaction():
        slow.execute("SELECT pg_current_xact_id()")
        make.make_batch()
        assert "events_held" not in whole_market()["alerts"]
        clock(timedelta(seconds=10))
        seen = whole_market()
    assert "events_held" in seen["alerts"] and seen["relay"]["held_s"] >= 10
