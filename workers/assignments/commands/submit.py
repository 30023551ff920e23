"""Submit answers: exactly once, one outcome per assignment."""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal
from uuid import UUID

from marketplace.batches.errors import BatchNotOpen
from marketplace.batches.locks import share_batch
from marketplace.common.database import rows, run
from marketplace.common.errors import DomainError, NotFound
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from marketplace.projects.interface import ValuesInvalid, clean_values
from workers.assignments.commands.claim import claim
from workers.assignments.errors import AnswerInvalid, NotEligible, NothingToClaim
from workers.assignments.events import AnswerSubmitted
from workers.assignments.locks import own_assignments_for_update
from workers.assignments.queries import LeasedTask
from workers.gold.commands import expect_scores
from workers.gold.models import Waiting
from workers.profiles.locks import worker_for_update


@dataclass(frozen=True)
class Submission:
    """One answer as it arrives: the assignment, the token of its lease, and values or `unclear`."""

    assignment: UUID
    token: UUID
    values: dict[str, Any] = field(default_factory=dict)
    unclear: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one submission. After `lease_lost` what was typed is kept as a draft."""

    assignment: UUID
    outcome: Literal["submitted", "already_submitted", "lease_lost"]
    revision: int | None = None
    draft_kept: bool = False


@dataclass(frozen=True)
class NextPage:
    """A wish for the next page of a batch, in the same transaction as the submission."""

    batch_id: int
    count: int


@dataclass(frozen=True)
class Submitted:
    """Outcomes in the order of the submissions, and the next page or why there is none."""

    outcomes: list[Outcome]
    claimed: list[LeasedTask]
    claim_problem: DomainError | None = None


def submit(*, worker_id: int, page: list[Submission], then_claim: NextPage | None, chance: Random) -> Submitted:
    """Store the answers of live leases; a lost lease keeps its answer as a draft and does not sink its neighbours.

    A malformed answer refuses the whole page and names the item. Each answer is left for the scoring step, gold or
    not. Locks: worker, batch (shared, when a next page is asked for), assignments. Emits `AnswerSubmitted`. Raises
    `NotFound` for an assignment that is not the worker's, `AnswerInvalid`.
    """
    require_transaction()
    worker_for_update(worker_id)
    if then_claim is not None:
        share_batch(then_claim.batch_id)
    own = {row[1]: row for row in own_assignments_for_update(worker_id, [s.assignment for s in page])}
    for item, submission in enumerate(page):
        if submission.assignment not in own:
            raise NotFound("There is no such assignment.", item=item, assignment=str(submission.assignment))
    values = _clean(page, own)
    outcomes = _store(worker_id, page, own, values)
    claimed: list[LeasedTask] = []
    problem: DomainError | None = None
    if then_claim is not None:
        try:
            claimed = claim(worker_id=worker_id, batch_id=then_claim.batch_id, count=then_claim.count, chance=chance)
        except (NothingToClaim, NotEligible, BatchNotOpen) as refused:
            problem = refused
    return Submitted(outcomes, claimed, problem)


def _clean(page: list[Submission], own: dict[UUID, tuple[Any, ...]]) -> list[dict[str, Any]]:
    errors: list[dict[str, Any]] = []
    cleaned: list[dict[str, Any]] = []
    seen: set[UUID] = set()
    for item, submission in enumerate(page):
        if submission.assignment in seen:
            errors.append({"item": item, "field": "assignment", "message": "is answered twice on this page"})
        seen.add(submission.assignment)
        interface = own[submission.assignment][5]
        try:
            cleaned.append({} if submission.unclear else clean_values(interface, submission.values))
        except ValuesInvalid as invalid:
            errors += [{"item": item, **error} for error in invalid.errors]
        if submission.unclear and submission.values:
            errors.append({"item": item, "field": "values", "message": "must be empty when the answer is unclear"})
    if errors:
        raise AnswerInvalid("Some answers do not fit the interface.", errors=errors)
    return cleaned


def _store(
    worker_id: int, page: list[Submission], own: dict[UUID, tuple[Any, ...]], values: list[dict[str, Any]]
) -> list[Outcome]:
    ids = [own[s.assignment][0] for s in page]
    # One moment for the fence and the record of it; the trigger compares the two again.
    stored = {
        row[0]: (row[1], row[2])
        for row in rows(
            """
            WITH moment AS MATERIALIZED (SELECT market_now() AS now), step AS (
                UPDATE assignments_assignment a
                   SET state = 'submitted', submitted_at = m.now,
                       auto_accept_at = m.now + make_interval(secs => b.auto_accept_s)
                  FROM unnest(%s::bigint[], %s::uuid[]) AS g(id, token), moment m, batches_batch b
                 WHERE a.id = g.id AND a.token = g.token AND a.state = 'leased' AND a.lease_until > m.now
                   AND b.id = a.batch_id
             RETURNING a.id, a.submitted_at)
            SELECT s.id, s.submitted_at, 1 + (SELECT count(*) FROM assignments_answer w WHERE w.assignment_id = s.id)
              FROM step s
            """,
            [ids, [s.token for s in page]],
        )
    }
    kept = [(pk, submission, clean) for pk, submission, clean in zip(ids, page, values, strict=True) if pk in stored]
    if kept:
        rows(
            "INSERT INTO assignments_answer (assignment_id, revision, batch_id, values, unclear, submitted_at)"
            " SELECT g.id, g.revision, g.batch, g.body::jsonb, g.unclear, g.at"
            " FROM unnest(%s::bigint[], %s::smallint[], %s::bigint[], %s::text[], %s::boolean[], %s::timestamptz[])"
            " AS g(id, revision, batch, body, unclear, at) RETURNING 1",
            [
                [pk for pk, _, _ in kept],
                [stored[pk][1] for pk, _, _ in kept],
                [own[s.assignment][3] for _, s, _ in kept],
                [json.dumps(clean) for _, _, clean in kept],
                [s.unclear for _, s, _ in kept],
                [stored[pk][0] for pk, _, _ in kept],
            ],
        )
        run("DELETE FROM assignments_draft WHERE assignment_id = ANY(%s)", [list(stored)])
        expect_scores(
            [
                Waiting(
                    assignment_id=pk,
                    revision=stored[pk][1],
                    task_id=own[s.assignment][2],
                    batch_id=own[s.assignment][3],
                    project_id=own[s.assignment][4],
                    worker_id=worker_id,
                    values=clean,
                    unclear=s.unclear,
                )
                for pk, s, clean in kept
            ]
        )
        for batch_id in sorted({own[s.assignment][3] for _, s, _ in kept}):
            mine = [pk for pk, s, _ in kept if own[s.assignment][3] == batch_id]
            publish(AnswerSubmitted(batch_id=batch_id, worker_ids=[worker_id], assignment_ids=mine))
    return [
        _outcome(pk, submission, clean, stored, own[submission.assignment][6])
        for pk, submission, clean in zip(ids, page, values, strict=True)
    ]


def _outcome(
    pk: int, submission: Submission, clean: dict[str, Any], stored: dict[int, tuple[Any, int]], state: str
) -> Outcome:
    if pk in stored:
        return Outcome(submission.assignment, "submitted", revision=stored[pk][1])
    if state not in ("leased", "expired", "returned"):
        return Outcome(submission.assignment, "already_submitted")
    if clean:
        run(
            "INSERT INTO assignments_draft (assignment_id, values, saved_at) VALUES (%s, %s::jsonb, market_now())"
            " ON CONFLICT (assignment_id) DO UPDATE SET values = excluded.values, saved_at = excluded.saved_at",
            [pk, json.dumps(clean)],
        )
    return Outcome(submission.assignment, "lease_lost", draft_kept=bool(clean))
