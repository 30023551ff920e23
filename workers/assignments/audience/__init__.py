"""Who may work on a batch. The batch stores the audience as data; here it is evaluated, for one worker and for all."""

from workers.assignments.audience.eligibility import owns, refusal, refusals_in, refusals_of, require_eligible, score_of
from workers.assignments.audience.sanctions import closed_by, stops_of

__all__ = [
    "closed_by",
    "owns",
    "refusal",
    "refusals_in",
    "refusals_of",
    "require_eligible",
    "score_of",
    "stops_of",
]
