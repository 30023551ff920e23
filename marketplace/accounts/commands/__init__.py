"""Everything that can happen to accounts; what happens to people, keys and organisations is at hand here."""

from marketplace.accounts.commands.acts import act_anchor_sent, make_act_anchor, record
from marketplace.accounts.commands.members import (
    change_role,
    invite_member,
    join,
    remove_member,
    withdraw_invitation,
)
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
from marketplace.accounts.commands.staff import give_role, take_role

__all__ = [
    "Invited",
    "Invitee",
    "accept_invitation",
    "act_anchor_sent",
    "add_member",
    "change_role",
    "create_key",
    "ensure_staff",
    "forget_notices",
    "found_requester",
    "give_role",
    "invite",
    "invite_member",
    "join",
    "make_act_anchor",
    "new_password",
    "notice_sent",
    "notify",
    "record",
    "remove_member",
    "require_strong",
    "revoke_key",
    "sign_up",
    "take_notices",
    "take_role",
    "withdraw_invitation",
]
