"""The asynchronous side of stream mode: when to look again, what to push, and staying in line for as long as the socket
lives."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID
from weakref import WeakKeyDictionary

from workers.api.shapes import lease_shape
from workers.live.commands import place_of
from workers.live.filling import (
    ENDED,
    FILLING,
    STAY_EVERY_S,
    WAITING,
    Filled,
    Filling,
    fill,
    leave_line,
    no_such_batch,
    stand,
)
from workers.live.frames import ID_LENGTH_MAX, WrongFrame, frame, only, text_of
from workers.live.limits import WINDOW_MAX
from workers.live.listener import Listener
from workers.live.pool import pool

if TYPE_CHECKING:
    from workers.live.consumers import WorkerConsumer

STREAMS_MAX = 20
Job = Callable[[], Awaitable[None]]
Look = Callable[[], None]


class Lines:
    """Who of this process stands in which line; prolonged for all of them by one statement."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._waits: dict[tuple[int, int], set[Look]] = {}
        self._said_at = 0.0
        self._leaving: set[asyncio.Task[None]] = set()
        listener.rounds["lines"] = self._round

    def add(self, pair: tuple[int, int], look: Look) -> None:
        """Prolong this worker's wait for this batch; `look` is called when he is in line no more."""
        self._waits.setdefault(pair, set()).add(look)

    def discard(self, pair: tuple[int, int], look: Look, *, leave: bool) -> None:
        """Prolong it no longer; with `leave` he leaves the line too, unless another socket of his waits."""
        looks = self._waits.get(pair)
        if looks is None or look not in looks:
            return
        looks.discard(look)
        if not looks:
            del self._waits[pair]
            if leave:
                task = asyncio.create_task(self._leave(pair))
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)

    async def _leave(self, pair: tuple[int, int]) -> None:
        # Should this fail, his wait ends by itself half a minute later.
        await pool.read(leave_line, *pair)

    async def _round(self) -> None:
        now = asyncio.get_running_loop().time()
        if not self._waits or now - self._said_at < STAY_EVERY_S:
            return
        self._said_at = now
        for pair in await pool.read(stand, list(self._waits)):
            for look in list(self._waits.get(pair, ())):
                look()


_lines: WeakKeyDictionary[Listener, Lines] = WeakKeyDictionary()


def lines_of(listener: Listener) -> Lines:
    """The lines that are prolonged by this listener's rounds."""
    if listener not in _lines:
        _lines[listener] = Lines(listener)
    return _lines[listener]


class Supply:
    """The batches that one socket is kept supplied from."""

    def __init__(self, socket: "WorkerConsumer") -> None:
        self._socket = socket
        self._fillings: dict[UUID, Filling] = {}
        self._looks: dict[UUID, Look] = {}

    def stream_of(self, message: dict[str, Any]) -> Job:
        """What a `stream` asks for. Raises `WrongFrame`."""
        only(message, "id", "batch", "window")
        shown, window = _batch_and_id(message), message.get("window")
        if type(window) is not int or not 1 <= window <= WINDOW_MAX:
            raise WrongFrame(f"A window is a whole number from 1 to {WINDOW_MAX}.")
        return lambda: self._start(shown, window)

    def unstream_of(self, message: dict[str, Any]) -> Job:
        """What an `unstream` asks for: what he holds stays his. Raises `WrongFrame`."""
        only(message, "id", "batch")
        shown = _batch_and_id(message)
        return lambda: self._end(shown)

    def heard(self, kind: str, body: dict[str, Any]) -> None:
        """A fact: look again at what it changes."""
        for filling in self._fillings.values():
            if filling.concerns(kind, body):
                self._ask(filling)

    def gave_up(self, assignments: list[Any]) -> None:
        """He submitted or returned these here: fill what has become free."""
        for filling in self._fillings.values():
            if any(name in filling.pushed for name in assignments if isinstance(name, str)):
                self._ask(filling)

    def stop(self) -> None:
        """The socket is gone."""
        for filling in self._fillings.values():
            self._out_of_line(filling, leave=True)
        self._fillings.clear()

    async def _start(self, shown: str, window: int) -> None:
        batch = place_of(shown)
        if batch is None:
            problem = no_such_batch()
            self._socket.connection.push(frame("stream", batch=shown, state=ENDED, problem=problem))
            return
        filling = self._fillings.get(batch)
        if filling is None:
            if len(self._fillings) >= STREAMS_MAX:
                raise WrongFrame(f"At most {STREAMS_MAX} batches are streamed to one socket.")
            filling = self._fillings[batch] = Filling(batch, window)
        filling.window = window
        self._say(filling, FILLING)
        await self._fill(filling)

    async def _end(self, shown: str) -> None:
        batch = place_of(shown)
        filling = None if batch is None else self._fillings.pop(batch, None)
        if filling is not None:
            self._out_of_line(filling, leave=True)
            self._say(filling, ENDED)

    def _ask(self, filling: Filling) -> None:
        # Whatever happens until the look happens is seen by it.
        if not filling.asked:
            filling.asked = True
            self._socket.later(lambda: self._fill(filling))

    async def _fill(self, filling: Filling) -> None:
        filling.asked = False
        if self._fillings.get(filling.batch) is not filling:
            return
        mine = self._socket
        asked = (mine.worker_id, filling.batch, filling.window, mine.headers)
        filled = await mine.patiently(fill, *asked, commands=True)
        if self._fillings.get(filling.batch) is filling:
            self._show(filling, filled)

    def _show(self, filling: Filling, filled: Filled) -> None:
        filling.batch_id = filled.batch_id
        fresh = filling.fresh(filled.leases)
        if fresh:
            shapes = [lease_shape(lease) for lease in fresh]
            self._socket.connection.push(frame("tasks", batch=filling.batch, assignments=shapes))
        self._say(filling, filled.state, filled.problem)
        if filled.state == WAITING and filled.batch_id is not None:
            pair = (self._socket.worker_id, filled.batch_id)
            look = self._looks.setdefault(filling.batch, lambda: self._ask(filling))
            lines_of(self._socket.listener).add(pair, look)
        else:
            self._out_of_line(filling, leave=False)
        if filled.state == ENDED:
            del self._fillings[filling.batch]

    def _say(self, filling: Filling, state: str, problem: dict[str, Any] | None = None) -> None:
        if filling.state != state:
            filling.state = state
            facts = {} if problem is None else {"problem": problem}
            self._socket.connection.push(frame("stream", batch=filling.batch, state=state, **facts))

    def _out_of_line(self, filling: Filling, *, leave: bool) -> None:
        look = self._looks.pop(filling.batch, None)
        if look is not None and filling.batch_id is not None:
            pair = (self._socket.worker_id, filling.batch_id)
            lines_of(self._socket.listener).discard(pair, look, leave=leave)


def _batch_and_id(message: dict[str, Any]) -> str:
    if "id" in message:
        text_of(message, "id", ID_LENGTH_MAX)
    return text_of(message, "batch", 100)
