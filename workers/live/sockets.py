"""What all sockets have in common: who may come in, in what order frames come, what a reader of streams and topics is
told, and how it ends. A kind of socket says whom it admits, what it shows, and which frames of its own it takes."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from channels.consumer import AsyncConsumer

from marketplace.accounts.commands.tickets import Holder
from marketplace.common.errors import DomainError
from marketplace.common.tracing import HEADER, id_of, trace
from marketplace.rest.problems import problem_of
from workers.live import frames, limits
from workers.live.admission import Admitted, by_key, by_ticket, secret_of, token_of
from workers.live.connection import Connection
from workers.live.following import Following
from workers.live.frames import WrongFrame, frame, only, text_of
from workers.live.limits import Bucket, places
from workers.live.listener import Listener, listener
from workers.live.origins import origin_allowed
from workers.live.pool import AWAY, CHANCE, pool
from workers.live.watch import Standing

log = logging.getLogger("touchstone.live")

AUTHENTICATE_WITHIN_S = 5.0
AWAY_S = (0.3, 1.0)
T = TypeVar("T")
Job = Callable[[], Awaitable[None]]


class SocketConsumer(AsyncConsumer):
    """One socket. The framework routes to it; its loop is here, because the framework's makes a task for every message
    and asks a thread about database connections between any two.

    Frames that need the database are done one after the other, in their order; `ping` is answered at once.
    """

    socket: ClassVar[str]
    capabilities: ClassVar[tuple[str, ...]] = ("join", "topics")

    # --- what a kind of socket says ---

    def admits(self, standing: Standing) -> bool:
        """Whether somebody who stands like this may have such a socket; bans are looked at before."""
        raise NotImplementedError

    async def streams(self) -> dict[str, str | None]:
        """His personal streams by their internal names, each with what the client calls it; None where it is the
        only one."""
        raise NotImplementedError

    def snapshot(self) -> dict[str, Any]:
        """All that he must see to be right from now on. Runs in the pool, after the cursor was read."""
        raise NotImplementedError

    def topic(self, shown: str) -> str:
        """The internal name of the topic that the client calls so. Runs in the pool at every subscription; raises a
        `DomainError` for what he may not see."""
        raise NotImplementedError

    def taken(self, message: dict[str, Any]) -> Job | None:
        """What is to be done about a frame of this kind's own; None for an unknown one. Raises `WrongFrame`."""
        return None

    def welcomed(self) -> None:
        """He is in."""

    def heard(self, kind: str, body: dict[str, Any]) -> None:
        """A fact was pushed to him."""

    def left(self) -> None:
        """He is gone."""

    # --- coming in ---

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.holder: Holder | None = None
        self._greeted = False
        self.standing: Standing | None = None
        self.subscribed: dict[str, str] = {}
        self._jobs: deque[Job] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None
        await receive()
        token, origin = token_of(self.headers), self.headers.get(b"origin")
        # Closing before accepting is the protocol's 403.
        if (token is None if origin is None else not origin_allowed(origin.decode("latin-1"))) or not places.enter():
            await send({"type": "websocket.close", "code": frames.NOT_ALLOWED})
            return
        # Its lines carry the id of the request that opened it; its commands are requests of their own.
        trace(id_of(self.headers.get(HEADER.lower().encode(), b"").decode("latin-1")))
        try:
            await self._serve(token, receive, send)
        finally:
            places.leave()

    async def _serve(self, token: str | None, receive: Any, send: Any) -> None:
        admitted: Admitted | None = None
        if token is not None:
            admitted, code = self._judged(await self.patiently(by_key, token))
            if admitted is None:
                await send({"type": "websocket.close", "code": code})
                return
        self.connection = Connection(send)
        self.listener: Listener = listener()
        self.following = Following(self)
        await send({"type": "websocket.accept"})
        self.connection.narrow()
        self.listener.enter(self.connection)
        loop = asyncio.get_running_loop()
        late = loop.call_later(AUTHENTICATE_WITHIN_S, self._close_stranger)
        try:
            if admitted is not None:
                self._later(lambda: self._welcome(admitted))
            bucket = Bucket(loop.time())
            while (message := await receive())["type"] != "websocket.disconnect":
                if not self.connection.closing:
                    await self._take(message, bucket)
        finally:
            late.cancel()
            self._leave()

    def _judged(self, admitted: Admitted | None) -> tuple[Admitted | None, int]:
        if admitted is None:
            return None, frames.NOT_AUTHENTICATED
        if admitted[1].banned or not self.admits(admitted[1]):
            return None, frames.NOT_ALLOWED
        return admitted, 0

    def _close_stranger(self) -> None:
        if self.holder is None:
            self.connection.close(frames.NOT_AUTHENTICATED, "nobody authenticated within 5 seconds")

    async def _authenticate(self, how: str, secret: str) -> None:
        found = await (
            self.patiently(by_key, secret) if how == "key" else self.patiently(by_ticket, secret, self.socket)
        )
        admitted, code = self._judged(found)
        if admitted is None:
            refused = {frames.NOT_AUTHENTICATED: "this opens nothing", frames.NOT_ALLOWED: "this is not for you"}
            self.connection.close(code, refused[code])
        else:
            await self._welcome(admitted)

    async def _welcome(self, admitted: Admitted) -> None:
        holder, standing = admitted
        if not places.enter_as(holder.user_id, self.socket):
            most = limits.SOCKETS_PER_USER
            self.connection.close(frames.TOO_MANY, f"at most {most} sockets of a kind for each person")
            return
        self.holder, self.standing = holder, standing
        self.listener.watch.add(holder, standing.mark, self._close_for)
        self.listener.presence.enter(self.socket, holder.user_id)
        self.connection.push(
            frame(
                "hello",
                protocol=frames.PROTOCOL,
                socket=self.socket,
                capabilities=self.capabilities,
                limits={
                    "frame_bytes": frames.FRAME_BYTES_MAX,
                    "frames_per_s": limits.FRAMES_PER_S,
                    "window_max": limits.WINDOW_MAX,
                    "idle_s": int(limits.IDLE_S),
                },
                heartbeat_s=limits.HEARTBEAT_S,
                epoch=await self._epoch(),
                now=datetime.now(UTC),
            )
        )
        self._greeted = True
        self.welcomed()

    def _close_for(self, banned: bool) -> None:
        code = frames.NOT_ALLOWED if banned else frames.NOT_AUTHENTICATED
        self.connection.close(code, "you are banned" if banned else "what opened this socket no longer does")

    def _leave(self) -> None:
        self.connection.end()
        if self._worker is not None:
            self._worker.cancel()
        self._jobs.clear()
        self.following.stop()
        for name in self.subscribed.values():
            self.listener.topics.unsubscribe(self.connection, name)
        self.listener.leave(self.connection)
        if self.holder is not None and self.standing is not None:
            self.listener.watch.discard(self.holder, self.standing.mark, self._close_for)
            self.listener.presence.leave(self.socket, self.holder.user_id)
            places.leave_as(self.holder.user_id, self.socket)
            self.left()

    # --- frames ---

    async def _take(self, message: dict[str, Any], bucket: Bucket) -> None:
        now = asyncio.get_running_loop().time()
        self.connection.heard_at = now
        if not bucket.take(now):
            self.connection.close(frames.TOO_MANY, f"at most {limits.FRAMES_PER_S} frames a second")
            return
        said: dict[str, Any] = {}
        try:
            said = frames.read_frame(message.get("text"))
            job = self._job_of(said)
        except WrongFrame as error:
            self._refuse(error, said.get("id"))
            return
        if job is not None:
            await self._later_with_room(job)

    def _refuse(self, error: WrongFrame, asked_as: Any = None) -> None:
        facts = {"id": asked_as} if isinstance(asked_as, str) else {}
        self.connection.push(frame("error", code=error.code, detail=error.detail, **facts))
        self.connection.close(error.closes_with, error.detail)

    def _job_of(self, message: dict[str, Any]) -> Job | None:
        kind = message["type"]
        if self.holder is None and not (self._jobs or self._worker):
            secret = secret_of(message)
            if secret is None:
                raise WrongFrame("First authenticate, with a ticket.", closes_with=frames.NOT_AUTHENTICATED)
            return lambda: self._authenticate(*secret)
        if kind == "ping":
            only(message, "id")
            if not self._greeted:
                return self._pong  # `hello` is first, whatever was asked before it
            self.connection.push(frame("pong", now=datetime.now(UTC)))
            return None
        if kind == "join":
            return self.following.join_of(message)
        if kind == "snapshot":
            only(message)
            return self.following.snapshot_again
        if kind in ("subscribe", "unsubscribe"):
            only(message, "topic", "id")
            shown = text_of(message, "topic")
            asked_as = text_of(message, "id", frames.ID_LENGTH_MAX) if "id" in message else None
            if kind == "unsubscribe":
                return lambda: self._unsubscribe(shown)
            return lambda: self._subscribe(shown, asked_as)
        job = self.taken(message)
        if job is None:
            raise WrongFrame(f"There is no frame of the type {kind[:40]!r} here.")
        return job

    async def _pong(self) -> None:
        self.connection.push(frame("pong", now=datetime.now(UTC)))

    async def _subscribe(self, shown: str, asked_as: str | None) -> None:
        try:
            name = await self.patiently(self.topic, shown)
        except DomainError as error:
            problem = problem_of(error, f"/ws/{self.socket}/")
            self.connection.push(
                frame("reply", id=asked_as, status=problem["status"], body=problem, replayed=False, topic=shown)
            )
            return
        self.subscribed[shown] = name
        self.listener.topics.subscribe(self.connection, name, shown)

    async def _unsubscribe(self, shown: str) -> None:
        name = self.subscribed.pop(shown, None)
        if name is not None:
            self.listener.topics.unsubscribe(self.connection, name)

    # --- work that waits for the database ---

    def later(self, job: Job) -> None:
        """Do it after what was asked before."""
        self._later(job)

    def _later(self, job: Job) -> None:
        self._jobs.append(job)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    async def _later_with_room(self, job: Job) -> None:
        # A client that asks faster than it is answered is read no faster.
        while len(self._jobs) >= limits.INBOX_MAX and not self.connection.closing:
            self._room = asyncio.Event()
            await self._room.wait()
        self._later(job)

    async def _work(self) -> None:
        try:
            while self._jobs and not self.connection.closing:
                await self._jobs.popleft()()
                if self._room is not None:
                    self._room.set()
        except WrongFrame as error:
            self._refuse(error)
        except Exception:
            # A socket that cannot tell what is so must not look as if nothing had happened.
            log.exception("a socket failed")
            self.connection.close(frames.FAILED, "something went wrong on our side")
        finally:
            self._worker = None
            if self._room is not None:
                self._room.set()

    async def patiently(self, function: Callable[..., T], *args: object, commands: bool = False) -> T:
        """What the database says, asked again and again while it is away; `commands` for what changes something."""
        run = pool.command if commands else pool.run
        while True:
            try:
                return await run(function, *args)
            except AWAY as error:
                log.warning("a socket waits for the database: %s", error)
                await asyncio.sleep(CHANCE.uniform(*AWAY_S))

    async def _epoch(self) -> UUID:
        while True:
            try:
                return await self.listener.epoch()
            except AWAY:
                await asyncio.sleep(CHANCE.uniform(*AWAY_S))
