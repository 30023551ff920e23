"""Judge rules over one worker's history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marketplace.batches.quality.catalogue import METRICS
from marketplace.batches.quality.forms import Condition, Rule, Window
from workers.reputation.rules.events import Crowd, Event, Measured, standing
from workers.reputation.rules.metrics import View, measure
from workers.reputation.states import Kind


@dataclass(frozen=True)
class Fired:
    """A firing of a rule before: what it rested on (the newest outcome) and when its longest effect ends."""

    key: str
    upto: int
    ends_at: datetime


@dataclass(frozen=True)
class Firing:
    """A rule whose conditions hold now.

    `evidence` has the figure of each condition; `in_doubt` says that a figure's interval reaches over the threshold, so
    that the rule might not hold of the worker as he is; it rests on the outcomes after `after` up to
    `upto`.
    """

    rule: Rule
    evidence: tuple[dict[str, Any], ...]
    in_doubt: bool
    answers: int
    after: int
    upto: int
    at: datetime

    @property
    def ends_at(self) -> datetime:
        """When the longest of its effects ends."""
        hours = [action.terms.get("hours", 0) for action in self.rule.actions]
        hours += [24 for action in self.rule.actions if action.do == "escalate"]
        return self.at + timedelta(hours=max(hours, default=0))


def evaluate(
    rules: Sequence[Rule], history: Sequence[Event], *, crowd: Crowd, now: datetime, past: Sequence[Fired] = ()
) -> list[Firing]:
    """The rules that fire for the worker, in their order.

    The history is what the rule's scope covers; rules of different scope need a call for each. A rule that has fired
    looks only at what came after: nobody is measured twice for the same answers; and not before its effect has ended.
    """
    events = standing(history)
    firings = []
    for rule in rules:
        earlier = [fired for fired in past if fired.key == rule.key]
        if any(fired.ends_at > now for fired in earlier):
            continue
        after = max((fired.upto for fired in earlier), default=0)
        fresh = [event for event in events if event.id > after]
        if not fresh:
            continue
        firing = _judged(rule, fresh, crowd, now, after)
        if firing is not None:
            firings.append(firing)
    return firings


def holds(rule: Rule, history: Sequence[Event], *, crowd: Crowd, now: datetime, after: int, upto: int) -> bool:
    """Whether the rule still holds of what a firing of it at `now` rested on, after some of that was taken back.

    The history goes on beyond `upto` only to say what was taken back.
    """
    events = [event for event in standing(history) if after < event.id <= upto]
    return bool(events) and _judged(rule, events, crowd, now, after) is not None


def _judged(rule: Rule, events: Sequence[Event], crowd: Crowd, now: datetime, after: int) -> Firing | None:
    window = windowed(events, rule.window, now)
    if not window:
        return None
    view = View(window, events, crowd, now)
    figures: list[tuple[Condition, Measured]] = []
    for condition in rule.conditions:
        figure = measure(condition.metric, view)
        if not condition.holds(figure.at(condition.bound)):
            return None
        figures.append((condition, figure))
    return Firing(
        rule=rule,
        evidence=tuple(_told(condition, figure) for condition, figure in figures),
        in_doubt=any(_in_doubt(condition, figure) for condition, figure in figures),
        answers=sum(event.kind == Kind.ANSWER for event in window),
        after=after,
        upto=events[-1].id,
        at=now,
    )


def windowed(events: Sequence[Event], window: Window, now: datetime) -> list[Event]:
    """The latest so many answers with all that came of them, or the latest so many days."""
    if window.days is not None:
        return [event for event in events if event.made_at > now - timedelta(days=window.days)]
    if window.answers is None:
        return list(events)
    answers = [event for event in events if event.kind == Kind.ANSWER][-window.answers :]
    if not answers:
        return list(events)
    theirs = {event.assignment_id for event in answers if event.assignment_id is not None}
    first = answers[0].id
    return [
        event
        for event in events
        if (event.assignment_id in theirs if event.assignment_id is not None else event.id >= first)
    ]


def _in_doubt(condition: Condition, figure: Measured) -> bool:
    if not METRICS[condition.metric].interval:
        return False
    return not (condition.holds(figure.low) and condition.holds(figure.high))


def _told(condition: Condition, figure: Measured) -> dict[str, Any]:
    return {
        "metric": condition.metric,
        "bound": condition.bound,
        condition.comparison: condition.threshold,
        "value": _rounded(figure.value),
        "low": _rounded(figure.low),
        "high": _rounded(figure.high),
        "n": figure.n,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
