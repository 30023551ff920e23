"""Judge the rules of batches over the workers of whom there is something new."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.batches.quality.forms import Rule, rules_of
from marketplace.common.database import acting_as, rows, run, try_sweep_lock
from marketplace.common.transactions import require_transaction
from workers.reputation.commands.act import fire
from workers.reputation.commands.withdraw import withdraw_unfounded
from workers.reputation.histories import (
    Person,
    Place,
    answers_given,
    crowd_around,
    fired_before,
    history,
    now,
    places,
    platform_rules,
    prices_of,
    steps_of,
)
from workers.reputation.rules.engine import Firing, evaluate
from workers.reputation.rules.events import Event
from workers.reputation.rules.steps import step_of

GROUP = 20
LOOK = 2_000


@dataclass(frozen=True)
class Pair:
    """A worker in a batch, and the rows that ask about him."""

    person: Person
    batch_id: int
    undone: bool
    ids: list[int]


def evaluate_due(*, limit: int = GROUP, rest_s: float = 0.0) -> int:
    """Judge the rules over the workers who wait longest, and for `rest_s` at least; returns how many pairs of worker
    and batch were looked at.

    One transaction at a time does so, the next finds nothing. Locks, worker by worker in the order of their users, what
    `impose` locks. Emits `RuleFired`, `RuleWithdrawn` and what sanctions emit.
    """
    require_transaction()
    if not try_sweep_lock("reputation:rules"):
        return 0
    pairs = _waiting(limit, rest_s)
    if not pairs:
        return 0
    known = places(sorted({pair.batch_id for pair in pairs}))
    of_platform = platform_rules()
    for pair in pairs:
        place = known[pair.batch_id]
        if pair.undone:
            withdraw_unfounded(person=pair.person, place=place)
        for firing in judge(pair.person, place, (*rules_of(dict(place.quality)), *of_platform)):
            fire(firing, person=pair.person, place=place)
    run("DELETE FROM reputation_toevaluate WHERE id = ANY(%s)", [[one for pair in pairs for one in pair.ids]])
    return len(pairs)


def put_aside() -> int:
    """Forget that the worker who waits longest is to be looked at in that batch; returns how many rows said so."""
    require_transaction()
    if not try_sweep_lock("reputation:rules"):
        return 0
    return run("DELETE FROM reputation_toevaluate WHERE id = ANY(%s)", [[i for p in _waiting(1, 0.0) for i in p.ids]])


def judge(person: Person, place: Place, rules: Sequence[Rule]) -> list[Firing]:
    """The rules that fire for the worker as things stand."""
    firings: list[Firing] = []
    moment = now()
    for scope in ("batch", "project", "platform"):
        of_scope = [rule for rule in rules if rule.scope == scope]
        if not of_scope:
            continue
        scope_id = place.batch_id if scope == "batch" else place.project_id
        lengths = {step_of(rule) for rule in of_scope} - {1}
        counted = any(condition.metric == "submitted" for rule in of_scope for condition in rule.conditions)
        with acting_as("gold_reader"):
            events = history(worker_id=person.worker_id, scope=scope, scope_id=scope_id)
            submitted = answers_given(worker_id=person.worker_id, scope=scope, scope_id=scope_id) if counted else None
            ends = steps_of(worker_id=person.worker_id, scope=scope, place=place, lengths=lengths)
        crowd = crowd_around(place, prices=prices_of(_batches(events)), submitted=submitted)
        past = fired_before(worker_id=person.worker_id, scope=scope, place=place)
        firings += evaluate(of_scope, events, crowd=crowd, now=moment, past=past, ends=ends)
    return firings


def _batches(events: Sequence[Event]) -> list[int]:
    return sorted({event.batch_id for event in events})


def _waiting(limit: int, rest_s: float) -> list[Pair]:
    """The pairs that wait longest, of the oldest rows, in the order in which their accounts are locked."""
    return [
        Pair(Person(worker, user), batch, undone, ids)
        for worker, user, batch, undone, ids in rows(
            "SELECT * FROM (SELECT t.worker_id, w.user_id, t.batch_id, bool_or(t.undone), array_agg(t.id)"
            " FROM (SELECT * FROM reputation_toevaluate ORDER BY id LIMIT %s) t"
            " JOIN profiles_worker w ON w.id = t.worker_id"
            " GROUP BY t.worker_id, w.user_id, t.batch_id"
            " HAVING min(t.made_at) <= market_now() - %s * interval '1 s' ORDER BY min(t.id) LIMIT %s) p ORDER BY 2, 3",
            [LOOK, rest_s, limit],
        )
    ]
