"""Reads of results and of what was rejected; and the rows of exports, paged by key so that no transaction stays open
while a client reads."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from marketplace.accounts.queries import has_part, same_person
from marketplace.batches.models import Batch
from marketplace.common.database import rows, value
from marketplace.common.errors import NotFound
from marketplace.results.agreement import agrees_with_most
from marketplace.results.breaker import WEEK_DAYS, allowance
from marketplace.results.models import RejectionReview, Run

PAGE = 5_000
SAMPLE = 1_000
RESULT_COLUMNS = [
    "external_id", "field", "value", "confidence", "answers", "method", "instruction_version", "gold",
]  # fmt: skip


def run_for(batch: Batch, public_id: UUID | None) -> Run:
    """The batch's run by id, or its newest; raises `NotFound`."""
    runs = Run.objects.filter(batch=batch)
    found = runs.filter(public_id=public_id).first() if public_id else runs.order_by("-pk").first()
    if found is None:
        raise NotFound("The batch has no such results yet.")
    return found


def settled_without_results(*, limit: int) -> list[int]:
    """Settled batches with accepted answers and no final run, oldest first."""
    return [
        row[0]
        for row in rows(
            "SELECT b.id FROM batches_batch b WHERE b.settled_at IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM results_run r WHERE r.batch_id = b.id AND r.final)"
            " AND EXISTS (SELECT 1 FROM assignments_settlement s WHERE s.batch_id = b.id) ORDER BY b.id LIMIT %s",
            [limit],
        )
    ]


def result_rows(run: Run, gold: frozenset[int]) -> Iterator[dict[str, Any]]:
    """Every result of the run, by task and field; `gold` holds the ids of the batch's gold tasks.

    Those whose value has objects have `objects` besides: how many answers have each of them.
    """
    after: tuple[int, str] = (0, "")
    while page := rows(
        "SELECT r.task_id, r.field, t.external_id, r.value, r.confidence, r.answers, r.method, r.version,"
        " r.objects FROM results_result r JOIN batches_task t ON t.id = r.task_id"
        " WHERE r.run_id = %s AND (r.task_id, r.field) > (%s, %s) ORDER BY r.task_id, r.field LIMIT %s",
        [run.pk, *after, PAGE],
    ):
        for task_id, field, external_id, found, confidence, answers, method, version, support in page:
            yield {
                "external_id": external_id,
                "field": field,
                "value": found,
                "confidence": round(confidence, 6),
                "answers": answers,
                "method": method,
                "instruction_version": version,
                "gold": task_id in gold,
            } | ({} if support is None else {"objects": [_rounded(one) for one in support]})
        after = (page[-1][0], page[-1][1])


def _rounded(support: dict[str, float]) -> dict[str, float]:
    return {name: round(share, 6) for name, share in support.items()}


@dataclass(frozen=True)
class ReviewedAnswer:
    """An answer under review, as staff see it."""

    task: str
    values: dict[str, Any]
    unclear: bool
    agreed: bool | None
    state: str


@dataclass(frozen=True)
class RejectionRate:
    """What a requester decided in the last 90 days: the share of answers he rejected, undone rejections among them, and
    how many those were. `decided` is 0, and there is no rate, where he decided nothing."""

    decided: int
    rejected: int
    upheld: int

    @property
    def rate(self) -> float | None:
        return round(self.rejected / self.decided, 4) if self.decided else None


def reviews_in(state: str | None) -> QuerySet[RejectionReview]:
    """Reviews of rejections, all or those in a state."""
    found = RejectionReview.objects.select_related("batch__requester")
    return found if state is None else found.filter(state=state)


def review_of(public_id: UUID) -> RejectionReview:
    """One review; raises `NotFound`."""
    found = reviews_in(None).select_related("batch__version").filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such review.")
    return found


def part_in_review(review: RejectionReview, user_id: int) -> str | None:
    """What of the person's own, by any of his accounts, the review is about: his "organisation", of which he ever was a
    member or for which he rejected, or his "answers"; None where he has no part in it, and may decide."""
    if same_person(review.made_by_id, user_id) or has_part(review.batch.requester_id, user_id):
        return "organisation"
    return "answers" if value("SELECT results_review_of_own(%s, %s)", [review.pk, user_id]) else None


def reviewed_answers(review: RejectionReview, *, limit: int = 50) -> list[ReviewedAnswer]:
    """Some answers under the review, those first that agree with others."""
    return [
        ReviewedAnswer(*row)
        for row in rows(
            "SELECT t.external_id, w.values, w.unclear, i.agreed, a.state FROM results_rejectionitem i"
            " JOIN assignments_assignment a ON a.id = i.assignment_id JOIN batches_task t ON t.id = a.task_id"
            " JOIN assignments_answer w ON w.assignment_id = a.id AND w.submitted_at = i.submitted_at"
            " WHERE i.review_id = %s ORDER BY i.agreed DESC NULLS LAST, a.id LIMIT %s",
            [review.pk, limit],
        )
    ]


def rejection_rates(requester_ids: Iterable[int]) -> dict[int, RejectionRate]:
    """How the requesters decided in the last 90 days, by requester; public (R42).

    Rejections are counted by their day. Of acceptances the batches' counts are taken, of all batches that were open
    within that time: they are read with a board, and must not cost what counting answers costs.
    """
    wanted = sorted(set(requester_ids))
    found = rows(
        """
        SELECT q.id, coalesce(a.accepted, 0)::bigint, r.rejected, r.upheld
          FROM unnest(%s::bigint[]) q (id)
          CROSS JOIN LATERAL (
              SELECT sum(d.accepted) AS accepted FROM batches_batch b
               CROSS JOIN LATERAL (SELECT p.accepted FROM batches_progress p WHERE p.batch_id = b.id UNION ALL
                                   SELECT p.accepted FROM batches_progressdelta p WHERE p.batch_id = b.id) d
               WHERE b.requester_id = q.id
                 AND (b.settled_at IS NULL OR b.settled_at > (SELECT market_now()) - interval '90 days')) a
          CROSS JOIN LATERAL (
              SELECT count(r.*) AS rejected, count(u.*) AS upheld FROM batches_batch b
                JOIN assignments_rejection r ON r.batch_id = b.id
                                            AND r.made_at > (SELECT market_now()) - interval '90 days'
                LEFT JOIN assignments_uphold u ON u.assignment_id = r.assignment_id
               WHERE b.requester_id = q.id) r
        """,
        [wanted],
    )
    # An undone rejection is among the accepted as well.
    return {row[0]: RejectionRate(row[1] - row[3] + row[2], row[2], row[3]) for row in found}


def answered_in(batch_id: int) -> int:
    """How many places of the batch have an answer, by its counts."""
    return int(
        value(
            "SELECT coalesce(sum(d.submitted + d.accepted + d.rejected), 0) FROM ("
            " SELECT submitted, accepted, rejected FROM batches_progress WHERE batch_id = %s UNION ALL"
            " SELECT submitted, accepted, rejected FROM batches_progressdelta WHERE batch_id = %s) d",
            [batch_id, batch_id],
        )
    )


def rejected_in_week(requester_id: int) -> int:
    """How many answers in all of the requester's batches were rejected without a review in the last seven days."""
    return int(
        value(
            "SELECT count(*) FROM batches_batch b JOIN assignments_rejection r ON r.batch_id = b.id"
            " WHERE b.requester_id = %s AND r.made_at > (SELECT market_now()) - make_interval(days => %s)"
            " AND r.review_id IS NULL AND r.made_by_id IS NOT NULL",
            [requester_id, WEEK_DAYS],
        )
    )


def answered_in_week(requester_id: int, *, enough: int) -> int:
    """How many places in all of the requester's batches were answered in the last seven days; of more than `enough`
    only so many are counted, the newest batches first."""
    return int(
        value(
            "SELECT count(*) FROM (SELECT 1 FROM batches_batch b CROSS JOIN LATERAL ("
            "  SELECT 1 FROM assignments_assignment a WHERE a.batch_id = b.id"
            "   AND a.submitted_at > (SELECT market_now()) - make_interval(days => %s)"
            "   AND a.state IN ('submitted', 'accepted', 'rejected', 'upheld')) a"
            " WHERE b.requester_id = %s AND (b.settled_at IS NULL"
            "  OR b.settled_at > (SELECT market_now()) - make_interval(days => %s)) ORDER BY b.id DESC LIMIT %s) n",
            [WEEK_DAYS, requester_id, WEEK_DAYS, enough],
        )
    )


def back_in(batch_id: int) -> int:
    """How many answers of the batch went back for repair and have not come again, but for those that their workers gave
    up: unless they come, nobody is paid for them."""
    return int(
        value(
            "SELECT count(*) FROM assignments_repair r JOIN assignments_assignment a ON a.id = r.assignment_id"
            " WHERE a.batch_id = %s AND a.state IN ('leased', 'expired') AND a.submitted_at = r.submitted_at",
            [batch_id],
        )
    )


@dataclass(frozen=True)
class RejectedSoFar:
    """What the requester rejected of a batch: taken without a review, waiting for one, and out for repair; and of all
    that was rejected or waits, how many answers could be compared with the others and how many of those agree."""

    taken: int
    waiting: int
    back: int
    compared: int
    agreeing: int

    @property
    def used(self) -> int:
        """What counts against the allowance."""
        return self.taken + self.waiting + self.back


def rejected_so_far(batch_id: int) -> RejectedSoFar:
    """How far rejections in the batch have come."""
    [(taken, compared, agreeing)] = rows(
        "SELECT count(*) FILTER (WHERE review_id IS NULL), count(agreed), count(*) FILTER (WHERE agreed)"
        " FROM assignments_rejection WHERE batch_id = %s AND made_by_id IS NOT NULL",
        [batch_id],
    )
    [(waiting, waiting_compared, waiting_agreeing)] = rows(
        "SELECT count(*), count(i.agreed), count(*) FILTER (WHERE i.agreed) FROM results_rejectionreview v"
        " JOIN results_rejectionitem i ON i.review_id = v.id AND i.outcome = ''"
        " JOIN assignments_assignment a ON a.id = i.assignment_id AND a.state = 'submitted'"
        " AND a.submitted_at = i.submitted_at WHERE v.batch_id = %s AND v.state IN ('open', 'approved')",
        [batch_id],
    )
    return RejectedSoFar(taken, waiting, back_in(batch_id), compared + waiting_compared, agreeing + waiting_agreeing)


@dataclass(frozen=True)
class Room:
    """How many answers of a batch may be rejected, or be out for repair, without a review; and how many are."""

    allowed: int
    used: int

    @property
    def left(self) -> int:
        return max(0, self.allowed - self.used)


def room_in(batch_id: int) -> Room:
    """What the batch alone allows; a requester's whole week may allow less."""
    so_far = rejected_so_far(batch_id)
    return Room(allowance(answered_in(batch_id) + so_far.back), so_far.used)


def reviewed_items(ids: list[int]) -> dict[int, tuple[UUID, str]]:
    """Of these answers those that came under a review as they are now: public id, and the state of the review."""
    return {
        row[0]: (row[1], row[2])
        for row in rows(
            "SELECT a.id, a.public_id, v.state FROM assignments_assignment a"
            " JOIN results_rejectionitem i ON i.assignment_id = a.id AND i.submitted_at = a.submitted_at"
            " JOIN results_rejectionreview v ON v.id = i.review_id WHERE a.id = ANY(%s)",
            [ids],
        )
    }


def agreement_with_others(batch_id: int, ids: list[int]) -> dict[int, bool | None]:
    """Whether each of these answers agrees with most other answers of its task; None where there are too few, or where
    it says nothing itself."""
    tasks = [row[0] for row in rows("SELECT task_id FROM assignments_assignment WHERE id = ANY(%s)", [ids])]
    fields, given = _answers_of(batch_id, tasks)
    found: dict[int, bool | None] = dict.fromkeys(ids)
    wanted = set(ids)
    for answers in given.values():
        for pk, values in answers.items():
            if pk in wanted:
                others = [other for other_pk, other in answers.items() if other_pk != pk]
                found[pk] = agrees_with_most(fields, values, others)
    return found


def disagreement_in(batch_id: int, *, sample: int = SAMPLE) -> float:
    """The share of answers that do not agree with most others of their task, among a batch's first ones; 0 where
    nothing can be compared."""
    tasks = [
        row[0]
        for row in rows(
            "SELECT DISTINCT task_id FROM (SELECT task_id FROM assignments_assignment WHERE batch_id = %s"
            " AND state IN ('submitted', 'accepted', 'upheld', 'rejected') ORDER BY id LIMIT %s) s",
            [batch_id, sample],
        )
    ]
    fields, given = _answers_of(batch_id, tasks, also="rejected")
    told = [
        agrees_with_most(fields, values, [other for other_pk, other in answers.items() if other_pk != pk])
        for answers in given.values()
        for pk, values in answers.items()
    ]
    compared = [agreed for agreed in told if agreed is not None]
    return compared.count(False) / len(compared) if compared else 0.0


def _answers_of(
    batch_id: int, tasks: list[int], *, also: str = "upheld"
) -> tuple[list[dict[str, Any]], dict[int, dict[int, dict[str, Any]]]]:
    """The answer fields of the batch, and by task the standing answers by assignment, but for those marked unclear."""
    interface = value(
        "SELECT v.interface FROM batches_batch b JOIN projects_version v ON v.id = b.version_id WHERE b.id = %s",
        [batch_id],
    )
    given: dict[int, dict[int, dict[str, Any]]] = defaultdict(dict)
    for task_id, pk, values in rows(
        "SELECT a.task_id, a.id, w.values FROM assignments_assignment a"
        " JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
        "               ORDER BY revision DESC LIMIT 1) w ON NOT w.unclear"
        " WHERE a.task_id = ANY(%s) AND a.state IN ('submitted', 'accepted', 'upheld', %s) ORDER BY a.task_id, a.id",
        [tasks, also],
    ):
        given[task_id][pk] = values
    return interface["answer"], given


def answer_columns(interface: dict[str, Any]) -> list[str]:
    """The columns of the raw-answer export: the answer fields between the fixed ones."""
    fields = [field["name"] for field in interface["answer"]]
    return ["external_id", "worker", *fields, "unclear", "state", "submitted_at", "instruction_version"]


def answer_rows(batch: Batch, names: dict[int, str]) -> Iterator[dict[str, Any]]:
    """Every paid or payable answer of the batch; rejected ones are withheld until they are upheld (R42).

    `names` are the requester's names for the batch's workers. An answer of a worker not among them, who came in while
    the export runs, waits for the next export.
    """
    after = 0
    while page := rows(
        "SELECT a.id, t.external_id, a.worker_id, w.values, w.unclear, a.state,"
        " date_trunc('minute', a.submitted_at), v.number"
        " FROM assignments_assignment a JOIN batches_task t ON t.id = a.task_id"
        " JOIN projects_version v ON v.id = a.version_id"
        " JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
        "               ORDER BY revision DESC LIMIT 1) w ON true"
        " WHERE a.batch_id = %s AND a.id > %s AND a.state IN ('accepted', 'upheld') ORDER BY a.id LIMIT %s",
        [batch.pk, after, PAGE],
    ):
        for _, external_id, worker_id, values, unclear, state, submitted_at, version in page:
            if worker_id not in names:
                continue
            yield {
                "external_id": external_id,
                "worker": names[worker_id],
                **values,
                "unclear": unclear,
                "state": state,
                "submitted_at": submitted_at.isoformat(),
                "instruction_version": version,
            }
        after = page[-1][0]
