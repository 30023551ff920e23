"""What rules look at, read from the database: bounded windows of outcomes, what has fired, and the crowd around."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplace.batches.quality.forms import Rule, rules_of
from marketplace.common.database import acting_as, one, rows, run, value
from workers.reputation.queries import FIELD
from workers.reputation.rules.engine import Fired, grounds_of
from workers.reputation.rules.events import Crowd, Event
from workers.reputation.rules.haste import Timed, fast_limits
from workers.reputation.rules.ladder import Measure
from workers.reputation.rules.repetition import shares_of
from workers.reputation.rules.steps import last_full

WINDOW = 500
CROWD_ANSWERS = 2_000
CROWD_LIVES_S = 15
# A worker is trusted, for his times, with so much judged and so good a standing.
TRUSTED = "s.evidence >= 3 AND s.alpha - 2 + s.beta - 1 >= 2 AND (s.alpha - 1) / (s.alpha + s.beta - 1) >= 0.6"

COLUMNS = (
    "o.id, o.made_at, o.kind, o.batch_id, o.project_id, o.score, o.weight, o.assignment_id, o.truth, o.given,"
    " o.answer_type, o.took_ms, o.digest, o.easiness, o.undoes_id"
)
SCOPES = {"batch": "o.batch_id = %s", "project": "o.project_id = %s", "platform": "%s IS NOT NULL"}


@dataclass(frozen=True)
class Place:
    """A batch as rules see it."""

    batch_id: int
    project_id: int
    requester_id: int
    price_micros: int
    quality: Mapping[str, Any]
    classes: int


@dataclass(frozen=True)
class Person:
    """A worker and the user that he is."""

    worker_id: int
    user_id: int


def places(batch_ids: Sequence[int]) -> dict[int, Place]:
    """Batches by id."""
    return {
        row[0]: Place(*row)
        for row in rows(
            "SELECT b.id, b.project_id, b.requester_id, b.price_micros, b.quality,"
            f" coalesce(jsonb_array_length({FIELD}->'labels'), 0)"
            " FROM batches_batch b JOIN projects_version v ON v.id = b.version_id WHERE b.id = ANY(%s)",
            [list(batch_ids)],
        )
    }


def platform_rules() -> tuple[Rule, ...]:
    """The platform's own rules in force."""
    row = one("SELECT quality FROM reputation_platformrules ORDER BY id DESC LIMIT 1")
    return rules_of(row[0], platform=True) if row else ()


def history(*, worker_id: int, scope: str, scope_id: int, upto: int | None = None, limit: int = WINDOW) -> list[Event]:
    """The worker's latest outcomes in a batch, in a project or anywhere, up to one of them if that is given, and what
    takes any of them back. The caller acts as the gold reader."""
    found = rows(
        f"SELECT {COLUMNS} FROM reputation_outcome o WHERE o.worker_id = %s AND {SCOPES[scope]}"
        " AND (%s::bigint IS NULL OR o.id <= %s) ORDER BY o.id DESC LIMIT %s",
        [worker_id, scope_id, upto, upto, limit],
    )
    if upto is not None and found:
        found += rows(
            f"SELECT {COLUMNS} FROM reputation_outcome o WHERE o.undoes_id = ANY(%s) AND o.id > %s",
            [[row[0] for row in found], upto],
        )
    return sorted((Event(*row) for row in found), key=lambda event: event.id)


def answers_given(*, worker_id: int, scope: str, scope_id: int) -> int:
    """How many answers the worker gave in all. The caller acts as the gold reader."""
    return int(
        value(
            "SELECT count(*) FROM reputation_outcome o WHERE o.worker_id = %s AND o.kind = 'answer'"
            f" AND {SCOPES[scope]}",
            [worker_id, scope_id],
        )
    )


def steps_of(*, worker_id: int, scope: str, place: Place, lengths: Collection[int]) -> dict[int, int]:
    """Which answer ended the worker's last full step of each of the lengths, in the project or anywhere; for a batch,
    the last at which enough of the answers were in it. The caller acts as the gold reader."""
    within = "platform" if scope == "platform" else "project"
    return {
        step: last_full(
            rows(
                "SELECT max(a.id), count(*) FILTER (WHERE %s OR a.batch_id = %s) FROM (SELECT o.id, o.batch_id,"
                " (row_number() OVER (ORDER BY o.id) - 1) / %s AS block FROM reputation_outcome o"
                f" WHERE o.worker_id = %s AND o.kind = 'answer' AND {SCOPES[within]}) a"
                " GROUP BY a.block HAVING count(*) = %s ORDER BY a.block",
                [scope != "batch", place.batch_id, step, worker_id, place.project_id, step],
            ),
            step,
        )
        for step in lengths
    }


def fired_before(*, worker_id: int, scope: str, place: Place) -> list[Fired]:
    """Firings that still stand, of rules of that scope in the same batch or project, or of the platform; and up to
    where evidence bore a sanction that a person lifted: what he was acquitted of is not held against him again."""
    of_scope = "CASE f.scope WHEN 'batch' THEN f.batch_id = %s WHEN 'project' THEN f.project_id = %s ELSE true END"
    found = rows(
        "SELECT f.rule, f.rule_key LIKE 'platform:%%', max(f.upto_id), max(f.ends_at) FROM reputation_firing f"
        f" WHERE f.worker_id = %s AND f.scope = %s AND {of_scope}"
        " AND NOT EXISTS (SELECT 1 FROM reputation_withdrawal w WHERE w.firing_id = f.id) GROUP BY 1, 2",
        [worker_id, scope, place.batch_id, place.project_id],
    )
    lifted = rows(
        "SELECT f.upto_id, s.lifted_at FROM reputation_firing f JOIN accounts_sanction s ON s.firing_id = f.id"
        " WHERE f.worker_id = %s AND s.lifted_by_id IS NOT NULL"
        " AND (f.scope = 'platform' OR %s <> 'platform' AND f.project_id = %s) ORDER BY f.upto_id DESC LIMIT 1",
        [worker_id, scope, place.project_id],
    )
    fired = [Fired(grounds_of(_rule(given, by_platform)), upto, ends) for given, by_platform, upto, ends in found]
    return fired + [Fired("", upto, lifted_at) for upto, lifted_at in lifted]


def _rule(given: dict[str, Any], by_platform: bool) -> Rule:
    return rules_of({"rules": [given]}, platform=by_platform)[0]


def measures_before(*, user_id: int, project_id: int) -> list[Measure]:
    """What rules did against the person in the project; what was lifted does not count."""
    return [
        Measure(*row)
        for row in rows(
            "SELECT measure, expires_at FROM accounts_sanction WHERE user_id = %s AND scope = 'project'"
            " AND scope_id = %s AND firing_id IS NOT NULL AND lifted_at IS NULL",
            [user_id, project_id],
        )
    ]


def crowd_around(place: Place, *, prices: Mapping[int, int], submitted: int | None = None) -> Crowd:
    """What is known of the batch beyond one worker; it may be some seconds old."""
    row = one(
        "SELECT facts FROM reputation_crowdfacts WHERE batch_id = %s AND made_at > market_now() - %s * interval '1 s'",
        [place.batch_id, CROWD_LIVES_S],
    )
    facts = row[0] if row else _renewed(place)
    return Crowd(
        batch_id=place.batch_id,
        fast_below_ms=facts["fast_below_ms"],
        shares=facts["shares"],
        classes=place.classes,
        pay_micros=prices,
        submitted=submitted,
    )


def prices_of(batch_ids: Sequence[int]) -> dict[int, int]:
    """What an answer pays, by batch."""
    return dict(rows("SELECT id, price_micros FROM batches_batch WHERE id = ANY(%s)", [sorted(set(batch_ids))]))


def crowd_facts(place: Place) -> dict[str, Any]:
    """The facts as they are now, from the batch's latest answers."""
    with acting_as("gold_reader"):
        found = rows(
            "SELECT o.worker_id, o.answer_type, o.took_ms, coalesce(o.given, '#' || o.digest) FROM reputation_outcome o"
            " WHERE o.batch_id = %s AND o.kind = 'answer' ORDER BY o.id DESC LIMIT %s",
            [place.batch_id, CROWD_ANSWERS],
        )
    workers = sorted({row[0] for row in found})
    trusted = {
        row[0]
        for row in rows(
            f"SELECT s.worker_id FROM reputation_standing s WHERE s.project_id = %s AND s.worker_id = ANY(%s)"
            f" AND {TRUSTED}",
            [place.project_id, workers],
        )
    }
    times = [Timed(worker, kind, took) for worker, kind, took, _ in found if took is not None]
    return {"fast_below_ms": fast_limits(times, trusted), "shares": _shares([(row[0], row[3]) for row in found])}


def _shares(given: Sequence[tuple[int, str | None]]) -> dict[str, float]:
    """The share of each answer, at most likely; nothing where too little is known."""
    by_worker: dict[int, Counter[str]] = defaultdict(Counter)
    for worker, key in given:
        if key is not None:
            by_worker[worker][key] += 1
    return shares_of(by_worker.values())


def _renewed(place: Place) -> dict[str, Any]:
    facts = crowd_facts(place)
    run(
        "INSERT INTO reputation_crowdfacts (batch_id, facts) VALUES (%s, %s::jsonb)"
        " ON CONFLICT (batch_id) DO UPDATE SET facts = excluded.facts, made_at = market_now()",
        [place.batch_id, json.dumps(facts)],
    )
    return facts


def now() -> datetime:
    """The market's clock."""
    moment: datetime = value("SELECT market_now()")
    return moment
