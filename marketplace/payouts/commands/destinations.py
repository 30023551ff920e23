"""A person's destinations: added and removed, never changed."""

import json
from collections.abc import Mapping
from uuid import UUID, uuid4

from django.conf import settings
from django.utils.crypto import salted_hmac

from marketplace.accounts.commands import notify
from marketplace.accounts.commands.acts import record
from marketplace.accounts.second_factor import Proof, spend
from marketplace.common.database import one, run
from marketplace.common.sealing import seal
from marketplace.common.transactions import require_transaction
from marketplace.ledger.commands import move
from marketplace.payouts.commands.steps import money_back, step
from marketplace.payouts.errors import DestinationInvalid, DestinationTaken, DestinationThere, NoSuchDestination
from marketplace.payouts.locks import payouts_for_update, user_for_update
from marketplace.payouts.models import Destination
from marketplace.payouts.providers.base import Provider
from marketplace.payouts.providers.registry import provider as provider_named
from marketplace.payouts.queries import DESTINATION_SEAL
from marketplace.payouts.states import STOPPABLE, AttemptKind, PayoutState

NOT_YOU = "If this was not you, remove it, change your password and write to the operator of this site at once."


def add_destination(
    *, user_id: int, provider: str, currency: str, details: Mapping[str, str], proof: Proof | None
) -> Destination | DestinationTaken:
    """Let the person be paid there, 72 hours from now on; a mail tells him.

    A destination that is another person's is not added: the refusal is returned and not raised, for the attempt is kept
    as evidence. Locks: user. Raises `NoSuchProvider`, `DestinationInvalid`, `DestinationThere`, `CodeUsed`.
    """
    require_transaction()
    by = provider_named(provider)
    require_payable(by, currency, details)
    spend(proof, user_id=user_id)
    user_for_update(user_id)
    prints = _fingerprints(by, details)
    taken = _taken(user_id, prints)
    if taken is not None:
        return taken
    added = one(
        "INSERT INTO payouts_destination (public_id, user_id, provider, currency, details, shown, fingerprint)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (fingerprint) WHERE removed_at IS NULL DO NOTHING RETURNING id",
        [
            uuid4(),
            user_id,
            provider,
            currency,
            seal(DESTINATION_SEAL, json.dumps(dict(details), sort_keys=True).encode()),
            by.shown(details),
            prints[0],
        ],
    )
    if added is None:
        # Somebody was faster by an instant; now his can be seen.
        taken = _taken(user_id, prints)
        assert taken is not None, "a destination conflicts with nothing"
        return taken
    destination = Destination.objects.select_related("user").get(pk=added[0])
    record(
        "money.destination_added",
        subject="destination",
        subject_id=destination.public_id,
        by=user_id,
        after={"user": destination.user.public_id, "provider": provider, "currency": currency},
    )
    former = Destination.objects.filter(fingerprint__in=prints, removed_at__isnull=False).exclude(user_id=user_id)
    for other in former[:1]:
        _keep_attempt(user_id, other.pk, AttemptKind.FORMER)
    notify(
        user_id=user_id,
        subject="A new destination for your payouts was added",
        text=f"{by.title}, {currency}: {destination.shown}\n\nNothing is paid there before"
        f" {destination.usable_from:%Y-%m-%d %H:%M} UTC. {NOT_YOU}",
    )
    return destination


def remove_destination(*, user_id: int, public_id: UUID, proof: Proof | None) -> Destination:
    """Stop paying there. Payouts to it that nobody was asked to pay yet are cancelled, and thresholds to it end.

    Locks: user, payouts, destination. Raises `NoSuchDestination`, `CodeUsed`.
    """
    require_transaction()
    spend(proof, user_id=user_id)
    user_for_update(user_id)
    destination = Destination.objects.filter(user_id=user_id, public_id=public_id, removed_at=None).first()
    if destination is None:
        raise NoSuchDestination("There is no such destination.")
    stopped = payouts_for_update(limit=100_000, destination_id=destination.pk, state__in=STOPPABLE)
    for payout in stopped:
        step(payout, PayoutState.CANCELLED, reason="the destination was removed")
    run("DELETE FROM payouts_threshold WHERE destination_id = %s", [destination.pk])
    run("UPDATE payouts_destination SET removed_at = market_now() WHERE id = %s", [destination.pk])
    notify(
        user_id=user_id,
        subject="A destination for your payouts was removed",
        text=f"{destination.currency}: {destination.shown}\n\nNothing more is paid there."
        " If this was not you, change your password and write to the operator of this site at once.",
    )
    move([money_back(payout) for payout in stopped])
    record(
        "money.destination_removed",
        subject="destination",
        subject_id=public_id,
        by=user_id,
        after={"payouts_cancelled": [payout.public_id for payout in stopped]},
    )
    destination.refresh_from_db()
    return destination


def require_payable(by: Provider, currency: str, details: Mapping[str, str]) -> None:
    """Raise `DestinationInvalid` naming each field that is wrong."""
    wrong = {f"details.{name}": text for name, text in by.check(details, currency).items() if name != "currency"}
    if not (currency.isascii() and currency.isalpha() and currency.isupper() and len(currency) == 3):
        wrong["currency"] = "is three capital letters, as EUR"
    elif "currency" in (said := by.check(details, currency)):
        wrong["currency"] = said["currency"]
    if wrong:
        raise DestinationInvalid(
            "Some details of this destination are wrong: "
            + "; ".join(f"`{name}` {text}" for name, text in wrong.items()),
            errors=[{"field": name, "message": text} for name, text in wrong.items()],
        )


def _taken(user_id: int, prints: list[bytes]) -> DestinationTaken | None:
    """The refusal, with the attempt kept, where it is another person's. Raises `DestinationThere` where it is his."""
    other = Destination.objects.filter(fingerprint__in=prints, removed_at=None).first()
    if other is None:
        return None
    if other.user_id == user_id:
        raise DestinationThere("You have added this destination before.", destination=other.public_id)
    _keep_attempt(user_id, other.pk, AttemptKind.TAKEN)
    return DestinationTaken("Another destination is needed: this one cannot be used with your account.")


def _keep_attempt(user_id: int, destination_id: int, kind: str) -> None:
    run(
        "INSERT INTO payouts_attempt (public_id, user_id, destination_id, kind) VALUES (%s, %s, %s, %s)",
        [uuid4(), user_id, destination_id, kind],
    )


def _fingerprints(by: Provider, details: Mapping[str, str]) -> list[bytes]:
    """Of this receiver: under the key of now first, then under those before it, so that a new key forgets nobody."""
    text = f"{by.name}\n{by.canonical(details)}"
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [salted_hmac("touchstone.destination", text, secret=s, algorithm="sha256").digest() for s in secrets]
