"""Commands over the socket: the rules, the bodies and the stored answers of HTTP, to the byte."""

import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from channels.db import database_sync_to_async

from marketplace.accounts.commands.tickets import Holder
from marketplace.accounts.models import ApiKey
from marketplace.common.prepared import prepared
from tests import factories as make
from tests.api_client import Api, key_for
from tests.live.communicators import Socket
from tests.live.test_streams_socket import opened, run
from workers.assignments.models import Assignment
from workers.live.commands import command_of, run_command, stringify


async def ask(socket: Socket, kind: str, **members: Any) -> dict[str, Any]:
    """Send a command and return the reply to it."""
    asked_as = uuid4().hex
    await socket.send_json({"type": kind, "id": asked_as, **members})
    said: dict[str, Any] = await socket.receive_json()
    assert (said["type"], said["id"]) == ("reply", asked_as), said
    return said


def answer(lease: dict[str, Any]) -> dict[str, Any]:
    return {"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}}


def test_a_worker_claims_drafts_extends_submits_and_returns(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=5)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        socket = await opened(key)
        claimed = await ask(socket, "claim", key="k1", batch=str(batch.public_id), count=2)
        assert (claimed["status"], claimed["replayed"], len(claimed["body"]["assignments"])) == (201, False, 2)
        one, two = claimed["body"]["assignments"]
        drafted = await ask(socket, "draft", assignment=one["id"], token=one["token"], values={"label": "dog"})
        assert drafted["status"] == 200
        extended = await ask(socket, "extend", leases=[{"assignment": two["id"], "token": two["token"]}])
        assert extended["status"] == 200
        then = {"batch": str(batch.public_id), "count": 1}
        submitted = await ask(socket, "submit", key="k2", answers=[answer(one)], then_claim=then)
        assert submitted["status"] == 200, submitted
        assert submitted["body"]["outcomes"][0]["outcome"] == "submitted"
        returned = await ask(socket, "return", key="k3", assignment=two["id"], token=two["token"])
        assert returned["body"] == {"assignment": two["id"], "state": "returned"}
        await socket.leave()

    run(story)
    states = sorted(Assignment.objects.filter(worker=worker).values_list("state", flat=True))
    assert states.count("submitted") == 1
    assert "returned" in states


def test_a_key_used_here_brings_the_same_bytes_over_http_and_the_other_way_round(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=5)
    key = key_for(worker.user, "worker")
    api = Api(key)
    path = f"/worker/batches/{batch.public_id}/claim"

    async def story() -> None:
        socket = await opened(key)
        await socket.send_json({"type": "claim", "id": "1", "key": "here", "batch": str(batch.public_id), "count": 1})
        first = (await socket.receive_output(timeout=10))["text"]
        lease = json.loads(first)["body"]["assignments"][0]
        there = await database_sync_to_async(api.post)(path, b'{"count":1}', key="here")
        assert there.headers["Idempotent-Replay"] == "true"
        assert first.endswith(f'"body":{there.content.decode()}}}')
        body = json.dumps({"answers": [answer(lease)]}, separators=(",", ":")).encode()
        over_http = await database_sync_to_async(api.post)("/worker/submissions", body, key="there")
        assert over_http.status_code == 200
        again = await ask(socket, "submit", key="there", answers=[answer(lease)])
        assert (again["status"], again["replayed"]) == (200, True)
        assert again["body"] == over_http.json()
        other = await ask(socket, "submit", key="there", answers=[{**answer(lease), "unclear": True}])
        assert (other["status"], other["body"]["type"]) == (422, "/problems/idempotency-key-reused")
        await socket.leave()

    run(story)
    assert Assignment.objects.filter(worker=worker).count() == 1


@pytest.mark.parametrize(
    ("frame", "path", "body"),
    [
        ({"type": "claim", "count": 0}, "/worker/batches/{batch}/claim", {"count": 0}),
        ({"type": "claim", "count": "2"}, "/worker/batches/{batch}/claim", {"count": "2"}),
        ({"type": "claim", "more": 2}, "/worker/batches/{batch}/claim", {"more": 2}),
        ({"type": "submit", "answers": []}, "/worker/submissions", {"answers": []}),
        ({"type": "submit"}, "/worker/submissions", {}),
        ({"type": "return", "token": "x"}, "/worker/assignments/{batch}/return", {"token": "x"}),
    ],
)
def test_a_refusal_is_the_problem_of_http(db: None, frame: dict[str, Any], path: str, body: Any) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=1)
    key = key_for(worker.user, "worker")
    place = {"claim": {"batch": str(batch.public_id)}, "return": {"assignment": str(batch.public_id)}}

    async def story() -> None:
        socket = await opened(key)
        members = {name: value for name, value in frame.items() if name != "type"}
        here = await ask(socket, frame["type"], key="k", **place.get(frame["type"], {}), **members)
        there = await database_sync_to_async(Api(key).post)(path.format(batch=batch.public_id), body, key="other")
        assert (here["status"], here["body"]) == (there.status_code, there.json())
        assert here["status"] >= 400
        await socket.leave()

    run(story)


def test_a_command_without_a_key_and_one_for_no_batch_are_refused_as_over_http(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        socket = await opened(key)
        for batch, status in (("nonsense", 404), (str(uuid4()), 404), (str(uuid4()).upper(), 404)):
            assert (await ask(socket, "claim", key="k", batch=batch))["status"] == status
        missing = await ask(socket, "submit", answers=[answer({"id": str(uuid4()), "token": str(uuid4())})])
        assert (missing["status"], missing["body"]["type"]) == (400, "/problems/idempotency-key-missing")
        await socket.leave()

    run(story)


def test_commands_are_answered_in_their_order_and_a_ping_before_them(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=5)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        socket = await opened(key)
        for number in range(1, 5):
            await socket.send_json(
                {"type": "claim", "id": str(number), "key": f"k{number}", "batch": str(batch.public_id), "count": 1}
            )
        await socket.send_json({"type": "ping"})
        said = [await socket.receive_json() for _ in range(5)]
        assert [one["id"] for one in said if one["type"] == "reply"] == ["1", "2", "3", "4"]
        assert [one["type"] for one in said].count("pong") == 1
        await socket.leave()

    run(story)


def test_a_key_that_was_revoked_a_moment_ago_does_nothing(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=1)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        socket = await opened(key)
        await database_sync_to_async(ApiKey.objects.filter(user=worker.user).delete)()
        refused = await ask(socket, "claim", key="k", batch=str(batch.public_id), count=1)
        assert (refused["status"], refused["body"]["type"]) == (401, "/problems/key-refused")
        await socket.leave()

    run(story)
    assert not Assignment.objects.filter(worker=worker).exists()


@pytest.mark.parametrize("frame", [{"type": "claim"}, {"type": "claim", "id": 7}, {"type": "claim", "id": "x" * 65}])
def test_a_command_that_cannot_be_answered_closes_the_socket(db: None, frame: dict[str, Any]) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        socket = await opened(key)
        await socket.send_json(frame)
        assert (await socket.refused_with())[0] == 4400

    run(story)


def test_which_batches_he_may_take_is_told_when_asked(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=1)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        socket = await opened(key)
        assert (await ask(socket, "may_take"))["body"] == {"batches": {str(batch.public_id): None}}
        await socket.leave()

    run(story)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"), (-0.0, "0"), (1.5, "1.5"), (1e-6, "0.000001"), (1e-7, "1e-7"), (1.25e-9, "1.25e-9"),
        (1e16, "10000000000000000"), (1e20, "100000000000000000000"), (1e21, "1e+21"), (-2.5e22, "-2.5e+22"),
        ({"é": ["\u2028", "\n", "\x07", '"']}, '{"é":["\u2028","\\n","\\u0007","\\""]}'),
        ({"b": True, "a": None, "c": [1, {}]}, '{"b":true,"a":null,"c":[1,{}]}'),
    ],
)  # fmt: skip
def test_numbers_and_text_are_written_as_browsers_write_them(value: Any, text: str) -> None:
    assert stringify(value) == text


def test_a_connection_that_died_since_the_last_command_is_not_felt(committed: str, settings: Any) -> None:
    """Each of the threads that run commands has its own, and after a crash of the database may use it much later."""
    worker, batch = make.make_worker(), make.make_batch(tasks=2)
    key_for(worker.user, "worker")
    holder = Holder(user_id=worker.user_id, key_digest=ApiKey.objects.get().digest)
    claim = command_of({"type": "claim", "id": "1", "key": "k", "batch": str(batch.public_id), "count": 1})
    first = run_command(claim, holder, {})
    [(pid,)] = prepared("SELECT pg_backend_pid()", [])
    with psycopg.connect(settings.DATABASE_OWNER_URL, user="postgres", autocommit=True) as superuser:
        assert superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)

    again = run_command(claim, holder, {})

    assert (first.status, again.status, again.replayed) == (201, 201, True)
    assert again.body == first.body
