"""Reads of people and organisations."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from marketplace.accounts.errors import RoleTooLow
from marketplace.accounts.models import ApiKey, Member, Requester, Sanction, Where
from marketplace.accounts.roles import includes
from marketplace.common.database import MarketNow
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


def members_of(requester_id: int) -> QuerySet[Member]:
    """Everybody in the organisation."""
    return Member.objects.filter(requester_id=requester_id).select_related("user")


def keys_of(user_id: int) -> QuerySet[ApiKey]:
    """The user's keys, without what opens anything."""
    return ApiKey.objects.filter(user_id=user_id).defer("digest", "token_key")


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
