"""One socket's way through its personal streams: join → snapshot → changes, or what it missed since its cursor."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from marketplace.streams import queries
from marketplace.streams.queries import Entry
from workers.live.frames import WrongFrame, frame, only
from workers.live.reader import Follower

if TYPE_CHECKING:
    from workers.live.sockets import SocketConsumer

SEQ_MAX = 2**63 - 1


class Following:
    """Where the socket is in each of its streams. A cursor is {"epoch", "seq"}, or {"epoch", "seqs": {name: seq}} where
    there are several streams."""

    def __init__(self, socket: "SocketConsumer") -> None:
        self._socket = socket
        self._followers: dict[str, Follower] = {}
        self._asked = False
        self._replaying: set[str] = set()
        self._resumed_from: dict[str, Any] | None = None
        self._wants_snapshot = False

    @property
    def joined(self) -> bool:
        """Whether the client has joined and been told where it stands."""
        return bool(self._followers)

    def join_of(self, message: dict[str, Any]) -> Callable[[], Awaitable[None]]:
        """What a `join` asks for. Raises `WrongFrame`."""
        only(message, "cursor")
        cursor = message.get("cursor")
        if self._asked:
            raise WrongFrame("This socket has joined already.")
        if cursor is not None and not _is_cursor(cursor):
            raise WrongFrame("A cursor is as it was told: an epoch with seq or seqs.")
        self._asked = True
        return lambda: self._join(cursor)

    async def snapshot_again(self) -> None:
        """Another snapshot, from which the facts go on."""
        if not self._asked:
            raise WrongFrame("Join first.")
        await self._snapshot(None)

    def stop(self) -> None:
        """Read nothing more."""
        for follower in self._followers.values():
            self._socket.listener.reader.unfollow(follower)
        self._followers.clear()

    async def _join(self, cursor: dict[str, Any] | None) -> None:
        if cursor is None:
            await self._snapshot(None)
            return
        streams = await self._socket.streams()
        seqs = {stream: _seq_of(cursor, label) for stream, label in streams.items()}
        if cursor["epoch"] != str(self._socket.listener.reader.epoch):
            await self._snapshot("epoch")
        elif None in seqs.values():
            await self._snapshot("expired")
        else:
            self._resumed_from = cursor
            self._replaying = set(streams)
            for stream, label in streams.items():
                self._follow(stream, seqs[stream] or 0, label, started=False)

    def _follow(self, stream: str, seq: int, label: str | None, *, started: bool) -> None:
        follower = self._followers.get(stream)
        if follower is None:
            follower = Follower(
                self._socket.connection, stream, seq,
                label=label, started=started, caught_up=self._caught_up, lost=self._lost, heard=self._heard,
            )  # fmt: skip
            self._followers[stream] = follower
        follower.seq, follower.started = seq, started
        self._socket.listener.reader.follow(follower)

    async def _snapshot(self, reason: str | None, lost: Follower | None = None) -> None:
        streams = await self._socket.streams()
        epoch, heads, state = await self._socket.patiently(self._read, list(streams))
        self._wants_snapshot = False
        if lost is not None and lost.seq > heads.get(lost.stream, 0):
            reason = "ahead"
        if reason is not None:
            self._socket.connection.push(frame("snapshot_required", reason=reason))
        self._replaying.clear()
        self._resumed_from = None
        for stream in set(self._followers) - set(streams):
            self._socket.listener.reader.unfollow(self._followers.pop(stream))
        reader = self._socket.listener.reader
        if reader.epoch != epoch:
            self.stop()
            reader.renewed(epoch)
        for stream, label in streams.items():
            self._follow(stream, heads.get(stream, 0), label, started=True)
        self._socket.connection.push(frame("snapshot", cursor=self._cursor(epoch), **state))

    def _read(self, streams: list[str]) -> tuple[UUID, dict[str, int], dict[str, Any]]:
        # The cursor comes first: what happens while the state is read then comes again as a fact, and is not lost.
        return queries.epoch(), queries.heads(streams), self._socket.snapshot()

    def _cursor(self, epoch: UUID | None) -> dict[str, Any]:
        seqs = {follower.label: follower.seq for follower in self._followers.values()}
        return {"epoch": epoch, "seq": seqs[None]} if None in seqs else {"epoch": epoch, "seqs": seqs}

    def _caught_up(self, follower: Follower, only_started: bool) -> None:
        connection = self._socket.connection
        if only_started:
            if self._resumed_from is not None:
                connection.push(frame("resumed", cursor=self._resumed_from))
                self._resumed_from = None
            return
        if follower.stream in self._replaying:
            self._replaying.discard(follower.stream)
            if not self._replaying:
                connection.push(frame("caught_up", cursor=self._cursor(self._socket.listener.reader.epoch)))

    def _lost(self, follower: Follower, reason: str) -> None:
        if not self._wants_snapshot:
            self._wants_snapshot = True
            self._socket.later(lambda: self._snapshot(reason, follower))

    def _heard(self, entry: Entry) -> None:
        self._socket.heard(entry.kind, entry.body)


def _is_cursor(cursor: Any) -> bool:
    if not isinstance(cursor, dict) or not isinstance(cursor.get("epoch"), str):
        return False
    if set(cursor) == {"epoch", "seq"}:
        return _is_seq(cursor["seq"])
    if set(cursor) != {"epoch", "seqs"} or not isinstance(cursor["seqs"], dict):
        return False
    return all(_is_seq(seq) for seq in cursor["seqs"].values())


def _is_seq(number: Any) -> bool:
    return type(number) is int and 0 <= number <= SEQ_MAX


def _seq_of(cursor: dict[str, Any], label: str | None) -> int | None:
    found: int | None = cursor.get("seq") if label is None else cursor.get("seqs", {}).get(label)
    return found
