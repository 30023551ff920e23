"""Speeders: who answers faster than honest work of the same kind takes.

The limit is not a number of ours but a lower quantile of the times of answers by workers who are known to work well,
for each answer type of the batch; no worker counts for more than a few of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workers.reputation.rules.events import Event, Measured
from workers.reputation.scoring import Posterior
from workers.reputation.states import Kind

QUANTILE = 0.05
EACH_MAX = 40
WORKERS_LEAST = 5
TIMES_LEAST = 60


@dataclass(frozen=True)
class Timed:
    """How long a worker took for an answer of a type."""

    worker_id: int
    answer_type: str
    took_ms: int


def fast_limits(times: Iterable[Timed], trusted: frozenset[int] | set[int]) -> dict[str, float]:
    """By answer type, the time below which lie the fastest 5 % of the trusted workers' answers; a type of which too few
    times of too few workers are known has none."""
    by_type: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for one in times:
        theirs = by_type[one.answer_type][one.worker_id]
        if one.worker_id in trusted and len(theirs) < EACH_MAX:
            theirs.append(one.took_ms)
    limits = {}
    for answer_type, workers in by_type.items():
        known = [sorted(theirs) for theirs in workers.values() if theirs]
        if len(known) >= WORKERS_LEAST and sum(map(len, known)) >= TIMES_LEAST:
            limits[answer_type] = float(np.quantile(np.concatenate(known), QUANTILE))
    return limits


def fast_share(events: Sequence[Event], fast_below_ms: Mapping[str, float]) -> Measured:
    """The share of answers that were faster than their type's limit, of those whose type has one."""
    looked = [
        event.took_ms < fast_below_ms[event.answer_type]
        for event in events
        if event.kind == Kind.ANSWER and event.took_ms is not None and event.answer_type in fast_below_ms
    ]
    return share(sum(looked), len(looked) - sum(looked))


def share(yes: float, no: float, n: int | None = None) -> Measured:
    """A share with its interval, from a Beta(1, 1) and what was seen; of nothing seen the value is not known."""
    posterior = Posterior(1 + yes, 1 + no)
    low, high = posterior.interval()
    seen = int(yes + no) if n is None else n
    return Measured(posterior.mean if seen else None, low, high, seen)


def median_seconds(events: Sequence[Event]) -> Measured:
    """The median time of an answer; its interval by the order of the times (binomial, distribution-free)."""
    times = sorted(e.took_ms / 1000 for e in events if e.kind == Kind.ANSWER and e.took_ms is not None)
    n = len(times)
    if not n:
        return Measured(None, 0.0, None, 0)
    reach = 0.98 * n**0.5
    low = times[max(0, int(np.floor(n / 2 - reach)))]
    high = times[min(n - 1, int(np.ceil(n / 2 + reach)))]
    return Measured(float(np.median(times)), low, high, n)
