"""Everything that can happen to accounts, keys, organisations and invitations."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import is_password_usable, make_password
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef
from knox.models import get_digest_token

from marketplace.accounts.codes import hash_of, new_code
from marketplace.accounts.commands.acts import record
from marketplace.accounts.commands.staff import give_role
from marketplace.accounts.errors import (
    EmailTaken,
    InvitationInvalid,
    NotInvitable,
    ScopeNotAllowed,
    SecondFactorMissing,
    SignUpInvalid,
    WeakPassword,
)
from marketplace.accounts.locks import open_invitation
from marketplace.accounts.models import ApiKey, Invitation, Member, Notice, Requester, Role, Scope, StaffRole, User
from marketplace.accounts.queries import has_second_factor, has_staff_role, keys_of
from marketplace.common.commands import forgets
from marketplace.common.database import MarketNow, one, rows, run
from marketplace.common.errors import NotFound
from marketplace.common.transactions import require_transaction

KEY_LIFE = timedelta(days=90)
INVITATION_LIFE = timedelta(days=14)
SIGN_UP_LIFE = timedelta(hours=1)
SIGN_UP = "touchstone.sign-up"
SIGN_UP_SUBJECT = "Your account here"
SIGN_UP_TEXT = """Somebody, probably you, asked to open an account here with this address. Your code is

{code}

It opens the account once, within an hour. If it was not you, do nothing: without the code nobody can open one with your
address."""
KNOWN_TEXT = """Somebody, probably you, asked to open an account here with this address, which has one already. Sign in
with it, or reset its password on the sign-in page. If it was not you, do nothing."""
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


def ask_to_sign_up(*, email: str) -> None:
    """Have a code mailed to the address that opens an account with it; where there is one, the mail says so instead.
    Nobody but who reads the mail learns which: either way it is one mail and the same work."""
    require_transaction()
    email = email.strip().lower()
    text = SIGN_UP_TEXT.format(code=signing.dumps(email, salt=SIGN_UP))
    if User.objects.filter(email=email).exists():
        text = KNOWN_TEXT
    Notice.objects.create(email=email, subject=SIGN_UP_SUBJECT, text=text)


def sign_up(*, code: str, password: str, name: str = "") -> User:
    """Open an account with the address that the code was mailed to, which is shown by that.

    Raises `SignUpInvalid`, `WeakPassword`, and `EmailTaken` where the address has got an account meanwhile.
    """
    require_transaction()
    try:
        email = str(signing.loads(code, salt=SIGN_UP, max_age=SIGN_UP_LIFE))
    except signing.BadSignature:
        raise SignUpInvalid("This code is not one of ours, or older than an hour. Ask for a new one.") from None
    require_strong(password, User(email=email, name=name))
    made = one(INSERT_USERS, [[email], [name], [make_password(password)]])
    if made is None:
        raise EmailTaken("This e-mail address has an account already: sign in, or reset its password.")
    user = User.objects.get(pk=made[0])
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


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
    if not at_console:
        notify(
            user_id=user.pk,
            subject="A key of the API was made for your account",
            text=f"It is called “{name}” and may be used for: {', '.join(key.scopes)}. If it was not you, revoke it"
            " under your account, change your password, and end all other sessions.",
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


def end_keys(*, user_id: int) -> None:
    """Delete all keys of somebody who had lost his password: whoever has had the account until now has them as well."""
    require_transaction()
    for public_id in ApiKey.objects.filter(user_id=user_id).order_by("public_id").values_list("public_id", flat=True):
        revoke_key(user_id=user_id, public_id=public_id)


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


def invite(*, people: Sequence[Invitee]) -> list[Invited]:
    """Open accounts that nobody can sign in to yet, each with a single-use code that lets its owner choose a password.

    Somebody who was invited before and has not come gets another code. All or nobody: raises `NotInvitable` naming each
    item whose address occurs twice or has an account that no invitation made, or that is in use or staff's: a code
    chooses a password, and so must never open what is somebody's already.
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
    taken = {
        user.email
        for user in User.objects.filter(email__in=emails).annotate(
            invited=Exists(Invitation.objects.filter(user=OuterRef("pk")))
        )
        if is_password_usable(user.password) or user.is_staff or not user.invited
    }
    seen: set[str] = set()
    errors = []
    for item, email in enumerate(emails):
        if email in seen:
            errors.append({"item": item, "field": "email", "message": "occurs twice"})
        elif email in taken:
            errors.append({"item": item, "field": "email", "message": "has an account"})
        seen.add(email)
    if errors:
        raise NotInvitable(f"{len(errors)} of these people cannot be invited.", errors=errors)


def accept_invitation(*, code: str, password: str) -> User:
    """Set the first password of the account that the code was made for, and tell its owner; the account's other codes
    end with it. What has got a password or a staff role by another way is not opened by it. Locks: invitation, account.

    Raises `InvitationInvalid`, `WeakPassword`.
    """
    require_transaction()
    invitation = open_invitation(hash_of(code))
    if invitation is None or is_password_usable(invitation.user.password) or invitation.user.is_staff:
        raise InvitationInvalid("This code is unknown, used or has expired. Ask for a new one.")
    user = invitation.user
    require_strong(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    Invitation.objects.filter(user=user, used_at=None).update(used_at=MarketNow())
    record("permission.invitation_accepted", subject="user", subject_id=user.public_id, by=user.pk)
    notify(
        user_id=user.pk,
        subject="Your account here is open",
        text="Somebody has chosen its password with the code of your invitation. If it was not you, reset the password"
        " on the sign-in page: that ends all keys and sessions.",
    )
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
