"""Everything that can happen to accounts; what happens to people, keys and organisations is at hand here."""

from marketplace.accounts.commands.people import (
    Invited,
    Invitee,
    accept_invitation,
    add_member,
    create_key,
    ensure_staff,
    forget_notices,
    found_requester,
    invite,
    new_password,
    notice_sent,
    notify,
    require_strong,
    revoke_key,
    sign_up,
    take_notices,
)

__all__ = [
    "Invited",
    "Invitee",
    "accept_invitation",
    "add_member",
    "create_key",
    "ensure_staff",
    "forget_notices",
    "found_requester",
    "invite",
    "new_password",
    "notice_sent",
    "notify",
    "require_strong",
    "revoke_key",
    "sign_up",
    "take_notices",
]
