"""A rejection is contested, and the contest ends: what happens between is for the app of appeals."""

from uuid import UUID

from marketplace.batches.locks import share_batch
from marketplace.common.database import one, run
from marketplace.common.transactions import require_transaction
from workers.assignments.errors import NotContestable
from workers.assignments.locks import own_assignment_for_update


def contest_rejection(*, worker_id: int, assignment: UUID) -> int:
    """Note that the worker contests the rejection of his answer, and return the assignment's id: until the contest ends
    its money stays aside and nothing else follows from it. Locks: batch (shared), assignment. Raises
    `NotContestable` once the time is over, and for what is not his, not rejected, or was contested before.
    """
    require_transaction()
    # Before the time is looked at: whoever gives back what lies aside is done, or waits until this is.
    if of := one(
        "SELECT batch_id FROM assignments_assignment WHERE worker_id = %s AND public_id = %s", [worker_id, assignment]
    ):
        share_batch(of[0])
    pk, state = own_assignment_for_update(worker_id, assignment) or (0, "")
    if state != "rejected" or not run(
        "INSERT INTO assignments_contest (assignment_id, batch_id, made_at)"
        " SELECT r.assignment_id, r.batch_id, market_now() FROM assignments_rejection r"
        " JOIN batches_batch b ON b.id = r.batch_id WHERE r.assignment_id = %s"
        " AND r.made_at > market_now() - make_interval(secs => b.appeal_s) ON CONFLICT DO NOTHING",
        [pk],
    ):
        raise NotContestable(
            "There is no such rejection of yours, its time is over, or you have contested it before.",
            assignment=str(assignment),
        )
    return pk


def end_contest(*, assignment_id: int) -> bool:
    """The contest is over; says whether it was not before."""
    require_transaction()
    return bool(
        run(
            "UPDATE assignments_contest SET ended_at = market_now() WHERE assignment_id = %s AND ended_at IS NULL",
            [assignment_id],
        )
    )
