"""The requester's end of a batch: accepting what came in, waiting until it is paid, and settling."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from tests.crowd.client import Json, Session

ACCEPT_EVERY_S = 1.0
LOOK_EVERY_S = 0.5


class TooSlow(Exception):
    """What was promised did not come within the time limit; the sentence says what the batch looked like then."""


def accept_what_waits(requester: Session, batch_id: str) -> int:
    """Accept every answer that waits, a thousand at a time. Returns how many."""
    accepted = 0
    while True:
        reply = requester.accept_all(batch_id)
        accepted += int(reply["accepted"])
        if not reply["remaining"]:
            return accepted


class AcceptingAlongside:
    """`with AcceptingAlongside(session, batch):` accepts in a thread meanwhile. Its errors are raised at the end."""

    def __init__(self, requester: Session, batch_id: str) -> None:
        self.requester = requester
        self.batch_id = batch_id
        self.accepted = 0
        self._failure: BaseException | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="requester", daemon=True)

    def _run(self) -> None:
        try:
            while not self._over.wait(ACCEPT_EVERY_S):
                self.accepted += accept_what_waits(self.requester, self.batch_id)
        except BaseException as why:
            self._failure = why

    def __enter__(self) -> AcceptingAlongside:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        if self._failure and why is None:
            raise self._failure


def settle(requester: Session, batch_id: str, *, price_micros: int, limit_s: float, patience_s: float = 5.0) -> Json:
    """Accept the rest, wait until all of it is paid and the batch is settled; return its last progress.

    A batch that is all paid but still open after `patience_s` is closed. Raises `TooSlow` after `limit_s`.
    """
    deadline = time.monotonic() + limit_s
    paid_since: float | None = None
    closed = False
    while True:
        accept_what_waits(requester, batch_id)
        now = requester.progress(batch_id)
        if now["state"] in {"settled", "cancelled"}:
            return now
        if not now["leased"] and not now["submitted"] and now["paid_micros"] == now["accepted"] * price_micros:
            paid_since = paid_since if paid_since is not None else time.monotonic()
            if not closed and now["state"] in {"published", "paused"} and time.monotonic() - paid_since >= patience_s:
                requester.close(batch_id)
                closed = True
                continue
        if time.monotonic() > deadline:
            facts = ", ".join(f"{name} {value}" for name, value in now.items())
            raise TooSlow(f"The batch did not settle within {limit_s:.0f} s; its progress is {facts}.")
        time.sleep(LOOK_EVERY_S)
