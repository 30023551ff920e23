"""The worker's socket: what he holds and what happened to his work, and commands with the rules of HTTP."""

from typing import Any

from marketplace.accounts.models import Scope
from marketplace.common.errors import NotFound
from marketplace.streams.routes import BOARD, address_of_worker
from workers.api.boards import board_state
from workers.api.streams import worker_state
from workers.assignments.audience.board import may_take
from workers.live.commands import KINDS, Command, command_of, reply, run_command
from workers.live.frames import ID_LENGTH_MAX, frame, only, text_of
from workers.live.pool import pool
from workers.live.sockets import Job, SocketConsumer
from workers.live.supply import Supply
from workers.live.topics import State, shows
from workers.live.watch import Standing


class NoSuchTopic(NotFound):
    code = "no-such-topic"
    title = "There is no such topic"


class WorkerConsumer(SocketConsumer):
    """`/ws/worker/`, for a key with the scope worker or a worker's session. A banned person gets none (4403), and works
    off what he holds over HTTP."""

    socket = "worker"
    capabilities = ("join", "topics", "commands", "stream", "may_take")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._supply = Supply(self)

    def admits(self, standing: Standing) -> bool:
        may_work = standing.scopes is None or Scope.WORKER in standing.scopes
        return may_work and standing.worker_id is not None

    @property
    def worker_id(self) -> int:
        """His internal id."""
        assert self.standing is not None and self.standing.worker_id is not None
        return self.standing.worker_id

    async def streams(self) -> dict[str, str | None]:
        return {address_of_worker(self.worker_id): None}

    def snapshot(self) -> dict[str, Any]:
        return worker_state(self.worker_id)

    def topic(self, shown: str) -> str:
        if shown == BOARD:
            return BOARD
        raise NoSuchTopic("A worker's socket has the topic 'board'.", topic=shown[:40])

    def left(self) -> None:
        self._supply.stop()

    def heard(self, kind: str, body: dict[str, Any]) -> None:
        self._supply.heard(kind, body)

    def taken(self, message: dict[str, Any]) -> Job | None:
        kind = message["type"]
        if kind in KINDS:
            command = command_of(message)
            ends = _ended_by(message)
            return lambda: self._run(command, ends)
        if kind == "may_take":
            only(message, "id")
            asked_as = text_of(message, "id", ID_LENGTH_MAX)
            return lambda: self._may_take(asked_as)
        if kind == "stream":
            return self._supply.stream_of(message)
        if kind == "unstream":
            return self._supply.unstream_of(message)
        return None

    async def _run(self, command: Command, ends: list[Any]) -> None:
        assert self.holder is not None
        answer = await pool.command(run_command, command, self.holder, self.headers)
        self.connection.push(reply(command, answer))
        if ends and answer.status < 300:
            self._supply.gave_up(ends)

    async def _may_take(self, asked_as: str) -> None:
        why = await self.patiently(may_take, self.worker_id)
        self.connection.push(frame("reply", id=asked_as, status=200, body={"batches": why}, replayed=False))


def _ended_by(message: dict[str, Any]) -> list[Any]:
    """The assignments that leave his hands if this succeeds."""
    if message["type"] == "return":
        return [message.get("assignment")]
    answers = message.get("answers") if message["type"] == "submit" else None
    return (
        [answer.get("assignment") for answer in answers if isinstance(answer, dict)]
        if isinstance(answers, list)
        else []
    )


def _boards(names: list[str]) -> dict[str, State]:
    return {BOARD: board_state()}


shows(BOARD, _boards)
