"""What the live server does about what happened to work and to workers: it tells them to look."""

from marketplace.accounts.events import Sanctioned, SanctionLifted
from marketplace.common.outbox import Delivered, handles
from workers.assignments.events import (
    AnswerAccepted,
    AnswerRejected,
    AnswerSubmitted,
    AnswerUpheld,
    BonusPaid,
    LeaseExpired,
    LeaseReturned,
    PaymentSettled,
    PlaceTaken,
)
from workers.live.hints import tell
from workers.profiles.queries import workers_of_people


@handles(
    PlaceTaken,
    AnswerSubmitted,
    AnswerAccepted,
    AnswerRejected,
    AnswerUpheld,
    BonusPaid,
    LeaseExpired,
    LeaseReturned,
    PaymentSettled,
)
def tell_workers(event: Delivered) -> None:
    """A hint to each worker concerned; seen twice or late it does no harm."""
    tell(event.body["worker_ids"], event.kind)


@handles(Sanctioned, SanctionLifted)
def tell_limited(event: Delivered) -> None:
    """What is open to them has changed, under all accounts of the person. A ban closes sockets by itself (`watch`)."""
    tell(workers_of_people(event.body["user_ids"]), event.kind)
