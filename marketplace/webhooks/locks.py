"""The only place of this app that locks rows. Order: lanes by subscription and batch → subscription → deliveries."""

from uuid import UUID

from marketplace.common.database import one, run
from marketplace.webhooks.models import Subscription


def lanes_for_update(subscription_id: int) -> None:
    """All lanes of a webhook: nothing is noted for it, and no outcome is written down, beside this."""
    run("SELECT 1 FROM webhooks_lane WHERE subscription_id = %s ORDER BY batch_id FOR NO KEY UPDATE", [subscription_id])


def lane_held(lane_id: int, lease: UUID) -> bool:
    """Lock the lane; whether it is still held under this lease. Otherwise somebody else goes on with it."""
    found = one("SELECT 1 FROM webhooks_lane WHERE id = %s AND lease = %s FOR NO KEY UPDATE", [lane_id, lease])
    return found is not None


def subscription_for_update(pk: int) -> Subscription:
    """The webhook, locked."""
    return Subscription.objects.select_for_update(no_key=True).get(pk=pk)
