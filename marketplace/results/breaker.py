"""When rejections wait for a look by somebody else (R42). Values in, values out."""

from math import sqrt

ALWAYS = 5  # so many may be rejected of any batch …
SHARE = 10  # … and of a large one every tenth answer; the database holds the same
# The same of all batches of a requester together, over so many days: to cut work into small batches does not help.
WEEK_DAYS = 7
WEEK_ALWAYS = 20
# Consensus is wrong now and then, however much the answers agree; one rejection against it is no pattern.
DISAGREEMENT_MIN = 0.1
SIGMAS = 3.0


def allowance(answered: int) -> int:
    """How many answers of a batch with so many answered places may be rejected without a review."""
    return max(ALWAYS, answered // SHARE)


def week_allowance(answered: int) -> int:
    """How many answers a requester may reject without a review in a week in which so many places were answered."""
    return max(WEEK_ALWAYS, answered // SHARE)


def defies_consensus(*, agreeing: int, compared: int, disagreement: float) -> bool:
    """Whether rejections hit answers that agree with the others by more than 3σ over what disagreement explains.

    agreeing      rejected answers that agree with most other answers of their task
    compared      rejected answers of which that could be said
    disagreement  share of the batch's answers that do not agree with most others: how often consensus may be wrong
    """
    rate = min(max(disagreement, DISAGREEMENT_MIN), 1.0)
    return agreeing > compared * rate + SIGMAS * sqrt(compared * rate * (1 - rate))
