"""Take back firings that rested on what was wrong: the worker is as if they had never been, and can read why."""

from typing import Any

from marketplace.accounts.commands.sanctions import lift
from marketplace.accounts.models import Sanction
from marketplace.batches.quality.forms import rules_of
from marketplace.common.database import acting_as, one, rows, run
from marketplace.common.outbox import publish
from workers.reputation.commands.act import want
from workers.reputation.commands.skills import restore_skills
from workers.reputation.events import RuleWithdrawn
from workers.reputation.histories import Person, Place, crowd_around, history, prices_of
from workers.reputation.rules.engine import holds

REASON = "What this rested on was taken back, and without it the rule does not hold."
LOOKED_AT_MAX = 50
# Where what undoes a firing's own actions is written down.
UNDOING = 100


def withdraw_unfounded(*, person: Person, place: Place) -> int:
    """Withdraw the worker's firings in the project whose evidence was taken back in part, where the rest does not bear
    them; returns how many.

    Their sanctions that still live are lifted with that reason, skills they changed are what they were, what they
    wanted and nobody has done is not wanted any more, and what was held is released. Emits `RuleWithdrawn`.
    """
    with acting_as("gold_reader"):
        undone = [
            row[0]
            for row in rows(
                "SELECT o.undoes_id FROM reputation_outcome o WHERE o.worker_id = %s AND o.project_id = %s"
                " AND o.kind = 'undo' ORDER BY o.id DESC LIMIT 500",
                [person.worker_id, place.project_id],
            )
        ]
    standing = rows(
        "SELECT f.id, f.rule, f.scope, f.rule_key LIKE 'platform:%%', f.batch_id, f.after_id, f.upto_id, f.made_at,"
        " (SELECT max((x->>'value')::float8)::bigint FROM jsonb_array_elements(f.evidence->'figures') x"
        " WHERE x->>'metric' = 'submitted')"
        " FROM reputation_firing f WHERE f.worker_id = %s"
        " AND (f.project_id = %s OR f.scope = 'platform')"
        " AND EXISTS (SELECT 1 FROM unnest(%s::bigint[]) AS u(id) WHERE u.id > f.after_id AND u.id <= f.upto_id)"
        " AND NOT EXISTS (SELECT 1 FROM reputation_withdrawal w WHERE w.firing_id = f.id)"
        " ORDER BY f.id DESC LIMIT %s",
        [person.worker_id, place.project_id, undone, LOOKED_AT_MAX],
    )
    return sum(_withdrawn(firing, person=person, place=place) for firing in standing)


def _withdrawn(firing: tuple[Any, ...], *, person: Person, place: Place) -> bool:
    firing_id, given, scope, of_platform, batch_id, after, upto, made_at, submitted = firing
    rule = rules_of({"rules": [given]}, platform=of_platform)[0]
    scope_id = batch_id if scope == "batch" else place.project_id
    with acting_as("gold_reader"):
        events = history(worker_id=person.worker_id, scope=scope, scope_id=scope_id, upto=upto)
    crowd = crowd_around(place, prices=prices_of([event.batch_id for event in events]), submitted=submitted)
    if holds(rule, events, crowd=crowd, now=made_at, after=after, upto=upto):
        return False
    if not one(
        "INSERT INTO reputation_withdrawal (firing_id, reason) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING true",
        [firing_id, REASON],
    ):
        return False
    for sanction_id in Sanction.objects.filter(firing_id=firing_id, lifted_at=None).values_list("pk", flat=True):
        lift(sanction_id=sanction_id, reason=REASON)
    held = one(
        "SELECT true FROM reputation_wanted WHERE firing_id = %s AND kind = 'hold' AND done_at IS NOT NULL", [firing_id]
    )
    run(
        "UPDATE reputation_wanted SET done_at = market_now(), outcome = 'not done: the firing was withdrawn'"
        " WHERE firing_id = %s AND done_at IS NULL",
        [firing_id],
    )
    if held:
        want(firing_id=firing_id, position=UNDOING, action={"do": "release"}, person=person, place=place)
    restored = restore_skills(firing_id=firing_id, requester_id=place.requester_id, reason=REASON)
    for position, (action, outcome) in enumerate(restored, UNDOING + 1):
        want(firing_id=firing_id, position=position, action=action, person=person, place=place, outcome=outcome)
    publish(RuleWithdrawn(batch_id=batch_id, worker_ids=[person.worker_id], firing_id=firing_id))
    return True
