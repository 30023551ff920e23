"""Reads of people and organisations."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Subquery

from marketplace.accounts.codes import hash_of
from marketplace.accounts.errors import InvitationInvalid, RoleTooLow
from marketplace.accounts.models import (
    Act,
    ActAnchor,
    ApiKey,
    Configuration,
    Invitation,
    Member,
    MemberInvitation,
    Requester,
    Sanction,
    StaffGrant,
    User,
    Where,
)
from marketplace.accounts.roles import covers, includes
from marketplace.common.database import MarketNow, one, rows, value
from marketplace.common.errors import NotFound

Owned = TypeVar("Owned", bound=Model)


def memberships_of(user_id: int) -> QuerySet[Member]:
    """The user's memberships with their organisations."""
    return Member.objects.filter(user_id=user_id).select_related("requester")


def membership(user_id: int, public_id: UUID, *, at_least: str = "viewer") -> Member:
    """The user's membership of the organisation.

    Raises `NotFound` to somebody who is no member, as for an organisation that does not exist, and `RoleTooLow`.
    """
    found = memberships_of(user_id).filter(requester__public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such requester.")
    _require(found, at_least)
    return found


def requester_for(user_id: int, public_id: UUID, *, at_least: str = "viewer") -> Requester:
    """The user's organisation; raises `NotFound`, `RoleTooLow`."""
    return membership(user_id, public_id, at_least=at_least).requester


def require_role(*, user_id: int, requester_id: int, at_least: str) -> None:
    """Raise `RoleTooLow`, or `NotFound` to somebody who is no member at all."""
    found = Member.objects.filter(user_id=user_id, requester_id=requester_id).first()
    if found is None:
        raise NotFound("There is no such requester.")
    _require(found, at_least)


def own_of(found: QuerySet[Owned], user_id: int, public_id: UUID, *, at_least: str, what: str) -> Owned:
    """The one with this id, which must belong to an organisation of the user's (`requester`).

    Raises `NotFound` for another's as for none, `RoleTooLow`.
    """
    one: Any = found.filter(public_id=public_id, requester__members__user_id=user_id).first()
    if one is None:
        raise NotFound(f"There is no such {what}.")
    require_role(user_id=user_id, requester_id=one.requester_id, at_least=at_least)
    return one  # type: ignore[no-any-return]


def any_requester(public_id: UUID) -> Requester:
    """Any organisation, for staff and for those who only name it; raises `NotFound`."""
    found = Requester.objects.filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such requester.")
    return found


def find_requesters(text: str, *, limit: int = 20) -> list[Requester]:
    """Organisations whose id it is, or whose name it is part of, for staff."""
    try:
        asked = Q(public_id=UUID(text))
    except ValueError:
        asked = Q(name__icontains=text)
    return list(Requester.objects.filter(asked).order_by("name", "pk")[:limit]) if text else []


def members_of(requester_id: int) -> QuerySet[Member]:
    """Everybody in the organisation."""
    return Member.objects.filter(requester_id=requester_id).select_related("user")


def member_of(requester_id: int, user: UUID) -> Member:
    """One member by the id of his account; raises `NotFound`."""
    found = members_of(requester_id).filter(user__public_id=user).first()
    if found is None:
        raise NotFound("There is no such member.")
    return found


def open_invitations(requester_id: int) -> QuerySet[MemberInvitation]:
    """Who was asked to join the organisation and has not come yet."""
    return MemberInvitation.objects.filter(requester_id=requester_id, ended_at=None, expires_at__gt=MarketNow())


def invitation_by(code: str) -> MemberInvitation:
    """What a code invites to, with who asks. Raises `InvitationInvalid`."""
    found = (
        MemberInvitation.objects.select_related("requester", "made_by")
        .filter(code_hash=hash_of(code), ended_at=None, expires_at__gt=MarketNow())
        .first()
    )
    if found is None:
        raise InvitationInvalid("This invitation is unknown, used or has expired. Ask for a new one.")
    return found


def keys_of(user_id: int, within: Collection[str] | None = None) -> QuerySet[ApiKey]:
    """The user's keys, without what opens anything; with scopes given, those that open no more than these."""
    found = ApiKey.objects.filter(user_id=user_id).defer("digest", "token_key")
    return found if within is None else found.filter(scopes__contained_by=list(within))


def factor_of(user_id: int) -> Authenticator | None:
    """The person's second factor, if he has one."""
    return Authenticator.objects.filter(user_id=user_id, type=Authenticator.Type.TOTP).first()


def has_second_factor(user_id: int) -> bool:
    """Whether the account has one."""
    return factor_of(user_id) is not None


def staff_roles(user_id: int) -> frozenset[str]:
    """The staff roles of a person now; none for somebody who is no staff, or whose account is closed."""
    found = rows(
        "SELECT s.role FROM accounts_staffrole s JOIN accounts_user u ON u.id = s.user_id"
        " WHERE s.user_id = %s AND u.is_staff AND u.is_active",
        [user_id],
    )
    return frozenset(row[0] for row in found)


def has_staff_role(user_id: int, *wanted: str) -> bool:
    """Whether the person has one of the roles, or is a superuser; without any named, whether he has a role at all."""
    held = staff_roles(user_id)
    return bool(held) if not wanted else covers(held, wanted)


def staff_people() -> QuerySet[User]:
    """Everybody with a staff role, with the roles at hand."""
    return User.objects.filter(pk__in=StaffGrant.objects.values("user_id")).prefetch_related("staff_grants")


def staff_person(user_id: int) -> User:
    """One account with its staff roles at hand, if it has any."""
    return User.objects.prefetch_related("staff_grants").get(pk=user_id)


def same_person(one_id: int, other_id: int) -> bool:
    """Whether the two accounts are one person's, or ever were taken for it: nobody decides about himself."""
    return bool(value("SELECT accounts_same_person(%s, %s)", [one_id, other_id]))


def has_part(requester_id: int, user_id: int) -> bool:
    """Whether the person, by any of his accounts, is or ever was a member of the organisation."""
    return bool(value("SELECT accounts_has_part(%s, %s)", [requester_id, user_id]))


def account_at(email: str) -> User | None:
    """The account with this e-mail address, if it is in use and its owner has shown that the address is his, or came by
    an invitation, or is staff: what is given to an address must not fall to whoever wrote it into a form first."""
    verified = EmailAddress.objects.filter(user=OuterRef("pk"), email=OuterRef("email"), verified=True)
    invited = Invitation.objects.filter(user=OuterRef("pk"), used_at__isnull=False)
    return (
        User.objects.filter(email=email.strip().lower(), is_active=True)
        .filter(Q(is_staff=True) | Exists(verified) | Exists(invited))
        .first()
    )


def any_user(public_id: UUID) -> User:
    """Any account, for staff; raises `NotFound`."""
    found = User.objects.filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such account.")
    return found


def acts() -> QuerySet[Act]:
    """The audit log, with who acted and each row's place in the chain."""
    return Act.objects.select_related("actor", "seal")


def requesters_by_name(*, limit: int) -> list[Requester]:
    """The first organisations in order of their names, for staff to choose from."""
    return list(Requester.objects.order_by("name", "pk")[:limit])


def configurations() -> QuerySet[Configuration]:
    """What the site was set to, each row with what it was set to before (`previous`)."""
    earlier = Configuration.objects.filter(pk__lt=OuterRef("pk")).order_by("-pk").values("settings")
    return Configuration.objects.annotate(previous=Subquery(earlier[:1]))


def act_anchors() -> QuerySet[ActAnchor]:
    """The ends of the audit log's chain that were written down, the newest day first."""
    return ActAnchor.objects.order_by("-day")


def act_head() -> tuple[int, str]:
    """The end of the audit log's chain now: how many rows are sealed, and the last hash."""
    row = one("SELECT seq, encode(hash, 'hex') FROM accounts_acthead")
    assert row is not None, "the chain has an end from the first migration on"
    return row[0], row[1]


def live_sanctions(
    user_ids: Iterable[int] | None,
    *,
    scopes: Sequence[tuple[str, int | None]] | None = None,
    measures: Sequence[str] | None = None,
) -> QuerySet[Sanction]:
    """What is in force against any of these accounts, or against anybody at all (None), the oldest first: of some
    measures, and within some of the places, each as (scope, id). What is of the platform reaches every place.

    A person may have several accounts: ask for all of them (`workers.profiles.queries.users_of_person`).
    """
    found = Sanction.objects.filter(lifted_at=None, expires_at__gt=MarketNow())
    if user_ids is not None:
        found = found.filter(user_id__in=list(user_ids))
    if measures is not None:
        found = found.filter(measure__in=measures)
    if scopes is not None:
        reached = Q(scope=Where.PLATFORM)
        for scope, scope_id in scopes:
            reached |= Q(scope=scope, scope_id=scope_id)
        found = found.filter(reached)
    return found.order_by("pk")


def sanctions_of(user_ids: Iterable[int]) -> QuerySet[Sanction]:
    """All that was ever imposed on these accounts."""
    return Sanction.objects.filter(user_id__in=list(user_ids))


def all_sanctions() -> QuerySet[Sanction]:
    """All that there ever were, for staff."""
    return Sanction.objects.select_related("user", "made_by", "lifted_by")


def sanctions_within(*, requester_id: int, project_ids: Any, batch_ids: Any) -> QuerySet[Sanction]:
    """What reaches no further than an organisation: of itself, and of its projects and batches, which may be given as
    query sets of ids."""
    return all_sanctions().filter(
        Q(scope=Where.REQUESTER, scope_id=requester_id)
        | Q(scope=Where.PROJECT, scope_id__in=project_ids)
        | Q(scope=Where.BATCH, scope_id__in=batch_ids)
    )


def sanction_of(public_id: UUID, among: QuerySet[Sanction] | None = None) -> Sanction:
    """The sanction with this id, among some or all; raises `NotFound`."""
    found = (all_sanctions() if among is None else among).filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such sanction.")
    return found


def _require(member: Member, at_least: str) -> None:
    if not includes(member.role, at_least):
        raise RoleTooLow(f"This needs the role {at_least}; yours is {member.role}.", role=member.role, needed=at_least)
