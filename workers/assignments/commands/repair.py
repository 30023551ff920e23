"""Give an answer back to its worker for repair, once, before anybody rejects it."""

from collections import defaultdict
from uuid import UUID

from marketplace.batches.locks import hold_batch, lock_tasks
from marketplace.common.database import rows, run
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from workers.assignments.commands.decide import DECISIONS_MAX, require_few, require_words
from workers.assignments.errors import NotReturnable
from workers.assignments.events import AnswerReturned
from workers.assignments.locks import people_of, submitted_for_update, tasks_of
from workers.assignments.states import RejectReason

# A lease anew on the same place, under the number of a free one and for a full time limit. That it counts as an attempt
# keeps its end from counting as a worker who gave the task up.
RETURN = """
UPDATE assignments_assignment a
   SET state = 'leased', token = gen_random_uuid(), attempts = a.attempts + 1, lease_no = g.number, end_reason = '',
       comment = '', leased_at = m.moment, lease_until = m.moment + make_interval(secs => b.time_limit_s)
  FROM unnest(%s::bigint[], %s::smallint[]) AS g(id, number), batches_batch b, (SELECT market_now() AS moment) m
 WHERE a.id = g.id AND b.id = a.batch_id
"""


def return_answers(*, batch_id: int, assignments: list[UUID], reason: RejectReason, comment: str, made_by: int) -> int:
    """Give the named submitted answers back to their workers, with a reason in words: the same places, new tokens, a
    fresh time limit, and what they answered as their drafts. Returns how many.

    Each answer goes back at most once, which the database holds. Where a lease ends unused, its place opens as usual
    and nothing counts against the worker. A repeat passes over what has gone back and is not submitted again. Locks:
    workers, batch, tasks, assignments. Emits `AnswerReturned`. Raises `NotReturnable` naming answers that are decided,
    were back before, or whose workers hold as many leases, or have done as much today, as the batch allows.
    """
    require_transaction()
    require_few(assignments)
    require_words(comment)
    people_of(batch_id, assignments)
    hold_batch(batch_id)
    lock_tasks(tasks_of(batch_id, assignments))
    found = submitted_for_update(batch_id, assignments, DECISIONS_MAX)
    ids = [row[0] for row in found]
    _require_returnable(batch_id, assignments, ids)
    if not found:
        return 0
    run(
        "INSERT INTO assignments_repair (assignment_id, batch_id, submitted_at, reason, comment, made_by_id, made_at)"
        " SELECT a.id, a.batch_id, a.submitted_at, %s, %s, %s, market_now() FROM assignments_assignment a"
        " WHERE a.id = ANY(%s) ORDER BY a.id",
        [reason, comment, made_by, ids],
    )
    run(
        "INSERT INTO assignments_draft (assignment_id, values, saved_at)"
        " SELECT w.assignment_id, w.values, market_now() FROM assignments_answer w WHERE w.assignment_id = ANY(%s)"
        " AND NOT w.unclear AND w.revision = (SELECT max(l.revision) FROM assignments_answer l"
        " WHERE l.assignment_id = w.assignment_id) ON CONFLICT (assignment_id) DO UPDATE"
        " SET values = excluded.values, saved_at = excluded.saved_at",
        [ids],
    )
    numbers = _numbers(batch_id, ids)
    run(RETURN, [list(numbers), list(numbers.values())])
    publish(AnswerReturned(batch_id=batch_id, worker_ids=sorted({row[2] for row in found}), assignment_ids=ids))
    return len(found)


def _require_returnable(batch_id: int, assignments: list[UUID], ids: list[int]) -> None:
    known = {
        row[0]: (row[1], row[2], row[3])
        for row in rows(
            "SELECT a.public_id, a.id, a.state, r.assignment_id IS NOT NULL FROM assignments_assignment a"
            " LEFT JOIN assignments_repair r ON r.assignment_id = a.id WHERE a.batch_id = %s AND a.public_id = ANY(%s)",
            [batch_id, assignments],
        )
    }
    submitted = set(ids)
    wrong = []
    for public_id in assignments:
        pk, state, returned = known.get(public_id, (0, "", False))
        # One that has gone back and has not come again is what the caller wanted.
        done = returned and state in ("leased", "expired", "returned")
        if not done and (pk not in submitted or returned):
            wrong.append(str(public_id))
    if wrong:
        raise NotReturnable(
            "Some answers are not in this batch, are not submitted, or went back once already.", answers=wrong[:20]
        )


def _numbers(batch_id: int, ids: list[int]) -> dict[int, int]:
    """A free lease number for each answer; the callers' lock on the workers keeps them free."""
    cap, daily = rows("SELECT lease_cap, daily_limit FROM batches_batch WHERE id = %s", [batch_id])[0]
    asked = rows(
        "SELECT a.id, a.public_id, w.person_id, a.leased_at < date_trunc('day', market_now() AT TIME ZONE 'UTC')"
        " AT TIME ZONE 'UTC' FROM assignments_assignment a JOIN profiles_worker w ON w.id = a.worker_id"
        " WHERE a.id = ANY(%s) ORDER BY a.id",
        [ids],
    )
    people = sorted({row[2] for row in asked})
    used: dict[int, set[int]] = defaultdict(set)
    for person, number in rows(
        "SELECT person_id, lease_no FROM assignments_assignment WHERE batch_id = %s AND state = 'leased'"
        " AND person_id = ANY(%s)",
        [batch_id, people],
    ):
        used[person].add(number)
    # A repair uses up the day on which its lease begins.
    left = dict.fromkeys(people, len(asked) if daily is None else daily)
    if daily is not None:
        for person, done in rows(
            "SELECT person_id, used FROM assignments_quota WHERE batch_id = %s AND person_id = ANY(%s)"
            " AND day = (market_now() AT TIME ZONE 'UTC')::date",
            [batch_id, people],
        ):
            left[person] -= done
    numbers: dict[int, int] = {}
    busy = []
    for pk, public_id, person, earlier_day in asked:
        number = next((n for n in range(1, cap + 1) if n not in used[person]), None)
        left[person] -= earlier_day
        if number is None or left[person] < 0:
            busy.append(str(public_id))
            continue
        used[person].add(number)
        numbers[pk] = number
    if busy:
        raise NotReturnable(
            "Their workers have as much of this batch in hand, or have done as much today, as it allows; try later.",
            answers=busy[:20],
        )
    return numbers
