"""The only place of this app that locks rows."""

from marketplace.accounts.models import Invitation, MemberInvitation, Requester, Sanction
from marketplace.common.database import MarketNow


def open_invitation(code_hash: bytes) -> Invitation | None:
    """The invitation that this code opens now, locked with its account: of two who use a code at once, the second finds
    none, and nobody gives the account a password meanwhile."""
    return (
        Invitation.objects.select_for_update(no_key=True, of=("self", "user"))
        .select_related("user")
        .filter(code_hash=code_hash, used_at=None, expires_at__gt=MarketNow(), user__is_active=True)
        .first()
    )


def open_member_invitation(code_hash: bytes) -> MemberInvitation | None:
    """The invitation to an organisation that this code accepts now, locked: of two who use it at once, the second finds
    none."""
    return (
        MemberInvitation.objects.select_for_update(no_key=True, of=("self",))
        .filter(code_hash=code_hash, ended_at=None, expires_at__gt=MarketNow())
        .first()
    )


def requester_for_update(requester_id: int) -> Requester:
    """The organisation under FOR NO KEY UPDATE: its members change one at a time, so that two owners who remove each
    other cannot both succeed."""
    return Requester.objects.select_for_update(no_key=True, of=("self",)).get(pk=requester_id)


def sanction_for_update(sanction_id: int) -> Sanction:
    """The sanction under FOR NO KEY UPDATE: of two who lift it at once, the second finds it lifted."""
    return Sanction.objects.select_for_update(no_key=True, of=("self",)).get(pk=sanction_id)
