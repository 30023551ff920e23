"""Everything that can happen to accounts, keys, organisations and invitations."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.hashers import is_password_usable, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from knox.models import get_digest_token

from marketplace.accounts.codes import hash_of, new_code
from marketplace.accounts.commands.acts import record
from marketplace.accounts.commands.staff import give_role
from marketplace.accounts.errors import (
    AlreadyMember,
    EmailTaken,
    InvitationInvalid,
    NoSuchAccount,
    NotInvitable,
    ScopeNotAllowed,
    SecondFactorMissing,
    WeakPassword,
)
from marketplace.accounts.locks import open_invitation
from marketplace.accounts.models import ApiKey, Invitation, Member, Notice, Requester, Role, Scope, StaffRole, User
from marketplace.accounts.queries import account_at, has_second_factor, has_staff_role, keys_of
from marketplace.common.commands import forgets
from marketplace.common.database import MarketNow, one, rows, run
from marketplace.common.errors import NotFound
from marketplace.common.transactions import require_transaction

KEY_LIFE = timedelta(days=90)
INVITATION_LIFE = timedelta(days=14)
# The only insert of users besides the sign-in library's: the index decides who was first, and nothing fails.
INSERT_USERS = (
    "INSERT INTO accounts_user (public_id, email, name, password, is_staff, is_active)"
    " SELECT gen_random_uuid(), u.email, u.name, u.password, false, true"
    " FROM unnest(%s::text[], %s::text[], %s::text[]) AS u (email, name, password)"
    " ON CONFLICT (email) DO NOTHING RETURNING id"
)


@dataclass(frozen=True)
class Invitee:
    """Somebody to invite."""

    email: str
    name: str = ""


@dataclass(frozen=True)
class Invited:
    """Somebody who was invited; the code is shown this once and kept nowhere."""

    user_id: int
    email: str
    code: str


def sign_up(*, email: str, password: str, name: str = "") -> User:
    """Open an account. Raises `WeakPassword`, `EmailTaken`; a taken address takes as long as a new one."""
    require_transaction()
    email = email.strip().lower()
    require_strong(password, User(email=email, name=name))
    made = one(INSERT_USERS, [[email], [name], [make_password(password)]])
    if made is None:
        raise EmailTaken("This e-mail address has an account already: sign in, or reset its password.")
    return User.objects.get(pk=made[0])


def require_strong(password: str, user: User) -> None:
    """Raise `WeakPassword` with every reason."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(
            " ".join(error.messages), errors=[{"field": "password", "message": message} for message in error.messages]
        ) from None


def create_key(
    *, user: User, name: str, scopes: Sequence[str], life: timedelta | None = None, at_console: bool = False
) -> tuple[ApiKey, str]:
    """A new key and its text, which is shown this once and kept only as a digest.

    A staff key is for staff with a second factor, so that a stolen password opens nothing of theirs; at the console,
    where no request leads, none is asked for. Raises `ScopeNotAllowed`, `SecondFactorMissing`.
    """
    require_transaction()
    if Scope.STAFF in scopes:
        if not user.is_staff:
            raise ScopeNotAllowed("Only staff may have keys with the scope 'staff'.", scope=Scope.STAFF.value)
        if not (at_console or has_second_factor(user.pk)):
            raise SecondFactorMissing("Staff set up a second factor first: on the pages, under your account.")
    digest, token = get_digest_token()
    key = ApiKey(
        digest=digest,
        token_key=token[:15],
        user=user,
        name=name,
        scopes=sorted(set(scopes)),
        expiry=MarketNow() + (life or KEY_LIFE),
    )
    key.save(force_insert=True)
    key.refresh_from_db()
    record(
        "permission.key_made",
        subject="key",
        subject_id=key.public_id,
        after={"user": user.public_id, "scopes": key.scopes, "expires_at": key.expiry},
    )
    return key, token


def revoke_key(*, user_id: int, public_id: UUID, within: Collection[str] | None = None) -> None:
    """Delete one of the user's keys; it stops opening anything at once. With scopes given, as those of a key that asks,
    one that opens more than these is not there. Raises `NotFound`."""
    require_transaction()
    deleted, _ = keys_of(user_id, within).filter(public_id=public_id).delete()
    if not deleted:
        raise NotFound("There is no such key.")
    record("permission.key_revoked", subject="key", subject_id=public_id, by=user_id)


def found_requester(*, user_id: int, name: str) -> Member:
    """A new organisation, with the user as its owner."""
    require_transaction()
    requester = Requester.objects.create(name=name)
    member = Member.objects.create(requester=requester, user_id=user_id, role=Role.OWNER)
    record(
        "permission.requester_founded",
        subject="requester",
        subject_id=requester.public_id,
        by=user_id,
        after={"role": Role.OWNER},
    )
    return member


def add_member(*, requester_id: int, email: str, role: str) -> Member:
    """Let somebody who has an account work for the organisation. Repeating it changes nothing.

    Raises `NoSuchAccount`, and `AlreadyMember` when he has another role.
    """
    require_transaction()
    user = account_at(email)
    if user is None:
        raise NoSuchAccount(
            "Nobody has signed up with this e-mail address.",
            errors=[{"field": "email", "message": "has no account"}],
        )
    added = run(
        "INSERT INTO accounts_member (requester_id, user_id, role) VALUES (%s, %s, %s)"
        " ON CONFLICT (requester_id, user_id) DO NOTHING",
        [requester_id, user.pk, role],
    )
    member = Member.objects.select_related("user", "requester").get(requester_id=requester_id, user=user)
    if member.role != role:
        raise AlreadyMember(f"This person is a member with the role {member.role}.", role=member.role)
    if added:
        record(
            "permission.member_added",
            subject="requester",
            subject_id=member.requester.public_id,
            after={"user": user.public_id, "role": role},
        )
    return member


def invite(*, people: Sequence[Invitee]) -> list[Invited]:
    """Open accounts that nobody can sign in to yet, each with a single-use code that lets its owner choose a password.

    Somebody who was invited before and has not come gets another code. All or nobody: raises `NotInvitable` naming each
    item whose address occurs twice or has an account in use.
    """
    require_transaction()
    emails = [person.email.strip().lower() for person in people]
    _require_invitable(emails)
    ordered = sorted(zip(emails, people, strict=True), key=lambda pair: pair[0])
    rows(
        INSERT_USERS,
        [
            [email for email, _ in ordered],
            [person.name for _, person in ordered],
            [make_password(None) for _ in ordered],
        ],
    )
    ids = dict(User.objects.filter(email__in=emails).values_list("email", "id"))
    invited = [Invited(ids[email], email, new_code()) for email in emails]
    run(
        "INSERT INTO accounts_invitation (user_id, code_hash, made_at, expires_at)"
        " SELECT i.user_id, i.code_hash, n.now, n.now + %s"
        " FROM unnest(%s::bigint[], %s::bytea[]) AS i (user_id, code_hash), (SELECT market_now() AS now) n",
        [INVITATION_LIFE, [one.user_id for one in invited], [hash_of(one.code) for one in invited]],
    )
    known = User.objects.filter(pk__in=[one.user_id for one in invited]).order_by("pk")
    after = {"users": list(known.values_list("public_id", flat=True))}
    record("permission.people_invited", subject="people", subject_id=len(invited), after=after)
    return invited


def _require_invitable(emails: list[str]) -> None:
    known = dict(User.objects.filter(email__in=emails).values_list("email", "password"))
    seen: set[str] = set()
    errors = []
    for item, email in enumerate(emails):
        if email in seen:
            errors.append({"item": item, "field": "email", "message": "occurs twice"})
        elif email in known and is_password_usable(known[email]):
            errors.append({"item": item, "field": "email", "message": "has an account"})
        seen.add(email)
    if errors:
        raise NotInvitable(f"{len(errors)} of these people cannot be invited.", errors=errors)


def accept_invitation(*, code: str, password: str) -> User:
    """Set the password of the account that the code was made for; the account's other codes end with it.

    Raises `InvitationInvalid`, `WeakPassword`.
    """
    require_transaction()
    invitation = open_invitation(hash_of(code))
    if invitation is None:
        raise InvitationInvalid("This code is unknown, used or has expired. Ask for a new one.")
    user = invitation.user
    require_strong(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    Invitation.objects.filter(user=user, used_at=None).update(used_at=MarketNow())
    return user


def ensure_staff(*, email: str, name: str = "", role: str | None = None) -> User:
    """The staff account with this address, made if there is none; for the console only, no request leads here. Without
    a role named, somebody who has none becomes a superuser, and whoever has some keeps them."""
    require_transaction()
    email = email.strip().lower()
    run(INSERT_USERS, [[email], [name], [make_password(None)]])
    user = User.objects.get(email=email)
    if role is not None or not has_staff_role(user.pk):
        give_role(user_id=user.pk, role=role or StaffRole.SUPERUSER)
    user.refresh_from_db()
    return user


def new_password(*, user: User) -> str:
    """Give the account a password drawn by chance, and say it; for the console only, no request leads here."""
    require_transaction()
    password = secrets.token_urlsafe(15)
    user.set_password(password)
    user.save(update_fields=["password"])
    record("permission.password_drawn", subject="user", subject_id=user.public_id)
    return password


def notify(*, user_id: int, subject: str, text: str) -> None:
    """Have a mail sent to the person once this transaction has committed: to his address, and to each that was his
    within the last 30 days, for the one there is now may be a thief's."""
    require_transaction()
    run(
        "INSERT INTO accounts_notice (user_id, email, subject, text) SELECT %s, a.email, %s, %s FROM"
        " (SELECT email FROM accounts_user WHERE id = %s"
        "  UNION SELECT email FROM accounts_formeraddress"
        "  WHERE user_id = %s AND left_at > market_now() - interval '30 days') a",
        [user_id, subject, text, user_id, user_id],
    )


def take_notices(*, limit: int = 20) -> list[Notice]:
    """Notices that are due, none of which another sweep will take before its next try is due; that comes later each
    time, up to six hours."""
    require_transaction()
    taken = rows(
        "UPDATE accounts_notice SET tries = least(tries + 1, 1000)::smallint,"
        " next_try_at = market_now() + least(interval '2 minutes' * power(2, least(tries, 8)), interval '6 hours')"
        " WHERE id IN (SELECT id FROM accounts_notice WHERE sent_at IS NULL AND next_try_at <= market_now()"
        "  ORDER BY next_try_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED) RETURNING id",
        [limit],
    )
    return list(Notice.objects.filter(pk__in=[row[0] for row in taken]).order_by("pk"))


@forgets
def forget_notices(limit: int) -> int:
    """Mails that were sent are of no use after 30 days."""
    return run(
        "DELETE FROM accounts_notice WHERE id IN"
        " (SELECT id FROM accounts_notice WHERE sent_at < market_now() - interval '30 days' LIMIT %s)",
        [limit],
    )


def notice_sent(*, notice_id: int) -> None:
    """Note that it was handed to the mail server."""
    require_transaction()
    run("UPDATE accounts_notice SET sent_at = market_now() WHERE id = %s AND sent_at IS NULL", [notice_id])
