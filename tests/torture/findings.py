"""What is wrong, as values, and the place where everybody puts it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

# What a finding is counted as in the report.
LOST = "lost"
DUPLICATED = "duplicated"
OVERLAP = "overlap_exceeded"
STUCK = "stuck_places"
INVARIANT = "invariant_violations"
DEADLOCK = "deadlocks"
HTTP_5XX = "http_5xx"
SURPRISE = "surprises"
KINDS = (LOST, DUPLICATED, OVERLAP, STUCK, INVARIANT, DEADLOCK, HTTP_5XX, SURPRISE)


@dataclass(frozen=True)
class Finding:
    """One thing that must not be: counted as `kind`, noticed `by` a checker, about `what`."""

    kind: str
    by: str
    what: str
    detail: str = ""


@dataclass
class Findings:
    """Every finding once, however often it is seen; safe between threads."""

    started: float = field(default_factory=time.monotonic)
    _seen: dict[tuple[str, str, str], Finding] = field(default_factory=dict)
    _after_s: dict[Finding, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, found: Iterable[Finding]) -> list[Finding]:
        """Keep what is new; returns it."""
        new = []
        with self._lock:
            for finding in found:
                key = (finding.kind, finding.by, finding.what)
                if key not in self._seen:
                    self._seen[key] = finding
                    self._after_s[finding] = time.monotonic() - self.started
                    new.append(finding)
        return new

    def all(self) -> list[Finding]:
        """In the order in which they were seen first."""
        with self._lock:
            return list(self._seen.values())

    def first(self, telling: Callable[[Finding], bool] = lambda finding: True) -> Finding | None:
        """The first of them, or of those that tell."""
        return next(filter(telling, self.all()), None)

    def after_s(self, finding: Finding) -> float:
        """How many seconds after the beginning it was seen first."""
        return self._after_s[finding]

    def count(self, kind: str) -> int:
        """How many different ones of a kind."""
        return sum(finding.kind == kind for finding in self.all())
