"""Who may work on a batch. The batch stores the audience as data; here it is evaluated, for one worker and for all."""

from workers.assignments.audience.eligibility import owns, refusal, require_eligible
from workers.assignments.audience.sanctions import closed_by, stops_of

__all__ = ["closed_by", "owns", "refusal", "require_eligible", "stops_of"]
