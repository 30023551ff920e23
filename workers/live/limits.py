"""How much one client may ask of the live server (R26)."""

from collections import Counter

from django.conf import settings

FRAMES_PER_S = 20
# So many at once are all right after a quiet second or two.
BURST = 40
SOCKETS_PER_USER = 3
WINDOW_MAX = 20
IDLE_S = 60.0
HEARTBEAT_S = 20
# Frames of one socket that wait for the database; behind them its reader waits.
INBOX_MAX = 32


class Bucket:
    """A token bucket: `BURST` frames at once, `FRAMES_PER_S` in the long run."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float) -> None:
        self._tokens = float(BURST)
        self._at = now

    def take(self, now: float) -> bool:
        """Whether one more frame is within the limit."""
        self._tokens = min(float(BURST), self._tokens + (now - self._at) * FRAMES_PER_S)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Places:
    """How many sockets this process has, in all and for each user and kind. It bounds what a process holds in memory,
    so each process counts its own."""

    def __init__(self) -> None:
        self._all = 0
        self._of: Counter[tuple[int, str]] = Counter()

    def __len__(self) -> int:
        return self._all

    def enter(self) -> bool:
        """Take one of the process's places, if there is one."""
        if self._all >= settings.LIVE_SOCKETS_MAX:
            return False
        self._all += 1
        return True

    def leave(self) -> None:
        """Give it back."""
        self._all -= 1

    def enter_as(self, user_id: int, kind: str) -> bool:
        """Take one of the user's places, if he has one left."""
        if self._of[user_id, kind] >= SOCKETS_PER_USER:
            return False
        self._of[user_id, kind] += 1
        return True

    def users(self, kind: str) -> set[int]:
        """Who has a socket of this kind here."""
        return {user_id for user_id, his in self._of if his == kind}

    def leave_as(self, user_id: int, kind: str) -> None:
        """Give it back."""
        self._of[user_id, kind] -= 1
        if not self._of[user_id, kind]:
            del self._of[user_id, kind]


places = Places()
