"""The life of an assignment, as values. The database holds the same table of steps in a trigger (R17)."""

from django.db import models


class State(models.TextChoices):
    LEASED = "leased"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RETURNED = "returned"
    EXPIRED = "expired"
    UPHELD = "upheld"


LIVE = (State.LEASED, State.SUBMITTED, State.ACCEPTED)
PAYABLE = (State.ACCEPTED, State.UPHELD)

# `expired → leased` is revival (new token); `submitted → leased` is a return for repair (same place, new token);
# `rejected → upheld` is an appeal won, paid outside the live places.
STEPS: frozenset[tuple[State, State]] = frozenset(
    {
        (State.LEASED, State.SUBMITTED),
        (State.LEASED, State.RETURNED),
        (State.LEASED, State.EXPIRED),
        (State.EXPIRED, State.LEASED),
        (State.SUBMITTED, State.ACCEPTED),
        (State.SUBMITTED, State.REJECTED),
        (State.SUBMITTED, State.LEASED),
        (State.REJECTED, State.UPHELD),
    }
)


class RejectReason(models.TextChoices):
    WRONG = "wrong"
    INCOMPLETE = "incomplete"
    SPAM = "spam"
    OFF_INSTRUCTIONS = "off_instructions"


class ReturnReason(models.TextChoices):
    """Why a worker gives a place back. A skip says nothing about the task and costs the worker nothing."""

    SKIP = "skip"
    TOO_HARD = "too_hard"
    UNCLEAR_INSTRUCTIONS = "unclear_instructions"
    BROKEN = "broken"
    INAPPROPRIATE = "inappropriate"
    OTHER = "other"
