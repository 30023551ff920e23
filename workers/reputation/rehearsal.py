"""A dry run: what rules would have done over what is recorded, judged by the same engine in the same order."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.batches.quality.forms import Rule
from marketplace.common.database import acting_as, rows
from workers.reputation.histories import Place, crowd_facts, history, places
from workers.reputation.rules.engine import Fired, Firing, evaluate
from workers.reputation.rules.events import Crowd, Event

WORKERS_MAX = 300
BATCHES_MAX = 20
# So many looks at a history are taken in all; each is about a millisecond.
LOOKS_MAX = 2_500
LOOKS_EACH_MAX = 100
FIRINGS_EACH_MAX = 20


@dataclass(frozen=True)
class Would:
    """What the rules would have done to one worker; each firing with how many answers he had given by then."""

    worker_id: int
    answers: int
    firings: tuple[tuple[int, Firing], ...]

    @property
    def limited(self) -> bool:
        return any(_limits(firing) for _, firing in self.firings)

    @property
    def in_doubt(self) -> bool:
        """Whether he would have been limited, and not once beyond doubt."""
        return self.limited and all(firing.in_doubt for _, firing in self.firings if _limits(firing))


@dataclass(frozen=True)
class Rehearsal:
    """What the rules would have done. `complete` says whether all workers and all that is recorded were looked at."""

    found: tuple[Would, ...]
    workers: int
    complete: bool

    @property
    def summary(self) -> str:
        limited = [one for one in self.found if one.limited]
        doubt = sum(one.in_doubt for one in limited)
        of = f"{self.workers} worker{'' if self.workers == 1 else 's'}"
        said = f"Would have limited {len(limited)} of {of}"
        return f"{said}, {doubt} of them within doubt." if limited else f"{said}."


def rehearse(*, project_id: int, rules: Sequence[Rule], batch_id: int | None = None) -> Rehearsal:
    """Judge the rules over the project's recorded history, or that of one of its batches, in order, for each worker.

    It is taken as it was: a worker who would have been limited is judged on as he worked on. Bounded: the workers who
    were there last, each one's latest outcomes, and so many looks in all; where there is more, looks are farther apart
    and `complete` is false. Writes nothing.
    """
    with acting_as("gold_reader"):
        last = rows(
            "SELECT worker_id, max(id) FROM reputation_outcome WHERE project_id = %s"
            " AND (%s::bigint IS NULL OR batch_id = %s) GROUP BY worker_id ORDER BY 2 DESC LIMIT %s",
            [project_id, batch_id, batch_id, WORKERS_MAX + 1],
        )
        scope, scope_id = ("project", project_id) if batch_id is None else ("batch", batch_id)
        histories = {
            worker: history(worker_id=worker, scope=scope, scope_id=scope_id) for worker, _ in last[:WORKERS_MAX]
        }
    batches = sorted({event.batch_id for events in histories.values() for event in events})
    crowds = {place.batch_id: _crowd(place) for place in places(batches[-BATCHES_MAX:]).values()}
    each = max(5, min(LOOKS_EACH_MAX, LOOKS_MAX // max(1, len(histories))))
    found = []
    complete = len(last) <= WORKERS_MAX and len(batches) <= BATCHES_MAX
    for worker, events in histories.items():
        complete = complete and len(events) <= each
        found.append(Would(worker, sum(e.kind == "answer" for e in events), _replayed(rules, events, crowds, each)))
    return Rehearsal(tuple(found), len(histories), complete)


def _crowd(place: Place) -> Crowd:
    facts = crowd_facts(place)
    return Crowd(
        batch_id=place.batch_id,
        fast_below_ms=facts["fast_below_ms"],
        shares=facts["shares"],
        classes=place.classes,
        pay_micros={place.batch_id: place.price_micros},
    )


def _replayed(
    rules: Sequence[Rule], events: Sequence[Event], crowds: dict[int, Crowd], looks: int
) -> tuple[tuple[int, Firing], ...]:
    """The firings over a history that grows step by step, with the number of answers at each."""
    past: dict[str, list[Fired]] = defaultdict(list)
    found: list[tuple[int, Firing]] = []
    step = max(1, -(-len(events) // looks))
    for end in range(step, len(events) + step, step):
        seen = events[:end]
        latest = seen[-1]
        crowd = crowds.get(latest.batch_id)
        if crowd is None:
            continue
        here = [event for event in seen if event.batch_id == latest.batch_id]
        for scope, of_scope in (("batch", here), ("project", seen)):
            chosen = [rule for rule in rules if rule.scope == scope]
            place = f"batch {latest.batch_id}" if scope == "batch" else "project"
            for firing in evaluate(chosen, of_scope, crowd=crowd, now=latest.made_at, past=past[place]):
                past[place].append(firing.fired)
                if len(found) < FIRINGS_EACH_MAX:
                    found.append((sum(event.kind == "answer" for event in seen), firing))
    return tuple(found)


def _limits(firing: Firing) -> bool:
    # The third rung of the ladder limits; whoever is on it has been warned twice.
    return any(action.do == "limit" for action in firing.rule.actions)
