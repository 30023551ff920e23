"""The only place of this app that locks rows."""

from marketplace.accounts.models import Invitation, Sanction
from marketplace.common.database import MarketNow


def open_invitation(code_hash: bytes) -> Invitation | None:
    """The invitation that this code opens now, locked: of two who use a code at once, the second finds none."""
    return (
        Invitation.objects.select_for_update(no_key=True, of=("self",))
        .select_related("user")
        .filter(code_hash=code_hash, used_at=None, expires_at__gt=MarketNow(), user__is_active=True)
        .first()
    )


def sanction_for_update(sanction_id: int) -> Sanction:
    """The sanction under FOR NO KEY UPDATE: of two who lift it at once, the second finds it lifted."""
    return Sanction.objects.select_for_update(no_key=True, of=("self",)).get(pk=sanction_id)
