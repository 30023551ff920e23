"""A worker's socket: only what is his opens it, and only from pages that may; then a snapshot."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async

from marketplace.accounts.models import ApiKey
from marketplace.streams.commands import touch
from tests import factories as make
from tests.api_client import key_for, signed_up
from tests.live.communicators import Socket
from tests.live.test_streams_socket import run
from workers.live import limits, sockets
from workers.live.consumers import WorkerConsumer
from workers.live.limits import places
from workers.live.listener import listener
from workers.profiles.models import Worker

Clock = Callable[[timedelta], None]
PAGE = "http://testserver"


def socket(key: str) -> Socket:
    return Socket(authorization=f"Bearer {key}")


async def opened(key: str) -> tuple[Socket, dict[str, Any]]:
    """A socket that has joined, and its snapshot."""
    connected = socket(key)
    assert (await connected.connect())[0]
    await connected.hello()
    return connected, await connected.join()


def test_the_snapshot_is_all_that_the_worker_holds(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=3)
    make.take(make.make_worker(), batch, 1)
    (lease,) = make.take(worker, batch, 1)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        connected, snapshot = await opened(key)
        assert set(snapshot) == {"type", "cursor", "worker", "leases", "earnings", "sanctions", "waiting"}
        assert (snapshot["type"], snapshot["worker"]) == ("snapshot", {"id": str(worker.public_id)})
        assert [shown["id"] for shown in snapshot["leases"]] == [str(lease.id)]
        await connected.leave()

    run(story)


def test_a_snapshot_of_gold_has_the_keys_of_any_other(db: None) -> None:
    worker, plain, gold = make.make_worker(), make.make_batch(tasks=2), make.make_batch(tasks=1, gold=4)
    make.take(worker, plain, 1)
    make.take(worker, gold, 2)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        connected, snapshot = await opened(key)
        assert len({tuple(lease) for lease in snapshot["leases"]}) == 1
        assert {type(lease["data"]) for lease in snapshot["leases"]} == {dict}
        await connected.leave()

    run(story)


def test_the_hello_says_what_the_server_takes(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        connected = socket(key)
        await connected.connect()
        said = await connected.hello()
        assert (said["protocol"], said["socket"], said["heartbeat_s"]) == (1, "worker", 20)
        assert said["limits"] == {"frame_bytes": 65_536, "frames_per_s": 20, "window_max": 20, "idle_s": 60}
        assert set(said) == {
            "type", "protocol", "socket", "capabilities", "limits", "heartbeat_s", "epoch", "now"
        }  # fmt: skip
        await connected.leave()

    run(story)


def test_the_key_may_come_in_the_first_message(db: None) -> None:
    worker = make.make_worker()
    key = key_for(worker.user, "worker")

    async def story() -> None:
        connected = Socket(origin=PAGE)
        assert (await connected.connect())[0]
        await connected.send_json({"type": "authenticate", "key": key})
        await connected.hello()
        assert (await connected.join())["worker"] == {"id": str(worker.public_id)}
        await connected.leave()

    run(story)


def test_what_is_sent_before_the_welcome_is_done_after_it(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        connected = Socket(origin=PAGE)
        await connected.connect()
        await connected.send_json({"type": "authenticate", "key": key})
        await connected.send_json({"type": "join"})
        assert [(await connected.receive_json())["type"] for _ in range(2)] == ["hello", "snapshot"]
        await connected.leave()

    run(story)


def test_another_snapshot_may_be_asked_for_and_other_words_close_the_socket(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        connected, snapshot = await opened(key)
        await connected.send_json({"type": "snapshot"})
        assert await connected.receive_json() == snapshot
        await connected.send_json({"type": "grant_me_staff"})
        assert (await connected.refused_with())[0] == 4400

    run(story)


@pytest.mark.parametrize(
    "frames",
    [
        [{"type": "snapshot"}],
        [{"type": "join"}, {"type": "join"}],
        [{"type": "join", "more": 1}],
        [{"type": "join", "cursor": {"epoch": "e"}}],
        [{"type": "join", "cursor": {"epoch": "e", "seq": -1}}],
        [{"type": "join", "cursor": {"epoch": "e", "seq": True}}],
        [{"type": "join", "cursor": {"epoch": "e", "seq": 2**63}}],
        [{"type": "authenticate", "key": "again"}],
        [{"type": "subscribe"}],
        [{"type": "ping", "x": 1}],
    ],
)
def test_frames_in_a_wrong_form_or_order_close_the_socket_with_a_reason(db: None, frames: list[Any]) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        connected = socket(key)
        await connected.connect()
        await connected.hello()
        for frame in frames:
            await connected.send_json(frame)
        said = await connected.receive_json()
        if said["type"] == "snapshot":
            said = await connected.receive_json()
        assert (said["type"], bool(said["detail"])) == ("error", True)
        assert await connected.closed_with() == 4400

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
    [
        {"type": "authenticate", "key": "nonsense"},
        {"type": "authenticate", "ticket": "nonsense"},
        {"type": "authenticate"},
        {"type": "authenticate", "key": "a", "ticket": "b"},
        {"type": "snapshot"},
        {"type": "authenticate", "key": 7},
    ],
)
def test_a_wrong_first_message_closes_the_socket(db: None, message: dict[str, Any]) -> None:
    async def story() -> None:
        connected = Socket(origin=PAGE)
        await connected.connect()
        await connected.send_json(message)
        assert await code_of_end(connected) == 4401

    run(story)


def test_a_session_cookie_opens_nothing(db: None, client: Any) -> None:
    worker = make.make_worker()
    client.force_login(worker.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    cookie = f"sessionid={client.cookies['sessionid'].value}"

    async def story() -> None:
        connected = Socket(cookie=cookie, origin="http://testserver")
        await connected.connect()
        await connected.send_json({"type": "snapshot"})
        assert await code_of_end(connected) == 4401

    run(story)


def test_who_says_nothing_is_shown_out(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "AUTHENTICATE_WITHIN_S", 0.2)

    async def story() -> None:
        connected = Socket(origin=PAGE)
        await connected.connect()
        assert await connected.closed_with() == 4401

    run(story)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not json", 1007), ("[" * 50_000, 1007), ('{"type": NaN}', 1007), ('{"type": "a", "type": "b"}', 1007),
        ("7", 4400), ("[]", 4400), ('{"no": "type"}', 4400), ('{"type": []}', 4400),
    ],
)  # fmt: skip
def test_nonsense_closes_the_socket(db: None, text: str, code: int) -> None:
    async def story() -> None:
        connected = Socket(origin=PAGE)
        await connected.connect()
        await connected.send(text)
        assert (await connected.refused_with())[0] == code

    run(story)


@pytest.mark.parametrize(("kind", "code"), [("text", 1009), ("bytes", 4400)])
def test_a_frame_over_64_kib_closes_the_socket_and_one_of_bytes_too(db: None, kind: str, code: int) -> None:
    key = key_for(make.make_worker().user, "worker")
    text = json.dumps({"type": "snapshot", "x": "é" * 40_000}, ensure_ascii=False)

    async def story() -> None:
        connected, _ = await opened(key)
        await connected.send(text if kind == "text" else text.encode())
        assert (await connected.refused_with())[0] == code

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
        await listener().watch.look()
        assert await one.closed_with() == 4401
        assert await two.closed_with() == 4401
        assert await three.receive_nothing(timeout=0.2)
        await three.leave()

    run(story)


def test_a_snapshot_that_fails_closes_the_socket(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_for(make.make_worker().user, "worker")

    def fail(self: Any) -> dict[str, Any]:
        raise Worker.DoesNotExist

    monkeypatch.setattr(WorkerConsumer, "snapshot", fail)

    async def story() -> None:
        connected = socket(key)
        await connected.connect()
        await connected.hello()
        await connected.send_json({"type": "join"})
        assert await connected.closed_with() == 1011

    run(story)


def test_a_socket_that_leaves_leaves_nothing_behind(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        connected, _ = await opened(key)
        await connected.send_json({"type": "subscribe", "topic": "board"})
        assert (await connected.receive_json())["type"] == "state"
        here = listener()
        held = (len(here), len(here.watch), len(here.reader.streams()), len(here.topics.names()), len(places))
        assert held == (1, 1, 1, 1, 1)
        await connected.leave()
        held = (len(here), len(here.watch), len(here.reader.streams()), len(here.topics.names()), len(places))
        assert held == (0, 0, 0, 0, 0)

    run(story)


def test_an_unknown_address_is_refused(db: None) -> None:
    async def story() -> None:
        accepted, code = await Socket(path="/ws/other/").connect()
        assert (accepted, code) == (False, 4404)

    run(story)


def test_a_fourth_socket_of_a_person_is_refused_and_closing_one_makes_room(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        three = [(await opened(key))[0] for _ in range(limits.SOCKETS_PER_USER)]
        fourth = socket(key)
        await fourth.connect()
        assert await fourth.closed_with() == 4429
        await three[0].leave()
        again, _ = await opened(key)
        for connected in (*three[1:], again):
            await connected.leave()

    run(story)


def test_a_full_process_refuses_before_it_accepts(db: None, settings: Any) -> None:
    settings.LIVE_SOCKETS_MAX = 1
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        connected, _ = await opened(key)
        assert (await socket(key).connect())[0] is False
        await connected.leave()
        again, _ = await opened(key)
        await again.leave()

    run(story)


def test_more_frames_than_the_limit_close_the_socket(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        connected, _ = await opened(key)
        for _ in range(limits.BURST + 20):
            await connected.send_json({"type": "ping"})
        while (said := await connected.receive_output(timeout=10))["type"] == "websocket.send":
            assert json.loads(said["text"])["type"] == "pong"
        assert said["code"] == 4429
        await connected.leave()

    run(story)


def test_who_says_nothing_for_a_minute_is_closed(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.live.listener.IDLE_S", 0.1)
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        connected, _ = await opened(key)
        assert await connected.closed_with() == 4400

    run(story)


def test_the_board_comes_whole_and_then_as_what_changed(db: None) -> None:
    batch = make.make_batch(tasks=2)
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        connected, _ = await opened(key)
        await connected.send_json({"type": "subscribe", "topic": "board"})
        state = await connected.receive_json()
        assert (state["type"], state["topic"], list(state["state"])) == ("state", "board", [str(batch.public_id)])
        other = await database_sync_to_async(make.make_batch)(tasks=1)
        (version,) = (await database_sync_to_async(touch)(["board"])).values()
        change = await connected.receive_json()
        assert (change["type"], change["from"], change["version"]) == ("change", state["version"], version)
        assert (list(change["set"]), change["gone"]) == ([str(other.public_id)], [])
        await database_sync_to_async(touch)(["board"])
        assert await connected.receive_nothing(timeout=2.5)  # nothing is different
        await connected.send_json({"type": "unsubscribe", "topic": "board"})
        await connected.send_json({"type": "subscribe", "topic": "batch:x", "id": "s"})
        refused = await connected.receive_json()
        assert (refused["type"], refused["id"], refused["status"]) == ("reply", "s", 404)
        await connected.leave()

    run(story)


async def code_of_end(connected: Socket) -> int:
    """The code of the end, whether or not an error is told before it."""
    said = await connected.receive_output(timeout=10)
    if said["type"] == "websocket.send":
        assert json.loads(said["text"])["type"] == "error"
        said = await connected.receive_output(timeout=10)
    await connected.leave()
    return int(said["code"])
