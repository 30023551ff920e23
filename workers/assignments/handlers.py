"""What assignments does about events: it hastens the sweeps that would find the same work a second later."""

from marketplace.common.outbox import Delivered, handles
from workers.assignments.events import AnswerAccepted, AnswerUpheld


@handles(AnswerAccepted, AnswerUpheld)
def pay_soon(event: Delivered) -> None:
    """Ask for a settlement run."""
    from workers.assignments.tasks import settle_due

    settle_due.apply_async(expires=5, ignore_result=True)
