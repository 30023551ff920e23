"""What the live server does about what happened to assignments: it tells their workers to look."""

from marketplace.common.outbox import Delivered, handles
from workers.appeals.events import AppealDecided, AppealMoved, AppealOpened
from workers.assignments.events import (
    AnswerAccepted,
    AnswerRejected,
    AnswerReturned,
    AnswerSubmitted,
    AnswerUpheld,
    BonusPaid,
    LeaseExpired,
    LeaseReturned,
    PaymentSettled,
    PlaceTaken,
)
from workers.live.hints import tell


@handles(
    PlaceTaken,
    AnswerSubmitted,
    AnswerAccepted,
    AnswerRejected,
    AnswerReturned,
    AnswerUpheld,
    BonusPaid,
    LeaseExpired,
    LeaseReturned,
    PaymentSettled,
    AppealOpened,
    AppealMoved,
    AppealDecided,
)
def tell_workers(event: Delivered) -> None:
    """A hint to each worker concerned; seen twice or late it does no harm."""
    tell(event.body["worker_ids"], event.kind)
