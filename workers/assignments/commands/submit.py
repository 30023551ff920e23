"""Submit answers: exactly once, one outcome per assignment."""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any, Literal
from uuid import UUID

from django.db import connection

from marketplace.batches.errors import BatchNotOpen
from marketplace.batches.queries import Offer
from marketplace.common.database import rows, value
from marketplace.common.errors import DomainError, NotFound
from marketplace.common.prepared import array_of, prepared, prepared_together
from marketplace.common.transactions import require_transaction
from marketplace.projects.interface import ValuesInvalid, clean_values, depends_on_data
from workers.assignments.audience import require_eligible
from workers.assignments.commands import claim
from workers.assignments.errors import (
    AnswerInvalid,
    DueFirst,
    LimitReached,
    NotEligible,
    NothingToClaim,
    SlowedDown,
    UnderSanction,
)
from workers.assignments.queries import LeasedTask

BEGIN = "SELECT due, assignment, id, version_id FROM assignments_begin(%s, %s, %s::uuid[])"
SUBMIT = (
    "SELECT outcome, revision, draft_kept"
    " FROM assignments_submit(%s, %s::bigint[], %s::uuid[], %s::text[], %s::boolean[])"
)


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

    offer: Offer
    count: int
    device: str | None = None


@dataclass(frozen=True)
class Submitted:
    """Outcomes in the order of the submissions, and the next page or why there is none."""

    outcomes: list[Outcome]
    claimed: list[LeasedTask]
    claim_problem: DomainError | None = None


def submit(
    *, worker_id: int, page: list[Submission], then_claim: NextPage | None, chance: Random, due_done: bool = False
) -> Submitted:
    """Store the answers of live leases; a lost lease keeps its answer as a draft and does not sink its neighbours.

    A lease that has ended counts all the same while its place can still be had: it is revived and submitted in one
    step. A malformed answer refuses the whole page and names the item. Each answer is left for the scoring step, gold
    or not. Locks: worker, batches (shared), tasks of late answers, assignments. Emits `AnswerSubmitted`. Raises
    `NotFound` for an assignment that is not the worker's, `AnswerInvalid`; and `DueFirst` as `claim` does.
    """
    require_transaction()
    ids = [submission.assignment for submission in page]
    found = prepared(BEGIN, [worker_id, then_claim.offer.pk if then_claim else None, array_of(ids)])
    if found[0][0] and not due_done:
        assert then_claim is not None
        raise DueFirst(then_claim.offer.pk)
    own = {assignment: (pk, version_id) for _, assignment, pk, version_id in found if pk}
    database = connection.settings_dict["NAME"]
    for item, assignment in enumerate(ids):
        if assignment not in own:
            raise NotFound("There is no such assignment.", item=item, assignment=str(assignment))
    interfaces = {assignment: _interface(database, version) for assignment, (_, version) in own.items()}
    values = _clean(page, interfaces, _shown({own[at][0]: at for at in ids if depends_on_data(interfaces[at])}))
    store = (
        SUBMIT,
        [
            worker_id,
            array_of(own[assignment][0] for assignment in ids),
            array_of(submission.token for submission in page),
            [json.dumps(clean) for clean in values],
            array_of(submission.unclear for submission in page),
        ],
    )
    claimed: list[LeasedTask] = []
    problem: DomainError | None = None
    following = None
    if then_claim is not None:
        try:
            require_eligible(worker_id=worker_id, offer=then_claim.offer, device=then_claim.device)
            following = claim.statement(worker_id=worker_id, offer=then_claim.offer, count=then_claim.count)
        except NotEligible as refused:
            problem = refused
    stored, *found_next = prepared_together(store, following) if following else [prepared(*store)]
    if then_claim is not None and following:
        try:
            claimed = claim.taken(
                found_next[0], worker_id=worker_id, offer=then_claim.offer, count=then_claim.count, chance=chance
            )
        except (NothingToClaim, NotEligible, UnderSanction, SlowedDown, LimitReached, BatchNotOpen) as refused:
            problem = refused
    outcomes = [Outcome(assignment, *row) for assignment, row in zip(ids, stored, strict=True)]
    return Submitted(outcomes, claimed, problem)


@lru_cache(maxsize=1_000)
def _interface(database: str, version_id: int) -> dict[str, Any]:
    """The interface of a published version, which is final; `database` keeps those of several databases apart."""
    interface: dict[str, Any] = value("SELECT interface FROM projects_version WHERE id = %s", [version_id])
    return interface


def _shown(assignments: dict[int, UUID]) -> dict[UUID, dict[str, Any]]:
    """The data that the workers of these assignments were shown. Asks the database only where there are some."""
    if not assignments:
        return {}
    found = rows(
        "SELECT a.id, p.data FROM assignments_assignment a JOIN batches_payload p ON p.task_id = a.task_id"
        " WHERE a.id = ANY(%s)",
        [list(assignments)],
    )
    return {assignments[pk]: data for pk, data in found}


def _clean(
    page: list[Submission], interfaces: dict[UUID, dict[str, Any]], shown: dict[UUID, dict[str, Any]]
) -> list[dict[str, Any]]:
    errors: list[dict[str, Any]] = []
    cleaned: list[dict[str, Any]] = []
    seen: set[UUID] = set()
    for item, submission in enumerate(page):
        if submission.assignment in seen:
            errors.append({"item": item, "field": "assignment", "message": "is answered twice on this page"})
        seen.add(submission.assignment)
        try:
            data = shown.get(submission.assignment)
            cleaned.append(
                {} if submission.unclear else clean_values(interfaces[submission.assignment], submission.values, data)
            )
        except ValuesInvalid as invalid:
            errors += [{"item": item, **error} for error in invalid.errors]
        if submission.unclear and submission.values:
            errors.append({"item": item, "field": "values", "message": "must be empty when the answer is unclear"})
    if errors:
        raise AnswerInvalid("Some answers do not fit the interface.", errors=errors)
    return cleaned
