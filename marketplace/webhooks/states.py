"""What subscriptions and deliveries can be, and when a failed delivery is tried again. Pure rules."""

from datetime import timedelta

from django.db import models


class Kind(models.TextChoices):
    """What a requester can be told of. `test` is sent when somebody asks for it, and to every subscription."""

    BATCH_PUBLISHED = "batch.published"
    BATCH_PAUSED = "batch.paused"
    BATCH_RESUMED = "batch.resumed"
    BATCH_CANCELLED = "batch.cancelled"
    BATCH_SETTLED = "batch.settled"
    TASK_COMPLETED = "task.completed"
    TEST = "test"


SUBSCRIBABLE = [kind for kind in Kind if kind != Kind.TEST]


class SubscriptionState(models.TextChoices):
    """Of these only `active` is sent to. What comes while it is paused or disabled waits for a week."""

    ACTIVE = "active"
    PAUSED = "paused"  # by a member
    DISABLED = "disabled"  # a delivery was given up
    REMOVED = "removed"


class DeliveryState(models.TextChoices):
    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


# After each failed try: ten tries in all, the last at least 24 hours after the first.
WAITS_S = (10, 30, 120, 600, 1_800, 5_400, 14_400, 28_800, 36_000)
TRIES_MAX = len(WAITS_S) + 1
# So much longer, at most, each wait is by chance, so that those who failed together do not come back together.
JITTER = 0.2
# A test is for whoever looks at it now.
TEST_TRIES_MAX = 1
ROTATION_DEFAULT, ROTATION_MAX = timedelta(hours=24), timedelta(days=7)


def next_wait_s(*, tries: int, kind: str, draw: float) -> float | None:
    """Seconds until the next try after so many failed ones, `draw` in [0, 1); None when it is given up."""
    if tries >= (TEST_TRIES_MAX if kind == Kind.TEST else TRIES_MAX):
        return None
    return WAITS_S[tries - 1] * (1 + JITTER * draw)
