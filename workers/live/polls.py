"""Long-poll: a personal stream over plain HTTP, for clients that cannot keep a socket open.

`GET /live/worker/stream` and `GET /live/requesters/<id>/stream`, with `epoch` and `after` as a cursor and `wait` in
seconds: answers once there are facts, or when the time is over. Woken by the same listener as sockets are.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.http import HttpResponse, QueryDict
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated

from marketplace.accounts.commands.tickets import Holder
from marketplace.accounts.models import Scope
from marketplace.accounts.queries import requester_for
from marketplace.common.errors import Forbidden, NotFound
from marketplace.common.tracing import HEADER, id_of, traced
from marketplace.rest.authentication import Bearer, bearer_of
from marketplace.rest.errors import Malformed, TooMany
from marketplace.rest.facts import Cursor, cursor_asked, facts_after
from marketplace.rest.permissions import NotAWorker, WrongScope
from marketplace.rest.problems import named_problem, to_problem
from marketplace.rest.rendering import http_response, json_bytes
from marketplace.streams.routes import address_of_requester, address_of_worker
from workers.live.limits import places
from workers.live.listener import listener
from workers.live.origins import origin_allowed
from workers.live.pool import pool
from workers.live.reader import Follower
from workers.live.watch import standings

WAIT_DEFAULT_S = 20
WAIT_MAX_S = 25
# So long a browser need not ask again whether it may ask.
PREFLIGHT_S = 600
AGAIN_S = 5
# All that is served here.
ADDRESSES = ("/live/worker/stream", "/live/requesters/{requester}/stream")
ADDRESS = re.compile("|".join(one.replace("{requester}", "([0-9a-f-]{36})") for one in ADDRESSES))

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Banned(Forbidden):
    code = "sanctioned"
    title = "You may not do this now"


@dataclass(frozen=True)
class Wish:
    """What one request asks for, and by which key."""

    token: str
    requester: UUID | None
    cursor: Cursor | None
    wait_s: int
    path: str


class Poll:
    """Stands among the followers of a stream as a socket would; whatever comes wakes it."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        # It needs no heartbeat: it ends by itself.
        self.heard_at = float("inf")

    @property
    def free(self) -> bool:
        """Once woken it takes no more: it reads what there is by itself."""
        return not self.woken.is_set()

    closing = property(lambda self: self.woken.is_set())

    def push(self, text: str) -> None:
        self.woken.set()

    def close(self, code: int, reason: str = "", *, drop: bool = False) -> None:
        self.woken.set()

    def when_free(self, key: str, call: Callable[[], None]) -> None:
        """Never again."""

    def look(self, now: float) -> None:
        """Nothing of it can be stuck."""


def is_poll(path: str) -> bool:
    """Whether the address is served here."""
    return ADDRESS.fullmatch(path) is not None


async def poll(scope: Message, receive: Receive, send: Send) -> None:
    """Answer one request."""
    headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]}
    origin = headers.get("origin")
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        if origin is not None and not origin_allowed(origin):
            response = named_problem(403, "Pages of this origin may not ask here.", scope["path"])
        else:
            with traced(request_id := id_of(headers.get(HEADER.lower()))):
                response = await _response(scope, headers, gone)
            response[HEADER] = request_id
    finally:
        gone.cancel()
    if origin is not None:
        response["Vary"] = "Origin"
        if origin_allowed(origin):
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = "Retry-After"
    raw = [(name.lower().encode(), text.encode("latin-1")) for name, text in response.items()]
    raw.append((b"content-length", str(len(response.content)).encode()))
    await send({"type": "http.response.start", "status": response.status_code, "headers": raw})
    body = b"" if scope["method"] == "HEAD" else response.content
    await send({"type": "http.response.body", "body": body})


async def _response(scope: Message, headers: dict[str, str], gone: "asyncio.Future[None]") -> HttpResponse:
    path = scope["path"]
    if scope["method"] == "OPTIONS":
        return _preflight()
    if scope["method"] != "GET":
        response = named_problem(405, "This address is read.", path)
        response["Allow"] = "GET, OPTIONS"
        return response
    try:
        wish = _wish(path, headers, scope["query_string"])
        return http_response(200, json_bytes(await _served(wish, gone)))
    except Exception as error:
        if isinstance(error, AuthenticationFailed | NotAuthenticated):
            error.auth_header = "Bearer"  # type: ignore[union-attr]
        return to_problem(error, {"request": SimpleNamespace(path=path)})


async def _served(wish: Wish, gone: "asyncio.Future[None]") -> dict[str, Any]:
    bearer, stream, found = await pool.read(_read, wish)
    if wish.cursor is None or wish.wait_s == 0 or found.get("facts") or "snapshot_required" in found:
        return found
    kind = "worker poll" if wish.requester is None else "requester poll"
    if not places.enter_as(bearer.user.pk, kind):
        raise TooMany("So many of your requests wait already.", AGAIN_S)
    try:
        if not places.enter():
            raise TooMany("So many requests wait here already.", AGAIN_S)
        try:
            await _wait(stream, wish.cursor, wish.wait_s, gone)
        finally:
            places.leave()
    finally:
        places.leave_as(bearer.user.pk, kind)
    # The key is looked at again: while he waited it may have been revoked.
    _, _, found = await pool.read(_read, wish)
    return found


async def _wait(stream: str, cursor: Cursor, wait_s: int, gone: "asyncio.Future[None]") -> None:
    """Until the stream has grown, the time is over, or nobody waits for the answer any more."""
    waiter, here = Poll(), listener()
    follower = Follower(waiter, stream, cursor.seq, lost=lambda *_: waiter.woken.set())  # type: ignore[arg-type]
    here.enter(waiter)  # type: ignore[arg-type]
    woken: asyncio.Future[Any] = asyncio.ensure_future(waiter.woken.wait())
    try:
        ends: list[asyncio.Future[Any]] = [woken, gone]
        # It is read once more from here on, so what came since the first look is not missed.
        here.reader.follow(follower)
        await asyncio.wait(ends, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        woken.cancel()
        here.reader.unfollow(follower)
        here.leave(waiter)  # type: ignore[arg-type]


def _wish(path: str, headers: dict[str, str], query: bytes) -> Wish:
    params = QueryDict(query)
    requester = ADDRESS.fullmatch(path)
    assert requester is not None, "only addresses that fit come here"
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated
    try:
        of = UUID(requester[1]) if requester[1] else None
    except ValueError:
        raise NotFound("There is no such requester.") from None
    cursor = cursor_asked(params, also=("wait",))
    wait = params.get("wait", str(WAIT_DEFAULT_S))
    if not (wait.isascii() and wait.isdigit() and len(wait) <= 3 and int(wait) <= WAIT_MAX_S):
        raise Malformed(f"`wait` is a whole number of seconds from 0 to {WAIT_MAX_S}.", field="wait")
    return Wish(token.strip(), of, cursor, int(wait), path)


def _read(wish: Wish) -> tuple[Bearer, str, dict[str, Any]]:
    """Who asks, which stream it is, and what is in it now. Raises as the plain reads do."""
    bearer = bearer_of(wish.token)
    if wish.requester is None:
        stream = _own_stream(bearer)
    elif Scope.REQUESTER not in bearer.key.scopes:
        raise WrongScope("This needs a key with the scope 'requester'.", scope=Scope.REQUESTER.value)
    else:
        stream = address_of_requester(requester_for(bearer.user.pk, wish.requester).pk)
    return bearer, stream, facts_after(stream, wish.cursor)


def _own_stream(bearer: Bearer) -> str:
    if Scope.WORKER not in bearer.key.scopes:
        raise WrongScope("This needs a key with the scope 'worker'.", scope=Scope.WORKER.value)
    if bearer.worker_id is None:
        raise NotAWorker("Become a worker first: POST /api/v1/workers.")
    [standing] = standings([Holder(bearer.user.pk, bearer.key.digest)])
    if standing.banned:
        raise Banned("Nobody who is banned is served here; GET /api/v1/worker/stream tells what there is.")
    return address_of_worker(bearer.worker_id)


def _preflight() -> HttpResponse:
    response = HttpResponse(status=204)
    del response["Content-Type"]
    response["Access-Control-Allow-Methods"] = "GET"
    response["Access-Control-Allow-Headers"] = "authorization"
    response["Access-Control-Max-Age"] = str(PREFLIGHT_S)
    return response


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
