"""Who may work on a batch. The batch stores the audience as data; here it is evaluated, for one worker and for all."""

from workers.assignments.audience.eligibility import owns, refusal, require_eligible

__all__ = ["owns", "refusal", "require_eligible"]
