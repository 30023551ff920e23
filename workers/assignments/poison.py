"""When so many tasks are broken that more work on the batch would be wasted. Values in, values out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SpikePolicy:
    """A batch is paused when at least `tasks_min` tasks are in quarantine and they are at least `share_min` of all
    that came to an end, one way or the other."""

    tasks_min: int = 10
    share_min: float = 0.2


def completed(*, submitted: int, accepted: int, rejected: int, overlap: int) -> float:
    """How many tasks are done, estimated from the counts of their answers."""
    return (submitted + accepted + rejected) / overlap


def is_spike(*, quarantined: int, done: float, seen: int = 0, policy: SpikePolicy | None = None) -> bool:
    """Whether the batch should be paused. `seen` tasks were in quarantine when it was paused for them before: it takes
    as many again to pause it once more."""
    policy = policy or SpikePolicy()
    return quarantined >= max(policy.tasks_min, 2 * seen) and quarantined >= policy.share_min * (quarantined + done)
