"""The only place of this app that locks rows. Order: user → payouts by id → destination → ledger accounts."""

from collections.abc import Sequence
from uuid import UUID

from marketplace.accounts.models import User
from marketplace.payouts.errors import NoSuchPayout
from marketplace.payouts.models import Payout


def user_for_update(user_id: int) -> User:
    """The person, locked: his destinations, limits and requests are judged one after another."""
    return User.objects.select_for_update(no_key=True).get(pk=user_id)


def payout_for_update(public_id: UUID, *, user_id: int | None = None) -> Payout:
    """A payout, of this user where one is named. Raises `NoSuchPayout`."""
    found = Payout.objects.select_for_update(no_key=True, of=("self",)).filter(public_id=public_id)
    payout = (found if user_id is None else found.filter(user_id=user_id)).first()
    if payout is None:
        raise NoSuchPayout("There is no such payout.")
    return payout


def held_for_update(payout_id: int, lease: UUID) -> Payout | None:
    """The payout, if it is still held under this lease; otherwise somebody else goes on with it."""
    return Payout.objects.select_for_update(no_key=True, of=("self",)).filter(pk=payout_id, lease=lease).first()


def payouts_for_update(*, skip_locked: bool = False, limit: int, **wanted: object) -> list[Payout]:
    """Payouts by id; with `skip_locked` without those that somebody else has in hand."""
    found = Payout.objects.select_for_update(no_key=True, of=("self",), skip_locked=skip_locked)
    return list(found.filter(**wanted).order_by("pk")[:limit])


def named_for_update(public_ids: Sequence[UUID]) -> list[Payout]:
    """The named payouts by id. Raises `NoSuchPayout` naming the first that is none."""
    found = payouts_for_update(limit=len(public_ids), public_id__in=list(public_ids))
    unknown = set(public_ids) - {payout.public_id for payout in found}
    if unknown:
        raise NoSuchPayout("There is no such payout.", payout=min(map(str, unknown)))
    return found
