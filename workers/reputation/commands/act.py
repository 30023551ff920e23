"""What follows from a firing: sanctions, skills, and what other apps are wanted for."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marketplace.accounts.commands.sanctions import impose
from marketplace.batches.quality.catalogue import SANCTIONS, SKILLS
from marketplace.common.database import one, run
from marketplace.common.outbox import publish
from workers.reputation.commands.skills import change_skill
from workers.reputation.commands.wanted import WANTED_OF_OTHERS
from workers.reputation.events import RuleFired
from workers.reputation.histories import Person, Place, measures_before
from workers.reputation.rules.engine import Firing
from workers.reputation.rules.ladder import next_rung
from workers.reputation.rules.telling import looks_at_closed, reason_of, told, words_of
from workers.reputation.telling import SHOW_EVERY


def fire(firing: Firing, *, person: Person, place: Place) -> int | None:
    """Write the firing down and do what it asks; returns its id, or None where the same evidence has fired it before.

    What reputation cannot do itself is left in `reputation_wanted`; all the rest is there too, with what came of it.
    """
    rule = firing.rule
    words = words_of(rule)
    evidence = {"figures": list(firing.evidence), "answers": firing.answers}
    open_figures = told(rule, firing.evidence, firing.answers)
    made = one(
        "INSERT INTO reputation_firing (worker_id, batch_id, project_id, rule, rule_key, scope, words, evidence, told,"
        " in_doubt, after_id, upto_id, ends_at, show_from)"
        " VALUES (%s, %s, %s, %s::jsonb, %s, %s, %s, %s::jsonb, %s::jsonb, %s, %s, %s, %s, %s)"
        " ON CONFLICT (worker_id, rule_key, upto_id) DO NOTHING RETURNING id",
        [
            person.worker_id, place.batch_id, place.project_id, json.dumps(rule.given), rule.key, rule.scope, words,
            json.dumps(evidence), json.dumps(open_figures), firing.in_doubt, firing.after, firing.upto, firing.ends_at,
            _shown_from(firing, person, place),
        ],
    )  # fmt: skip
    if made is None:
        return None
    firing_id: int = made[0]
    for position, action in enumerate(rule.actions):
        outcome, terms = None, {"do": action.do, **action.terms}
        if action.do in SANCTIONS:
            outcome = _limit(action.do, action.terms, firing_id, firing, person, place, open_figures)
        elif action.do in SKILLS:
            outcome, grant = change_skill(
                action.do, action.terms, rule=rule.name, worker_id=person.worker_id, requester_id=place.requester_id
            )
            terms |= {"grant": grant} if grant else {}
        elif action.do == "notify":
            outcome = "the worker reads it among the rules that held of him"
        assert outcome is not None or action.do in WANTED_OF_OTHERS
        want(
            firing_id=firing_id,
            position=position,
            action=terms,
            person=person,
            place=place,
            outcome=outcome,
        )
    publish(RuleFired(batch_id=place.batch_id, worker_ids=[person.worker_id], firing_id=firing_id))
    return firing_id


def _shown_from(firing: Firing, person: Person, place: Place) -> int:
    """With the worker's how-manieth answer in the project he sees the firing: at once where it rests on figures that he
    may know or a sanction tells him of it anyway, else with the next multiple of 20, like his standing."""
    if not looks_at_closed(firing.rule) or any(action.do in SANCTIONS for action in firing.rule.actions):
        return 0
    row = one(
        "SELECT answers FROM reputation_standing WHERE worker_id = %s AND project_id = %s",
        [person.worker_id, place.project_id],
    )
    answers = row[0] if row else 0
    return (answers // SHOW_EVERY + 1) * SHOW_EVERY


def want(
    *, firing_id: int, position: int, action: dict[str, Any], person: Person, place: Place, outcome: str | None = None
) -> None:
    """Write an action down: as done with its outcome, or as wanted of another app."""
    run(
        "INSERT INTO reputation_wanted (firing_id, position, action, kind, worker_id, batch_id, done_at, outcome)"
        " VALUES (%s, %s, %s::jsonb, %s, %s, %s, CASE WHEN %s::text IS NULL THEN NULL ELSE market_now() END,"
        " coalesce(%s, '')) ON CONFLICT DO NOTHING",
        [firing_id, position, json.dumps(action), action["do"], person.worker_id, place.batch_id, outcome, outcome],
    )


def _limit(
    do: str,
    terms: Mapping[str, Any],
    firing_id: int,
    firing: Firing,
    person: Person,
    place: Place,
    open_figures: dict[str, Any],
) -> str:
    if do == "escalate":
        terms = next_rung(measures_before(user_id=person.user_id, project_id=place.project_id), firing.at)
        do = terms["do"]
    scope = terms["scope"]
    scope_id = {
        "batch": place.batch_id,
        "project": place.project_id,
        "requester": place.requester_id,
        "platform": None,
    }[scope]
    hours = terms["hours"]
    impose(
        user_id=person.user_id,
        scope=scope,
        scope_id=scope_id,
        measure=do,
        reason=reason_of(firing.rule),
        words=words_of(firing.rule),
        # The worker may read a sanction's evidence: it is what he may know of the firing's.
        evidence={
            "rule": open_figures["rule"],
            "answers": open_figures["answers_looked_at"],
            "metrics": open_figures["figures"],
        },
        life=timedelta(hours=hours),
        firing_id=firing_id,
        pace_s=terms.get("pace_s"),
    )
    reach = "on the whole platform" if scope == "platform" else f"in the {scope}"
    return f"{do} {reach} for {hours:g} hours"
