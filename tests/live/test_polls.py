"""Streams by long-poll: the same facts as over a socket, as soon as there are any, and nobody else's."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from django.conf import settings

from marketplace.accounts.commands import revoke_key
from marketplace.accounts.commands.sanctions import impose
from marketplace.accounts.models import ApiKey, Member
from marketplace.asgi import application
from marketplace.common.transactions import one_transaction
from marketplace.streams import commands, queries, wake
from marketplace.streams.routes import Fact, address_of_requester, address_of_worker
from tests import factories as make
from tests.api.callers import Caller
from tests.api_client import key_for
from tests.live.communicators import HTTP, Socket
from workers.live import polls
from workers.live.limits import SOCKETS_PER_USER, places
from workers.live.listener import listener

WORKER = "/live/worker/stream"


def run(story: Callable[[], Awaitable[None]]) -> None:
    """Tell an async story in the test's own thread and transaction; nothing may be left of it."""

    async def whole() -> None:
        async with asyncio.timeout(60):
            await story()
        assert (len(places), len(listener()), listener().reader.streams()) == (0, 0, [])

    async_to_sync(whole)()


class Reply:
    """What came back."""

    def __init__(self, start: dict[str, Any], body: bytes) -> None:
        self.status = start["status"]
        self.headers = {name.decode(): text.decode() for name, text in start["headers"]}
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["type"]).removeprefix("/problems/")


class Request(ApplicationCommunicator):
    """A request that is on its way."""

    def __init__(self, path: str, key: str | None, query: str = "", method: str = "GET", **headers: str) -> None:
        given = {"authorization": f"Bearer {key}"} if key is not None else {}
        pairs = [(name.encode(), text.encode("latin-1")) for name, text in (given | headers).items()]
        scope = {**HTTP, "path": path, "method": method, "query_string": query.encode(), "headers": pairs}
        super().__init__(application, scope)

    async def begin(self) -> None:
        await self.send_input({"type": "http.request", "body": b""})

    async def reply(self) -> Reply:
        start = await self.receive_output(timeout=40)
        body = await self.receive_output(timeout=10)
        await self.wait(timeout=10)
        return Reply(start, body["body"])


async def ask(path: str, key: str | None, query: str = "", method: str = "GET", **headers: str) -> Reply:
    request = Request(path, key, query, method, **headers)
    await request.begin()
    return await request.reply()


async def waiting(path: str, key: str, query: str) -> Request:
    """A request that stands in line."""
    request, before = Request(path, key, query), len(listener())
    await request.begin()
    while len(listener()) == before:
        await asyncio.sleep(0.01)
    return request


def in_database(function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
    return database_sync_to_async(function)(*args)


async def happened(stream: str, *numbers: int, told: bool = True) -> None:
    def append() -> dict[str, int]:
        return commands.append([Fact(n, stream, "place_taken", {"n": n}) for n in numbers])

    heads = await in_database(append)
    if told:
        await asyncio.to_thread(wake.announce, heads, {})


def after(seq: int, **more: Any) -> str:
    return "&".join(f"{name}={value}" for name, value in {"epoch": queries.epoch(), "after": seq, **more}.items())


def seen(reply: Reply) -> list[tuple[int, int]]:
    assert reply.status == 200, reply.body
    return [(fact["seq"], fact["body"]["n"]) for fact in reply.json["facts"]]


@pytest.mark.parametrize("told", [True, False])
def test_who_waits_is_answered_as_soon_as_something_happens_to_him(db: None, told: bool) -> None:
    worker, other = make.make_worker(), make.make_worker()
    key, stream, query = key_for(worker.user, "worker"), address_of_worker(worker.pk), after(0, wait=25)

    async def story() -> None:
        loop = asyncio.get_running_loop()
        request = await waiting(WORKER, key, query)
        begun = loop.time()
        await happened(address_of_worker(other.pk), 7)
        assert await request.receive_nothing(timeout=0.3)
        # A wake that is lost costs the second or two until the next look.
        await happened(stream, 1, 2, told=told)
        reply = await request.reply()
        assert loop.time() - begun < 15
        assert seen(reply) == [(1, 1), (2, 2)]
        assert reply.json["cursor"]["seq"] == 2
        assert reply.headers["cache-control"] == "no-store"

    run(story)


def test_what_is_there_already_is_answered_at_once_and_the_same_over_all_ways(db: None) -> None:
    worker = make.make_worker()
    key, query = key_for(worker.user, "worker"), after(1)

    async def story() -> None:
        await happened(address_of_worker(worker.pk), 1, 2, 3)
        reply = await ask(WORKER, key, query)
        assert seen(reply) == [(2, 2), (3, 3)]
        plain = await in_database(lambda: Caller("worker", key).get(f"worker/stream?{query}"))
        assert plain.body == reply.body
        socket = Socket(authorization=f"Bearer {key}")
        assert (await socket.connect())[0]
        await socket.hello()
        await socket.join({"epoch": str(await in_database(queries.epoch)), "seq": 1})
        assert [await socket.receive_json() for _ in range(2)] == reply.json["facts"]
        await socket.leave()

    run(story)


def test_a_snapshot_over_http_is_the_sockets_to_the_letter(db: None) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=3)
    make.take(worker, batch, 2)
    key = key_for(worker.user, "worker")

    async def story() -> None:
        await happened(address_of_worker(worker.pk), 1, 2)
        socket = Socket(authorization=f"Bearer {key}")
        assert (await socket.connect())[0]
        await socket.hello()
        over_socket = await socket.join()
        over_http = await in_database(lambda: Caller("worker", key).get("worker/snapshot").expect(200))
        assert over_socket == {"type": "snapshot", **over_http}
        assert len(over_http["leases"]) == 2
        await socket.leave()

    run(story)


def test_nothing_new_is_an_answer_too_once_the_time_is_over(db: None) -> None:
    worker = make.make_worker()
    key, query, newest = key_for(worker.user, "worker"), after(0, wait=1), str(queries.epoch())

    async def story() -> None:
        reply = await ask(WORKER, key, query)
        assert reply.json == {"facts": [], "cursor": {"epoch": newest, "seq": 0}}
        at_once = await ask(WORKER, key, query.replace("wait=1", "wait=0"))
        assert at_once.json == reply.json
        # Who has no cursor is told where the stream ends, and does not wait.
        assert (await ask(WORKER, key)).json == reply.json

    run(story)


def test_a_client_that_lives_by_long_poll_alone_sees_everything_once_and_in_order(db: None) -> None:
    worker = make.make_worker()
    key, stream = key_for(worker.user, "worker"), address_of_worker(worker.pk)

    async def story() -> None:
        snapshot = await in_database(lambda: Caller("worker", key).get("worker/snapshot").expect(200))
        cursor, found = snapshot["cursor"], []

        async def live() -> None:
            nonlocal cursor
            while len(found) < 60:
                query = f"epoch={cursor['epoch']}&after={cursor['seq']}&wait=20"
                reply = await ask(WORKER, key, query)
                found.extend(seen(reply))
                cursor = reply.json["cursor"]

        client = asyncio.create_task(live())
        for number in range(1, 61, 3):
            await happened(stream, number, number + 1, number + 2, told=number % 2 == 0)
            await asyncio.sleep(0.02)
        await client
        assert found == [(n, n) for n in range(1, 61)]

    run(story)


def test_a_cursor_that_says_nothing_any_more_asks_for_a_snapshot(db: None, clock: Callable[[timedelta], None]) -> None:
    worker = make.make_worker()
    key, stream = key_for(worker.user, "worker"), address_of_worker(worker.pk)
    commands.append([Fact(1, stream, "place_taken", {})])
    clock(timedelta(days=8))
    commands.append([Fact(2, stream, "place_taken", {})])
    commands.trim(10)
    queries_of = {"expired": after(0), "ahead": after(9), "epoch": f"epoch={uuid4()}&after=2"}

    async def story() -> None:
        for reason, query in queries_of.items():
            assert (await ask(WORKER, key, query)).json == {"snapshot_required": reason}

    run(story)


def test_streams_that_begin_anew_end_the_wait(as_owner: psycopg.Connection[Any]) -> None:
    worker = make.make_worker()
    key, query = key_for(worker.user, "worker"), after(0, wait=25)

    async def story() -> None:
        await listener().epoch()
        request = await waiting(WORKER, key, query)
        # As after a restored backup; nobody says look, the next poll sees it.
        await asyncio.to_thread(as_owner.execute, "UPDATE streams_epoch SET epoch = gen_random_uuid()")
        assert (await request.reply()).json == {"snapshot_required": "epoch"}

    run(story)


def test_a_member_reads_his_organisations_stream_and_no_other(db: None) -> None:
    mine, theirs = make.make_requester(), make.make_requester()
    user = make.make_user()
    Member.objects.create(requester=mine, user=user, role="viewer")
    key, query = key_for(user, "requester"), after(0, wait=25)

    async def story() -> None:
        request = await waiting(f"/live/requesters/{mine.public_id}/stream", key, query)
        await happened(address_of_requester(theirs.pk), 1)
        await happened(address_of_requester(mine.pk), 2)
        assert seen(await request.reply()) == [(1, 2)]
        await happened(address_of_requester(theirs.pk), 3)
        foreign, none = [await ask(f"/live/requesters/{one}/stream", key, query) for one in (theirs.public_id, uuid4())]
        assert (foreign.status, foreign.code) == (none.status, none.code) == (404, "not-found")
        assert foreign.json["detail"] == none.json["detail"]

    run(story)


def test_keys_are_judged_as_by_the_plain_reads(db: None) -> None:
    worker, requester = make.make_worker(), make.make_requester()
    owner, nobody = make.owner_of(requester), make.make_user()
    ours = f"/live/requesters/{requester.public_id}/stream"
    refused = [
        (WORKER, None, 401, "not-authenticated"), (WORKER, "x", 401, "key-refused"),
        (WORKER, key_for(owner, "requester"), 403, "wrong-scope"),
        (WORKER, key_for(nobody, "worker"), 403, "not-a-worker"),
        (ours, key_for(worker.user, "worker"), 403, "wrong-scope"), (ours, None, 401, "not-authenticated"),
    ]  # fmt: skip

    async def story() -> None:
        for path, key, status, code in refused:
            reply = await ask(path, key)
            assert (reply.status, reply.code, reply.json["instance"]) == (status, code, path)
            assert reply.headers["content-type"] == "application/problem+json"
            assert ("www-authenticate" in reply.headers) == (status == 401)

    run(story)


def test_a_key_that_is_revoked_during_the_wait_gets_nothing(db: None) -> None:
    worker = make.make_worker()
    key, query = key_for(worker.user, "worker"), after(0, wait=25)

    def revoked() -> None:
        with one_transaction(principal="test"):
            revoke_key(user_id=worker.user_id, public_id=ApiKey.objects.get(user=worker.user).public_id)

    async def story() -> None:
        request = await waiting(WORKER, key, query)
        await in_database(revoked)
        await happened(address_of_worker(worker.pk), 1)
        reply = await request.reply()
        assert (reply.status, reply.code) == (401, "key-refused")

    run(story)


def test_who_is_banned_gets_nothing_even_if_he_was_waiting(db: None) -> None:
    worker, by = make.make_worker(), make.make_user()
    key, query = key_for(worker.user, "worker"), after(0, wait=25)

    def banned() -> None:
        with one_transaction(principal="test"):
            impose(
                user_id=worker.user_id, scope="platform", scope_id=None, measure="ban", reason="other", words="Out.",
                evidence={"note": "odd"}, life=timedelta(days=1), made_by=by.pk,
            )  # fmt: skip

    async def story() -> None:
        request = await waiting(WORKER, key, query)
        await in_database(banned)
        await happened(address_of_worker(worker.pk), 1)
        reply = await request.reply()
        assert (reply.status, reply.code) == (403, "sanctioned")
        assert (await ask(WORKER, key, query)).status == 403

    run(story)


def test_one_person_waits_in_so_many_requests_and_the_process_holds_so_many(db: None, settings: Any) -> None:
    worker, other = make.make_worker(), make.make_worker()
    key, others, query = key_for(worker.user, "worker"), key_for(other.user, "worker"), after(0, wait=25)

    async def story() -> None:
        requests = [await waiting(WORKER, key, query) for _ in range(SOCKETS_PER_USER)]
        refused = await ask(WORKER, key, query)
        assert (refused.status, refused.code) == (429, "too-many-requests")
        assert int(refused.headers["retry-after"]) == polls.AGAIN_S
        settings.LIVE_SOCKETS_MAX = SOCKETS_PER_USER
        assert (await ask(WORKER, others, query)).status == 429
        # Who does not wait takes no place.
        assert (await ask(WORKER, others, query.replace("wait=25", "wait=0"))).status == 200
        await happened(address_of_worker(worker.pk), 1)
        for request in requests:
            assert seen(await request.reply()) == [(1, 1)]
        settings.LIVE_SOCKETS_MAX = 100
        request = await waiting(WORKER, others, query)
        await happened(address_of_worker(other.pk), 2)
        assert seen(await request.reply()) == [(1, 2)]

    run(story)


def test_a_client_that_goes_away_leaves_its_place(db: None) -> None:
    worker = make.make_worker()
    key, query = key_for(worker.user, "worker"), after(0, wait=25)

    async def story() -> None:
        request = await waiting(WORKER, key, query)
        assert (len(places), listener().reader.streams()) == (1, [address_of_worker(worker.pk)])
        await request.send_input({"type": "http.disconnect"})
        while len(places) or len(listener()):
            await asyncio.sleep(0.01)
        await request.wait(timeout=10)

    run(story)


def test_pages_of_listed_origins_only_may_ask(db: None) -> None:
    worker = make.make_worker()
    key, listed = key_for(worker.user, "worker"), settings.LIVE_ORIGINS[0]
    strangers = ["https://evil.example", "null", f"{listed}.evil.example", f"{listed}/", ""]

    async def story() -> None:
        allowed = await ask(WORKER, key, origin=listed)
        assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, listed)
        assert allowed.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in allowed.headers
        preflight = await ask(WORKER, None, method="OPTIONS", origin=listed)
        assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, listed)
        assert preflight.headers["access-control-allow-headers"] == "authorization"
        # A refusal is told to the page too, and it can read why.
        assert (await ask(WORKER, "x", origin=listed)).headers["access-control-allow-origin"] == listed
        for origin in strangers:
            for method in ("GET", "OPTIONS"):
                refused = await ask(WORKER, key, method=method, origin=origin)
                assert (refused.status, "access-control-allow-origin" in refused.headers) == (403, False), origin
        assert "access-control-allow-origin" not in (await ask(WORKER, key)).headers

    run(story)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("wait=26", "malformed"), ("wait=-1", "malformed"), ("wait=x", "malformed"), ("wait=", "malformed"),
        ("wait=1.5", "malformed"), ("wait=%D9%A1", "malformed"), ("after=1", "malformed"),
        ("epoch=x&after=1", "malformed"), ("epoch=%00&after=%ff", "malformed"), ("stream=staff", "unknown-field"),
        ("user_id=1", "unknown-field"), ("%ff=1", "unknown-field"),
    ],
)  # fmt: skip
def test_queries_that_are_none_are_refused(db: None, query: str, code: str) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        reply = await ask(WORKER, key, query)
        assert (reply.status, reply.code) == (400, code)

    run(story)


def test_other_methods_and_addresses_are_not_served(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        for method in ("POST", "PUT", "DELETE", "HEAD"):
            reply = await ask(WORKER, key, method=method)
            assert (reply.status, reply.headers["allow"]) == (405, "GET, OPTIONS")
        for path in ("/live/worker/stream/", "/live/worker", "/live/requesters/x/stream", "/live/staff/stream"):
            assert (await ask(path, key)).status == 404, path

    run(story)
