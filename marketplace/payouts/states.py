"""The states of a payout and the steps between them. The database holds the same table (`payouts_step`)."""

from django.db import models


class PayoutState(models.TextChoices):
    REQUESTED = "requested"  # the money is set aside
    APPROVED = "approved"  # to be sent next
    SENT = "sent"  # it may have left: only the provider knows
    IN_DOUBT = "in_doubt"  # the provider did not say; only a look-up can tell
    SETTLED = "settled"  # the receiver has it
    FAILED = "failed"  # the provider will not pay; the money goes back next
    RETURNED = "returned"  # not paid, or sent back; the worker has the money again
    REFUSED = "refused"  # by staff
    CANCELLED = "cancelled"  # by the worker


# Also from `approved` a payout can be stopped: nobody has been asked to pay it yet.
STEPS: dict[str, frozenset[str]] = {
    PayoutState.REQUESTED: frozenset({PayoutState.APPROVED, PayoutState.REFUSED, PayoutState.CANCELLED}),
    PayoutState.APPROVED: frozenset({PayoutState.SENT, PayoutState.REFUSED, PayoutState.CANCELLED}),
    PayoutState.SENT: frozenset({PayoutState.SETTLED, PayoutState.FAILED, PayoutState.IN_DOUBT}),
    PayoutState.IN_DOUBT: frozenset({PayoutState.SENT, PayoutState.SETTLED, PayoutState.FAILED}),
    PayoutState.FAILED: frozenset({PayoutState.RETURNED}),
    PayoutState.SETTLED: frozenset({PayoutState.RETURNED}),
    PayoutState.RETURNED: frozenset(),
    PayoutState.REFUSED: frozenset(),
    PayoutState.CANCELLED: frozenset(),
}
# While it is in one of these, its money is in `worker:…:withdrawing`.
IN_FLIGHT = (
    PayoutState.REQUESTED,
    PayoutState.APPROVED,
    PayoutState.SENT,
    PayoutState.IN_DOUBT,
    PayoutState.FAILED,
)
STOPPABLE = (PayoutState.REQUESTED, PayoutState.APPROVED)


class Outcome(models.TextChoices):
    """What staff report of a payment that a file asked for."""

    SETTLED = "settled"
    FAILED = "failed"
    RETURNED = "returned"  # it had been paid, and the bank sent it back


class AttemptKind(models.TextChoices):
    """Why somebody's wish for a destination is kept as evidence."""

    TAKEN = "taken"  # it is another person's now: refused
    FORMER = "former"  # it was another person's and was removed: let in
