"""Members come by invitation, change their roles and go; an organisation always has an owner."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from marketplace.accounts.commands import (
    change_role,
    invite_member,
    join,
    remove_member,
    take_notices,
    withdraw_invitation,
)
from marketplace.accounts.errors import AlreadyMember, InvitationInvalid, InvitedElsewhere, LastOwner, RoleTooLow
from marketplace.accounts.models import Act, Member, MemberInvitation, Requester, User
from marketplace.accounts.queries import invitation_by, memberships_of, open_invitations
from marketplace.common.database import run
from marketplace.common.errors import NotFound
from marketplace.common.transactions import one_transaction
from tests import factories as make

pytestmark = pytest.mark.django_db


def member(requester: Requester, role: str = "viewer") -> User:
    user = make.make_user()
    Member.objects.create(requester=requester, user=user, role=role)
    return user


def roles(requester: Requester) -> dict[int, str]:
    return dict(Member.objects.filter(requester=requester).values_list("user_id", "role"))


def invited(requester: Requester, email: str, role: str = "reviewer") -> str:
    with one_transaction(principal="test"):
        _made, code = invite_member(requester_id=requester.pk, email=email, role=role, by=make.owner_of(requester).pk)
    return code


def joined(user: User, code: str) -> Member:
    with one_transaction(principal="test"):
        return join(user=user, code=code)


def test_who_has_the_code_and_the_address_joins_with_the_role_once() -> None:
    requester, user = make.make_requester(), make.make_user()
    code = invited(requester, user.email.upper())

    made = joined(user, code)

    assert (made.requester_id, made.role) == (requester.pk, "reviewer")
    assert [one.requester_id for one in memberships_of(user.pk)] == [requester.pk]
    invitation = MemberInvitation.objects.get()
    assert (invitation.accepted_by_id, invitation.ended_at is not None) == (user.pk, True)
    assert code.encode() not in bytes(invitation.code_hash)
    with pytest.raises(InvitationInvalid):
        joined(user, code)


def test_the_code_alone_lets_nobody_in_and_stays_good_for_whom_it_is_meant() -> None:
    requester, user, thief = make.make_requester(), make.make_user(), make.make_user()
    code = invited(requester, user.email)

    with pytest.raises(InvitedElsewhere):
        joined(thief, code)

    assert memberships_of(thief.pk).count() == 0
    assert joined(user, code).role == "reviewer"


def test_an_invitation_ends_after_two_weeks(clock: Any) -> None:
    requester, user = make.make_requester(), make.make_user()
    code = invited(requester, user.email)
    clock(timedelta(days=14))

    with pytest.raises(InvitationInvalid):
        joined(user, code)
    assert open_invitations(requester.pk).count() == 0
    with pytest.raises(InvitationInvalid):
        invitation_by(code)


def test_inviting_again_ends_the_earlier_code_and_taking_back_the_last() -> None:
    requester, user = make.make_requester(), make.make_user()
    first, second = invited(requester, user.email), invited(requester, user.email, "manager")

    assert [one.role for one in open_invitations(requester.pk)] == ["manager"]
    with pytest.raises(InvitationInvalid):
        joined(user, first)
    with one_transaction(principal="test"):
        withdraw_invitation(requester_id=requester.pk, invitation=open_invitations(requester.pk).get().public_id)
    with pytest.raises(InvitationInvalid):
        joined(user, second)
    assert memberships_of(user.pk).count() == 0


def told_ended(requester: Requester) -> list[str]:
    return list(
        Act.objects.filter(
            act="permission.invitation_ended", before__requester=str(requester.public_id), subject="invitation"
        )
        .order_by("pk")
        .values_list("why", flat=True)
    )


def test_each_invitation_that_ends_unaccepted_is_in_the_log_with_why() -> None:
    requester, user = make.make_requester(), make.make_user()
    invited(requester, user.email)
    invited(requester, user.email)
    with one_transaction(principal="test"):
        withdraw_invitation(requester_id=requester.pk, invitation=open_invitations(requester.pk).get().public_id)
    with pytest.raises(NotFound), one_transaction(principal="test"):
        withdraw_invitation(requester_id=requester.pk, invitation=MemberInvitation.objects.latest("pk").public_id)
    joined(user, invited(requester, user.email))
    assert told_ended(requester) == ["replaced", "taken-back"]


@pytest.mark.parametrize("step", ["removed", "lowered"])
def test_an_owner_who_goes_leaves_no_way_in_behind_him(step: str) -> None:
    requester, puppet, friend = make.make_requester(), make.make_user(), make.make_user()
    leaver, stays = member(requester, "owner"), make.owner_of(requester)
    codes = {}
    for by, user in ((leaver, puppet), (stays, friend)):
        with one_transaction(principal="test"):
            codes[user.pk] = invite_member(requester_id=requester.pk, email=user.email, role="owner", by=by.pk)[1]

    with one_transaction(principal="test"):
        if step == "removed":
            remove_member(requester_id=requester.pk, member=leaver.public_id)
        else:
            change_role(requester_id=requester.pk, member=leaver.public_id, role="manager")

    with pytest.raises(InvitationInvalid):
        invitation_by(codes[puppet.pk])
    with pytest.raises(InvitationInvalid):
        joined(puppet, codes[puppet.pk])
    assert memberships_of(puppet.pk).count() == 0
    assert told_ended(requester) == ["maker-left"]
    assert joined(friend, codes[friend.pk]).role == "owner", "what somebody else asked stays"


@pytest.mark.parametrize("role", ["manager", "reviewer", "viewer", ""])
def test_who_was_an_owner_when_he_began_to_ask_and_is_none_now_invites_nobody(role: str) -> None:
    requester = make.make_requester()
    by = member(requester, role) if role else make.make_user()
    with pytest.raises(RoleTooLow if role else NotFound), one_transaction(principal="test"):
        invite_member(requester_id=requester.pk, email="a@new.example", role="owner", by=by.pk)
    columns = "(public_id, requester_id, email, role, code_hash, made_by_id, expires_at)"
    with pytest.raises(IntegrityError, match="owners ask people to join"), transaction.atomic():
        run(
            f"INSERT INTO accounts_memberinvitation {columns} VALUES (gen_random_uuid(), %s, 'a@new.example', 'owner',"
            " sha256('x'), %s, market_now() + interval '1 day')",
            [requester.pk, by.pk],
        )
    assert MemberInvitation.objects.count() == 0


def test_the_database_lets_nobody_in_whom_somebody_asked_that_is_no_owner_any_more() -> None:
    requester, puppet = make.make_requester(), make.make_user()
    leaver = member(requester, "owner")
    with one_transaction(principal="test"):
        made, code = invite_member(requester_id=requester.pk, email=puppet.email, role="owner", by=leaver.pk)
    run("DELETE FROM accounts_member WHERE user_id = %s", [leaver.pk])
    with pytest.raises(IntegrityError, match="owners ask people to join"):
        joined(puppet, code)
    with pytest.raises(IntegrityError, match="owners ask people to join"), transaction.atomic():
        run(
            "UPDATE accounts_memberinvitation SET accepted_by_id = %s, ended_at = market_now() WHERE id = %s",
            [puppet.pk, made.pk],
        )
    assert memberships_of(puppet.pk).count() == 0


def test_another_organisations_invitation_cannot_be_taken_back() -> None:
    requester, other = make.make_requester(), make.make_requester()
    invited(requester, "a@new.example")
    with pytest.raises(NotFound), one_transaction(principal="test"):
        withdraw_invitation(requester_id=other.pk, invitation=MemberInvitation.objects.get().public_id)
    assert open_invitations(requester.pk).count() == 1


def test_a_member_is_not_invited_and_nobody_else_is_told_from_a_stranger() -> None:
    requester = make.make_requester()
    with pytest.raises(AlreadyMember):
        invited(requester, make.owner_of(requester).email)
    # With an account and without one: the same.
    invited(requester, make.make_user().email)
    invited(requester, "nobody@new.example")
    assert open_invitations(requester.pk).count() == 2


def test_who_became_a_member_meanwhile_keeps_his_role() -> None:
    requester, user = make.make_requester(), make.make_user()
    code = invited(requester, user.email, "viewer")
    Member.objects.create(requester=requester, user=user, role="manager")

    assert joined(user, code).role == "manager"


def test_a_role_changes_and_the_member_is_told() -> None:
    requester = make.make_requester()
    user = member(requester)
    for _ in range(2):
        with one_transaction(principal="test"):
            change_role(requester_id=requester.pk, member=user.public_id, role="manager")

    assert roles(requester)[user.pk] == "manager"
    with one_transaction(principal="test"):
        notices = take_notices()
    assert [(one.user_id, one.subject) for one in notices] == [(user.pk, "Your role in Acme Labels has changed")]


def test_a_member_goes_and_nothing_opens_for_him() -> None:
    requester = make.make_requester()
    user = member(requester, "manager")
    with one_transaction(principal="test"):
        remove_member(requester_id=requester.pk, member=user.public_id)

    assert memberships_of(user.pk).count() == 0
    assert User.objects.filter(pk=user.pk).exists()
    with pytest.raises(NotFound), one_transaction(principal="test"):
        remove_member(requester_id=requester.pk, member=user.public_id)


def test_the_last_owner_can_neither_go_nor_become_less_until_there_is_another() -> None:
    requester = make.make_requester()
    owner = make.owner_of(requester)
    member(requester, "manager")
    with pytest.raises(LastOwner), one_transaction(principal="test"):
        remove_member(requester_id=requester.pk, member=owner.public_id)
    with pytest.raises(LastOwner), one_transaction(principal="test"):
        change_role(requester_id=requester.pk, member=owner.public_id, role="manager")
    assert roles(requester)[owner.pk] == "owner"

    second = member(requester, "owner")
    with one_transaction(principal="test"):
        remove_member(requester_id=requester.pk, member=owner.public_id)
    assert roles(requester)[second.pk] == "owner"
    assert owner.pk not in roles(requester)


@pytest.mark.parametrize("attack", ["DELETE FROM accounts_member", "UPDATE accounts_member SET role = 'viewer'"])
def test_the_database_itself_keeps_an_owner(attack: str) -> None:
    requester = make.make_requester()
    member(requester)
    with pytest.raises(IntegrityError, match="without an owner"), transaction.atomic():
        run(attack)
    assert sorted(roles(requester).values()) == ["owner", "viewer"]


def test_what_an_ended_invitation_says_never_changes() -> None:
    requester = make.make_requester()
    invited(requester, "a@new.example")
    assert run("UPDATE accounts_memberinvitation SET ended_at = market_now()") == 1
    with pytest.raises(IntegrityError, match="has ended"), transaction.atomic():
        run("UPDATE accounts_memberinvitation SET ended_at = NULL")
