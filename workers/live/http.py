"""The few things the live server does besides sockets, as plain ASGI."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError

from marketplace.pages.queries import database_version
from workers.live import protocol
from workers.live.polls import is_poll, poll

PROTOCOL = "/live/protocol.json"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


async def plain(scope: Message, receive: Receive, send: Send) -> None:
    """Plain requests: streams by long-poll, the protocol's schemas, and the health check."""
    if is_poll(scope["path"]):
        await poll(scope, receive, send)
    elif scope["path"] == PROTOCOL and scope["method"] in ("GET", "HEAD"):
        await _give(send, 200, b"" if scope["method"] == "HEAD" else protocol.text())
    else:
        await health(scope, receive, send)


async def health(scope: Message, receive: Receive, send: Send) -> None:
    """GET /health/ is 200 while the database answers; nothing else is here."""
    if scope["path"] != "/health/":
        await _answer(send, 404, {"status": "not-found"})
        return
    if scope["method"] not in ("GET", "HEAD"):
        await _answer(send, 405, {"status": "method-not-allowed"})
        return
    try:
        await database_sync_to_async(database_version)()
    except (DatabaseError, InterfaceError):
        await _answer(send, 503, {"status": "unavailable", "database": False})
        return
    await _answer(send, 200, {"status": "ok", "database": True})


async def lifespan(scope: Message, receive: Receive, send: Send) -> None:
    """Nothing needs to be done at start and end; saying so keeps the server's log clean."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def refuse_unknown_sockets(routes: Any) -> Application:
    """A socket at an address that does not exist is refused in words of the protocol, not by an error in the log."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        try:
            await routes(scope, receive, send)
        except ValueError as error:
            if "No route found" not in str(error):
                raise
            await receive()
            await send({"type": "websocket.close", "code": 4404})

    return application


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    await _give(send, status, json.dumps(body).encode())


async def _give(send: Send, status: int, text: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
