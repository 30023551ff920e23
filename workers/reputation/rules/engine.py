"""Judge rules over one worker's history."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from marketplace.batches.quality.catalogue import METRICS
from marketplace.batches.quality.forms import Condition, Rule, Window
from workers.reputation.rules.events import Crowd, Event, Measured, standing
from workers.reputation.rules.metrics import View, measure
from workers.reputation.rules.steps import STEP, seen_by, step_of, steps_in
from workers.reputation.states import Kind


@dataclass(frozen=True)
class Fired:
    """A firing before, of this rule or another on the same grounds: what it rested on (the newest outcome) and when its
    longest effect ends. One without grounds says that nothing up to there counts any more, for whatever rule."""

    grounds: str
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
    def fired(self) -> Fired:
        """The same as rules will look back on it."""
        return Fired(grounds_of(self.rule), self.upto, self.ends_at)

    @property
    def ends_at(self) -> datetime:
        """When the longest of its effects ends."""
        hours = [action.terms.get("hours", 0) for action in self.rule.actions]
        hours += [24 for action in self.rule.actions if action.do == "escalate"]
        return self.at + timedelta(hours=max(hours, default=0))


def grounds_of(rule: Rule) -> str:
    """A name that changes with what the rule looks at and when it holds, but not with its words or what it does: under
    another name it must not limit anybody for the same answers again."""
    conditions = sorted([c.metric, c.comparison, float(c.threshold), c.bound] for c in rule.conditions)
    return json.dumps([rule.platform, rule.scope, rule.window.answers, rule.window.days, conditions])


def evaluate(
    rules: Sequence[Rule],
    history: Sequence[Event],
    *,
    crowd: Crowd,
    now: datetime,
    past: Sequence[Fired] = (),
    ends: Mapping[int, int] | None = None,
) -> list[Firing]:
    """The rules that fire for the worker, in their order.

    The history is what the rule's scope covers; rules of different scope need a call for each. A rule that has fired
    looks only at what came after: nobody is measured twice for the same answers; and not before its effect has ended.
    One on nothing but how many answers there are in all fires once: that number is crossed once.
    `ends` says which answer ended the last full step of each length (`rules.steps`); they are counted in the history
    where it is left out, which then has to begin with the first answer.
    """
    ends = steps_in(history) if ends is None else ends
    if crowd.submitted is None:
        crowd = replace(crowd, submitted=sum(event.kind == Kind.ANSWER for event in history))
    firings = []
    # Rules that see steps of the same length see the same of the history: it is put in order once for all of them.
    looks: dict[int, tuple[list[Event], datetime]] = {}
    for rule in rules:
        earlier = [fired for fired in past if fired.grounds == grounds_of(rule)]
        once = all(condition.metric == "submitted" for condition in rule.conditions)
        if any(once or fired.ends_at > now for fired in earlier):
            continue
        after = max((fired.upto for fired in past if fired in earlier or not fired.grounds), default=0)
        step = step_of(rule)
        if step not in looks:
            seen = seen_by(rule, history, ends)
            looks[step] = standing(seen), _as_of(rule, seen, now)
        stands, as_of = looks[step]
        fresh = [event for event in stands if event.id > after]
        if not fresh:
            continue
        firing = _judged(rule, fresh, crowd, now, as_of, after)
        if firing is not None:
            firings.append(firing)
    return firings


def holds(rule: Rule, history: Sequence[Event], *, crowd: Crowd, now: datetime, after: int, upto: int) -> bool:
    """Whether the rule still holds of what a firing of it at `now` rested on, after some of that was taken back.

    The history goes on beyond `upto` only to say what was taken back.
    """
    events = [event for event in standing(history) if after < event.id <= upto]
    seen = [event for event in history if event.id <= upto]
    return bool(events) and _judged(rule, events, crowd, now, _as_of(rule, seen, now), after) is not None


def _as_of(rule: Rule, seen: Sequence[Event], now: datetime) -> datetime:
    """The moment from which days are counted back. Between two steps no answer may leave the window of a rule that
    sees steps: that would tell of the one answer as acting on it would."""
    if step_of(rule) == 1:
        return now
    return max((event.made_at for event in seen if event.kind != Kind.UNDO), default=now)


def _judged(
    rule: Rule, events: Sequence[Event], crowd: Crowd, now: datetime, as_of: datetime, after: int
) -> Firing | None:
    window = windowed(events, rule.window, as_of)
    if not window:
        return None
    answers = sum(event.kind == Kind.ANSWER for event in window)
    # Some days may hold fewer answers than a step.
    if step_of(rule) > 1 and answers < STEP:
        return None
    view = View(window, events, crowd, as_of)
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
        answers=answers,
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
