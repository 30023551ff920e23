"""A worker's socket: first all that he holds, then a hint whenever that has changed. The database says what."""

import asyncio
import json
import logging
from collections.abc import Coroutine
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from redis.exceptions import RedisError

from marketplace.accounts.models import Scope
from marketplace.rest.authentication import Bearer, bearer_of
from marketplace.rest.errors import KeyRefused
from marketplace.rest.rendering import json_bytes
from workers.api.work import lease_shape
from workers.assignments.queries import live_leases
from workers.live.hints import listening
from workers.live.watch import is_banned, watch
from workers.profiles.models import Worker

log = logging.getLogger("touchstone.live")

AUTHENTICATE_WITHIN_S = 5.0
REJOIN_AFTER_S = 5.0
FRAME_BYTES_MAX = 64 * 1024
NOT_AUTHENTICATED = 4401
NOT_ALLOWED = 4403
TOO_LARGE = 1009
MALFORMED = 1007
FAILED = 1011


class WorkerConsumer(AsyncWebsocketConsumer):
    """`/ws/worker/`, for a key with the scope worker.

    The key comes in the Authorization header, or within 5 s as {"type": "authenticate", "key": …}. Cookies are never
    looked at, so no other site can open a socket in somebody's name. A banned person gets none (4403), and works off
    what he holds over HTTP. Then {"type": "snapshot", "worker", "leases"} and
    {"type": "look", "about": <event>}; {"type": "snapshot"} from the client asks for another snapshot.
    """

    # The layer is joined by hand: the library would join before it accepts, and without Redis no socket would open.
    channel_layer_alias = "joined-by-hand"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bearer: Bearer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    async def connect(self) -> None:
        token = self._token_of_header()
        if token is None:
            await self.accept()
            self._start(self._close_strangers())
            return
        bearer, refusal = await self._open(token)
        if bearer is None:
            # Closing before accepting is the protocol's 403.
            await self._shut(refusal)
            return
        await self.accept()
        await self._welcome(bearer)

    async def disconnect(self, code: int) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._bearer is not None:
            watch.discard(self._bearer.key.digest, self._close_stranger)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._closed:
            return
        if len(bytes_data or b"") > FRAME_BYTES_MAX or len((text_data or "").encode()) > FRAME_BYTES_MAX:
            await self._shut(TOO_LARGE)
            return
        try:
            message = json.loads(text_data or "")
            kind = message["type"]
        except (ValueError, RecursionError, KeyError, TypeError):
            await self._shut(MALFORMED)
            return
        if self._bearer is None:
            await self._authenticate(kind, message)
        elif kind == "snapshot":
            await self._send_snapshot()
        else:
            await self._send({"type": "refused", "code": "unknown-message"})

    async def _authenticate(self, kind: Any, message: dict[str, Any]) -> None:
        key = message.get("key")
        if kind != "authenticate" or not isinstance(key, str):
            await self._shut(NOT_AUTHENTICATED)
            return
        bearer, refusal = await self._open(key)
        if bearer is None:
            await self._shut(refusal)
            return
        await self._welcome(bearer)

    async def _open(self, token: str) -> tuple[Bearer | None, int]:
        try:
            bearer, banned = await database_sync_to_async(_holder_of)(token)
        except KeyRefused:
            return None, NOT_AUTHENTICATED
        if Scope.WORKER not in bearer.key.scopes or bearer.worker_id is None or banned:
            return None, NOT_ALLOWED
        return bearer, 0

    async def _welcome(self, bearer: Bearer) -> None:
        self._bearer = bearer
        watch.add(bearer.key.digest, self._close_stranger)
        self._start(self._follow())

    async def _follow(self) -> None:
        """Join first and send the snapshot second, or a change in between is lost. Without Redis the snapshot goes out
        alone, and once Redis is back another follows, because hints were missed."""
        assert self._bearer is not None and self._bearer.worker_id is not None
        sent = False
        while True:
            try:
                async with listening(self._bearer.worker_id) as hints:
                    await self._send_snapshot()
                    sent = True
                    while True:
                        await self._send({"type": "look", "about": await hints.next()})
            except (RedisError, OSError) as error:
                log.warning("a socket is without hints: %s", error)
            if not sent:
                await self._send_snapshot()
                sent = True
            await asyncio.sleep(REJOIN_AFTER_S)

    async def _send_snapshot(self) -> None:
        assert self._bearer is not None and self._bearer.worker_id is not None
        await self._send(await database_sync_to_async(snapshot)(self._bearer.worker_id))

    async def _close_strangers(self) -> None:
        await asyncio.sleep(AUTHENTICATE_WITHIN_S)
        if self._bearer is None:
            await self._shut(NOT_AUTHENTICATED)

    async def _close_stranger(self, banned: bool) -> None:
        await self._shut(NOT_ALLOWED if banned else NOT_AUTHENTICATED)

    async def _send(self, message: dict[str, Any]) -> None:
        await self.send(text_data=json_bytes(message).decode())

    async def _shut(self, code: int) -> None:
        if not self._closed:
            self._closed = True
            await self.close(code=code)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(self._guarded(work)))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            # A socket that cannot tell what is so must not look as if nothing had happened.
            log.exception("a socket failed")
            await self._shut(FAILED)

    def _token_of_header(self) -> str | None:
        """The key of the Authorization header, "" for one that is not a bearer's, None without the header."""
        header = dict(self.scope["headers"]).get(b"authorization")
        if header is None:
            return None
        scheme, _, token = header.decode("latin-1").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


def _holder_of(token: str) -> tuple[Bearer, bool]:
    """Who holds the key, and whether he is banned. Raises `KeyRefused`."""
    bearer = bearer_of(token)
    return bearer, is_banned(bearer.user.pk)


def snapshot(worker_id: int) -> dict[str, Any]:
    """All that a worker's page needs to be right from now on."""
    worker = Worker.objects.only("public_id").get(pk=worker_id)
    leases = [lease_shape(lease) for lease in live_leases(worker_id)]
    return {"type": "snapshot", "worker": worker.public_id, "leases": leases}
