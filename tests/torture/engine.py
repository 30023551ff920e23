"""Carries the plan out, and knows at every moment whether something is broken on purpose."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tests.torture.faults import Injury, strike
from tests.torture.plan import Fault

GRACE_S = 2.0  # after all is healthy again
# After these the site may say that it cannot answer. All others must not be felt by anybody who asks over HTTP.
EXCUSES = ("kill_postgres", "terminate_backends", "kill_web", "kill_web_worker", "stop_web_worker")
# These take away what sweeps run on: while one of them lasts, nobody can do the work that is due.
HALTS = ("kill_postgres", "kill_valkey", "kill_worker", "kill_pool_child", "kill_beat", "stop_worker")


class Windows:
    """Spans of time.time() in which something is broken; one that `healthy` has not ended yet is open."""

    def __init__(self, healthy: Callable[[], bool]) -> None:
        self.spans: list[tuple[float, float]] = []
        self._healthy = healthy
        self._open_since: float | None = None
        self._not_before = 0.0
        self._healthy_since = time.time()
        self._lock = threading.Lock()

    def open(self, seconds: float) -> None:
        """Something breaks now, for at least so long."""
        with self._lock:
            if self._open_since is None:
                self._open_since = time.time()
            # A kill is noticed by the supervisor within a fraction of a second; before that all looks healthy.
            self._not_before = max(self._not_before, time.time() + max(1.0, seconds))

    def look(self, *, at_once: bool = False) -> bool:
        """Close what is open if all is healthy again; whether nothing is open."""
        with self._lock:
            due = self._open_since is not None and (at_once or time.time() >= self._not_before)
        if due and self._healthy():
            with self._lock:
                if self._open_since is not None and (at_once or time.time() >= self._not_before):
                    self.spans.append((self._open_since, time.time() + GRACE_S))
                    self._open_since, self._healthy_since = None, time.time()
        return self._open_since is None

    def healthy_for_s(self) -> float:
        """Seconds since the consequences of the last fault were over; 0 while they are not."""
        with self._lock:
            return 0.0 if self._open_since is not None else time.time() - self._healthy_since

    def cover(self, start: float, end: float) -> bool:
        """Whether something was broken at any moment between."""
        with self._lock:
            now_open = self._open_since is not None and end >= self._open_since
            return now_open or any(start <= till and since <= end for since, till in self.spans)

    def within(self, seconds: float) -> float:
        """For how many of the last seconds something was broken, or had been just before."""
        now = time.time()
        with self._lock:
            spans = [*self.spans, *([(self._open_since, now)] if self._open_since is not None else [])]
        return sum(max(0.0, min(now, till) - max(now - seconds, since)) for since, till in spans)

    def seconds(self) -> float:
        """How long something was broken, in all."""
        with self._lock:
            return sum(end - GRACE_S - start for start, end in self.spans)


class Engine:
    """Strikes at the times of the plan. A kill that finds no victim is tried again with each fault that follows."""

    def __init__(self, plan: list[Fault], injury: Injury, say: Callable[[str], None]) -> None:
        self.plan = plan
        self.happened: list[Fault] = []
        self.broken = Windows(injury.site.healthy)
        self.excused = Windows(injury.site.answers)
        self.halted = Windows(injury.site.sweeps)
        self.done = threading.Event()  # every fault of the plan has happened, and every kill has found its victim
        self._owed: list[Fault] = []
        self._injury = injury
        self._say = say
        self._over = threading.Event()

    def start(self) -> None:
        """Begin: the plan's zero is now."""
        threading.Thread(target=self._strike_all, args=(time.monotonic(),), name="faults", daemon=True).start()
        threading.Thread(target=self._watch, name="health", daemon=True).start()

    def end(self, limit_s: float = 90.0) -> bool:
        """No more faults; undo them all and wait until everything is healthy. Whether it became so."""
        self._over.set()
        self.broken.open(0.0)
        self._injury.heal()
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if all(windows.look(at_once=True) for windows in (self.broken, self.excused, self.halted)):
                return True
            time.sleep(0.2)
        return False

    def _strike_all(self, zero: float) -> None:
        for fault in self.plan:
            if self._over.wait(max(0.0, zero + fault.at - time.monotonic())):
                return
            owed, self._owed = self._owed, []
            for each in (*owed, fault):
                self._strike(each)
        while self._owed and not self._over.wait(1.0):
            self._strike(self._owed.pop(0))
        self.done.set()

    def _strike(self, fault: Fault) -> None:
        self.broken.open(fault.seconds)
        for kinds, windows in ((EXCUSES, self.excused), (HALTS, self.halted)):
            if fault.kind in kinds:
                windows.open(fault.seconds)
        happened = strike(fault, self._injury)
        if happened:
            self.happened.append(fault)
        elif fault.kills:
            self._owed.append(fault)
        self._say(f"{fault}" + ("" if happened else "  … found no victim"))

    def _watch(self) -> None:
        while not self._over.wait(0.3):
            for windows in (self.excused, self.halted, self.broken):
                windows.look()
