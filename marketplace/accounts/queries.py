"""Reads of people and organisations."""

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from marketplace.accounts.errors import RoleTooLow
from marketplace.accounts.models import ApiKey, Member, Requester
from marketplace.accounts.roles import includes
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


def _require(member: Member, at_least: str) -> None:
    if not includes(member.role, at_least):
        raise RoleTooLow(f"This needs the role {at_least}; yours is {member.role}.", role=member.role, needed=at_least)
