"""Who works for an organisation: asked to come, given another role, and let go."""

from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet

from marketplace.accounts.codes import hash_of, new_code
from marketplace.accounts.commands.acts import record
from marketplace.accounts.commands.people import notify
from marketplace.accounts.errors import AlreadyMember, InvitationInvalid, InvitedElsewhere, LastOwner
from marketplace.accounts.locks import open_member_invitation, requester_for_update
from marketplace.accounts.models import Member, MemberInvitation, Role, User
from marketplace.accounts.queries import member_of, members_of, open_invitations, require_role
from marketplace.common.database import MarketNow, run
from marketplace.common.errors import NotFound
from marketplace.common.transactions import require_transaction

INVITATION_LIFE = timedelta(days=14)


def change_role(*, requester_id: int, member: UUID, role: str) -> Member:
    """Give a member another role and tell him. Whom he asked to join as an owner may not come once he is none any more.
    Repeating it changes nothing.

    Locks: organisation. Raises `NotFound`, and `LastOwner` when nobody else owns the organisation.
    """
    require_transaction()
    requester = requester_for_update(requester_id)
    found = member_of(requester_id, member)
    if found.role == role:
        return found
    _require_another_owner(found)
    _record("permission.role_changed", found, before={"role": found.role}, after={"role": role})
    if role != Role.OWNER:
        _end_invitations_by(found)
    found.role = role
    found.save(update_fields=["role"])
    notify(
        user_id=found.user_id,
        subject=f"Your role in {requester.name} has changed",
        text=f"You are now {role} there. If you did not expect this, ask an owner of {requester.name}.",
    )
    return found


def remove_member(*, requester_id: int, member: UUID) -> None:
    """Let somebody go and tell him; from now on the organisation is not there for him, whatever key he has, nor for
    whom he asked to join and who has not come.

    Locks: organisation. Raises `NotFound`, and `LastOwner` when nobody else owns the organisation.
    """
    require_transaction()
    requester = requester_for_update(requester_id)
    found = member_of(requester_id, member)
    _require_another_owner(found)
    _record("permission.member_removed", found, before={"role": found.role}, after=None)
    user_id = found.user_id
    _end_invitations_by(found)
    found.delete()
    notify(
        user_id=user_id,
        subject=f"You are no longer a member of {requester.name}",
        text=f"Your account and your API keys stay, but they open nothing of {requester.name} any more.",
    )


def invite_member(*, requester_id: int, email: str, role: str, by: int) -> tuple[MemberInvitation, str]:
    """Ask somebody to join; whether this address has an account is neither asked nor said. The code is shown this once.

    An invitation of the same address that is open ends. Locks: organisation. Raises `AlreadyMember`, and `NotFound` or
    `RoleTooLow` where `by` does not own the organisation, read under the lock.
    """
    require_transaction()
    requester_for_update(requester_id)
    require_role(user_id=by, requester_id=requester_id, at_least=Role.OWNER)
    email = email.strip().lower()
    there = members_of(requester_id).filter(user__email=email).first()
    if there is not None:
        message = f"is a member already, with the role {there.role}"
        raise AlreadyMember(f"This person {message}.", role=there.role, errors=[{"field": "email", "message": message}])
    _end(MemberInvitation.objects.filter(requester_id=requester_id, email=email, ended_at=None), why="replaced")
    code = new_code()
    made = MemberInvitation.objects.create(
        requester_id=requester_id,
        email=email,
        role=role,
        code_hash=hash_of(code),
        made_by_id=by,
        expires_at=MarketNow() + INVITATION_LIFE,
    )
    made.refresh_from_db()
    after = {"requester": made.requester.public_id, "role": role}
    record("permission.member_invited", subject="invitation", subject_id=made.public_id, by=by, after=after)
    return made, code


def withdraw_invitation(*, requester_id: int, invitation: UUID) -> None:
    """Take an invitation back: its code opens nothing from now on. Raises `NotFound` for one that is not open."""
    require_transaction()
    if not _end(open_invitations(requester_id).filter(public_id=invitation), why="taken-back"):
        raise NotFound("There is no such invitation.")


def join(*, user: User, code: str) -> Member:
    """Accept an invitation. Who has become a member meanwhile keeps the role that he has.

    Locks: invitation. Raises `InvitationInvalid`, and `InvitedElsewhere` to somebody with another address.
    """
    require_transaction()
    invitation = open_member_invitation(hash_of(code))
    if invitation is None:
        raise InvitationInvalid("This invitation is unknown, used or has expired. Ask for a new one.")
    if invitation.email != user.email:
        raise InvitedElsewhere("Sign in with the e-mail address that this invitation was made for.")
    added = run(
        "INSERT INTO accounts_member (requester_id, user_id, role) VALUES (%s, %s, %s)"
        " ON CONFLICT (requester_id, user_id) DO NOTHING",
        [invitation.requester_id, user.pk, invitation.role],
    )
    invitation.accepted_by, invitation.ended_at = user, MarketNow()
    invitation.save(update_fields=["accepted_by", "ended_at"])
    member = Member.objects.select_related("requester").get(requester_id=invitation.requester_id, user=user)
    if added:
        _record("permission.member_added", member, before=None, after={"role": member.role}, by=user.pk)
    return member


def _end_invitations_by(member: Member) -> None:
    _end(
        MemberInvitation.objects.filter(requester_id=member.requester_id, made_by_id=member.user_id, ended_at=None),
        why="maker-left",
    )


def _end(found: QuerySet[MemberInvitation], *, why: str) -> int:
    """End these invitations, each with its row in the log; how many had not ended meanwhile."""
    ended = 0
    for one in found.select_related("requester").order_by("pk"):
        if MemberInvitation.objects.filter(pk=one.pk, ended_at=None).update(ended_at=MarketNow()):
            before = {"requester": one.requester.public_id, "role": one.role}
            act = "permission.invitation_ended"
            record(act, subject="invitation", subject_id=one.public_id, why=why, before=before)
            ended += 1
    return ended


def _record(
    act: str,
    member: Member,
    *,
    before: dict[str, str] | None,
    after: dict[str, str] | None,
    by: int | None = None,
) -> None:
    """Into the audit log: what became of somebody's membership."""
    of = {"user": str(member.user.public_id)}
    record(
        act,
        subject="requester",
        subject_id=member.requester.public_id,
        by=by,
        before=None if before is None else of | before,
        after=None if after is None else of | after,
    )


def _require_another_owner(member: Member) -> None:
    """A trigger asks again, for everybody."""
    others = members_of(member.requester_id).filter(role=Role.OWNER).exclude(pk=member.pk)
    if member.role == Role.OWNER and not others.exists():
        message = "is the only owner: make somebody else an owner first"
        raise LastOwner(f"This member {message}.", errors=[{"field": "role", "message": message}])
