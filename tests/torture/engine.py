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

    def cover(self, moment: float) -> bool:
        """Whether something was broken then."""
        with self._lock:
            now_open = self._open_since is not None and moment >= self._open_since
            return now_open or any(start <= moment <= end for start, end in self.spans)

    def seconds(self) -> float:
        """How long something was broken, in all."""
        with self._lock:
            return sum(end - GRACE_S - start for start, end in self.spans)


class Engine:
    """Strikes at the times of the plan."""

    def __init__(self, plan: list[Fault], injury: Injury, say: Callable[[str], None]) -> None:
        self.plan = plan
        self.happened: list[Fault] = []
        self.broken = Windows(injury.site.healthy)
        self.excused = Windows(injury.site.answers)
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
            if self.broken.look(at_once=True) and self.excused.look(at_once=True):
                return True
            time.sleep(0.2)
        return False

    def _strike_all(self, zero: float) -> None:
        for fault in self.plan:
            if self._over.wait(max(0.0, zero + fault.at - time.monotonic())):
                return
            self.broken.open(fault.seconds)
            if fault.kind in EXCUSES:
                self.excused.open(fault.seconds)
            happened = strike(fault, self._injury)
            if happened:
                self.happened.append(fault)
            self._say(f"{fault}" + ("" if happened else "  … found no victim"))

    def _watch(self) -> None:
        while not self._over.wait(0.3):
            self.excused.look()
            self.broken.look()
