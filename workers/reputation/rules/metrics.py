"""Every metric of the catalogue, from a window of a worker's history."""

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from workers.reputation.rules.events import Crowd, Event, Measured, Scored, scored
from workers.reputation.rules.haste import fast_share, median_seconds, share
from workers.reputation.rules.repetition import repetition
from workers.reputation.rules.spam import confusion_of, guessing, spammer_score
from workers.reputation.rules.turning import turned
from workers.reputation.states import Kind

# Draws begin anew for every figure, so that the same history always gives the same one.
SEED = 2012


class View:
    """A window of a worker's history; `earlier` is all of it that may count, for a level to compare with."""

    def __init__(self, window: Sequence[Event], earlier: Sequence[Event], crowd: Crowd, now: datetime) -> None:
        self.window = window
        self.earlier = earlier
        self.crowd = crowd
        self.now = now

    def of(self, kind: str) -> list[Event]:
        """The window's outcomes of one kind."""
        return [event for event in self.window if event.kind == kind]

    def here(self) -> list[Event]:
        """The window's outcomes in the batch that the crowd is known of."""
        known = self.crowd.batch_id
        return [event for event in self.window if known is None or event.batch_id == known]

    def classes(self, judged: Sequence[Scored]) -> int:
        """How many labels there are; 0 where what was judged are no labels."""
        seen = {label for one in judged for label in (one.truth, one.given) if label is not None}
        return max(self.crowd.classes, len(seen), 2) if seen else self.crowd.classes


def measure(name: str, view: View) -> Measured:
    """The figure of that name. Raises `KeyError` for one that is not in the catalogue."""
    return _METRICS[name](view)


def _mean_score(*kinds: str) -> Callable[[View], Measured]:
    def measured(view: View) -> Measured:
        judged = scored(view.window, kinds)
        right = sum(one.weight * one.score for one in judged)
        return share(right, sum(one.weight for one in judged) - right, len(judged))

    return measured


def _count(number: int) -> Measured:
    return Measured(number, number, number, number)


def _agreements(view: View) -> Measured:
    return _count(len(scored(view.window, (Kind.AGREEMENT,))))


def _skips(view: View) -> Measured:
    skips = 0
    for event in reversed(view.window):
        if event.kind == Kind.ANSWER:
            break
        skips += event.kind == Kind.SKIP
    return _count(skips)


def _accepted(view: View) -> Measured:
    decided = [event.score for event in view.of(Kind.REVIEW) if event.score is not None]
    accepted = sum(score >= 0.5 for score in decided)
    return share(accepted, len(decided) - accepted)


def _submitted(view: View) -> Measured:
    seen = sum(event.kind == Kind.ANSWER for event in view.earlier)
    return _count(max(seen, view.crowd.submitted or 0))


def _income_today(view: View) -> Measured:
    today = view.now.date()
    paid = [
        view.crowd.pay_micros.get(event.batch_id, 0)
        for event in view.earlier
        if event.kind == Kind.ANSWER and event.made_at.astimezone(view.now.tzinfo).date() == today
    ]
    return Measured(sum(paid), sum(paid), sum(paid), len(paid))


def _spammer(view: View) -> Measured:
    return spammer_score(confusion_of(scored(view.window)), np.random.default_rng(SEED))


def _guessing(view: View) -> Measured:
    judged = scored(view.window)
    return guessing(judged, view.classes(judged))


def _turned(view: View) -> Measured:
    judged = scored(view.earlier)
    return turned(judged, view.classes(judged))


_METRICS: dict[str, Callable[[View], Measured]] = {
    "gold_accuracy": _mean_score(Kind.GOLD),
    "gold_answers": lambda view: _count(len(scored(view.window, (Kind.GOLD,)))),
    "agreement": _mean_score(Kind.AGREEMENT),
    "agreements": _agreements,
    "reliability": _mean_score(Kind.GOLD, Kind.AGREEMENT, Kind.REVIEW),
    "guessing": _guessing,
    "fast_share": lambda view: fast_share(view.here(), view.crowd.fast_below_ms),
    "median_seconds": lambda view: median_seconds(view.window),
    "skips_in_row": _skips,
    "acceptance_rate": _accepted,
    "decided": lambda view: _count(sum(event.score is not None for event in view.of(Kind.REVIEW))),
    "answers": lambda view: _count(len(view.of(Kind.ANSWER))),
    "submitted": _submitted,
    "income_day_micros": _income_today,
    "review_accuracy": _mean_score(Kind.REVIEW),
    "spammer_score": _spammer,
    "repetition": lambda view: repetition(view.here(), view.crowd.shares),
    "turned": _turned,
    "training_score": _mean_score(Kind.TRAINING),
    "exam_score": _mean_score(Kind.EXAM),
}
