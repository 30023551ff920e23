"""Carries the plan out, and knows at every moment whether something is broken on purpose."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tests.torture.faults import Injury, strike
from tests.torture.plan import Fault

GRACE_S = 2.0  # after all is healthy again


class Engine:
    """Strikes at the times of the plan. `windows` are the spans, by time.time(), in which refusals are expected."""

    def __init__(self, plan: list[Fault], injury: Injury, say: Callable[[str], None]) -> None:
        self.plan = plan
        self.happened: list[Fault] = []
        self.windows: list[tuple[float, float]] = []
        self._injury = injury
        self._say = say
        self._open_since: float | None = None
        self._not_before = 0.0
        self._healthy_since = time.time()
        self._over = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin: the plan's zero is now."""
        threading.Thread(target=self._strike_all, args=(time.monotonic(),), name="faults", daemon=True).start()
        threading.Thread(target=self._watch, name="health", daemon=True).start()

    def healthy_for_s(self) -> float:
        """Seconds since the last fault's consequences were over; 0 while they are not."""
        with self._lock:
            return 0.0 if self._open_since is not None else time.time() - self._healthy_since

    def in_window(self, moment: float) -> bool:
        """Whether something was broken on purpose then."""
        with self._lock:
            now_open = self._open_since is not None and moment >= self._open_since
            return now_open or any(start <= moment <= end for start, end in self.windows)

    def end(self, limit_s: float = 90.0) -> bool:
        """No more faults; undo them all and wait until everything is healthy. Whether it became so."""
        self._over.set()
        self._open(0.0)
        self._injury.heal()
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if self._injury.site.healthy():
                self._close()
                return True
            time.sleep(0.2)
        return False

    def _strike_all(self, zero: float) -> None:
        for fault in self.plan:
            if self._over.wait(max(0.0, zero + fault.at - time.monotonic())):
                return
            self._open(fault.seconds)
            happened = strike(fault, self._injury)
            if happened:
                self.happened.append(fault)
            self._say(f"{fault}" + ("" if happened else "  … found no victim"))

    def _open(self, seconds: float) -> None:
        with self._lock:
            if self._open_since is None:
                self._open_since = time.time()
            # A kill is noticed by the supervisor within a fraction of a second; before that all looks healthy.
            self._not_before = max(self._not_before, time.time() + max(1.0, seconds))

    def _close(self) -> None:
        with self._lock:
            if self._open_since is not None:
                self.windows.append((self._open_since, time.time() + GRACE_S))
                self._open_since, self._healthy_since = None, time.time()

    def _watch(self) -> None:
        while not self._over.wait(0.4):
            with self._lock:
                due = self._open_since is not None and time.time() >= self._not_before
            if due and self._injury.site.healthy() and time.time() >= self._not_before:
                self._close()
