"""Money that comes in, with its evidence, and its correction."""

from uuid import UUID

from marketplace.accounts.commands.acts import record
from marketplace.accounts.models import Requester, User
from marketplace.billing.errors import DepositTakenBack
from marketplace.billing.models import BANK, Deposit
from marketplace.billing.parts import require_no_part
from marketplace.billing.queries import any_deposit
from marketplace.common.database import one, run
from marketplace.common.money import shown
from marketplace.common.transactions import require_transaction
from marketplace.ledger.addresses import funds_of, outside
from marketplace.ledger.commands import Move, move, reverse
from marketplace.ledger.errors import NotEnough, TransferKeyReused


def record_deposit(
    *,
    requester: Requester,
    amount_micros: int,
    currency: str,
    reference: str,
    channel: str = BANK,
    evidence: str = "",
    recorded_by: User | None = None,
) -> Deposit:
    """Record money that came in through the channel under its reference, and move it into the requester's funds.

    Without evidence it says who recorded it. A channel's reference is recorded once: a repeat with the same requester,
    amount and currency returns the first, with others raises `TransferKeyReused`. Raises `OwnOrganisation` where
    `recorded_by` has a part in the organisation; a channel that tells by itself names nobody. Locks: the ledger's
    accounts, last.
    """
    require_transaction()
    if recorded_by is not None:
        require_no_part(requester.pk, recorded_by.pk)
    key = _key(channel, reference)
    made = one(
        "INSERT INTO billing_deposit (public_id, requester_id, amount_micros, currency, channel, reference, evidence,"
        " recorded_by_id, transfer_key) VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, %s, %s, %s)"
        # Whichever of its two keys is met first: a repeat may meet either.
        " ON CONFLICT DO NOTHING RETURNING id",
        [
            *(requester.pk, amount_micros, currency, channel, reference),
            *(evidence or _said_by(channel, recorded_by), recorded_by.pk if recorded_by else None, key),
        ],
    )
    deposit = Deposit.objects.select_related("requester").get(channel=channel, reference=reference)
    asked = (requester.pk, amount_micros, currency)
    if made is None and asked != (deposit.requester_id, deposit.amount_micros, deposit.currency):
        raise TransferKeyReused("A deposit with other terms was recorded under this reference.", key=key)
    move(
        [
            Move(
                key=key,
                kind="deposit",
                source=outside(channel),
                destination=funds_of(requester.public_id),
                currency=currency,
                amount_micros=amount_micros,
                memo=f"recorded by {recorded_by.public_id if recorded_by else channel}",
            )
        ]
    )
    if made is not None:
        record(
            "money.deposit_recorded",
            subject="deposit",
            subject_id=deposit.public_id,
            by=recorded_by.pk if recorded_by else None,
            after={
                "requester": requester.public_id,
                "amount_micros": amount_micros,
                "currency": currency,
                "channel": channel,
            },
        )
    return deposit


def reverse_deposit(*, deposit: UUID, reason: str, by: User) -> Deposit:
    """Take a deposit back, wholly, by a transfer the other way; the reason is kept.

    Raises `NoSuchDeposit`, `OwnOrganisation`, `DepositTakenBack`, and `NotEnough` with what is missing where the money
    is spent or held.
    """
    require_transaction()
    found = any_deposit(deposit)
    require_no_part(found.requester_id, by.pk)
    key = f"reversal:{found.transfer_key}"
    first = run(
        "INSERT INTO billing_depositreversal (deposit_id, reason, reversed_by_id, transfer_key)"
        " VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [found.pk, reason, by.pk, key],
    )
    if not first:
        raise DepositTakenBack("This deposit was taken back before.", deposit=str(found.public_id))
    try:
        reverse(key=key, of=found.transfer_key, memo=f"by {by.public_id}: {reason}")
    except NotEnough as error:
        missing = shown(error.facts["missing_micros"], found.currency)
        raise NotEnough(
            f"{missing} of it is spent or held for batches; only the whole amount can be taken back.",
            **error.facts,
        ) from error
    record(
        "money.deposit_reversed",
        subject="deposit",
        subject_id=found.public_id,
        by=by.pk,
        before={"amount_micros": found.amount_micros, "currency": found.currency},
        after={"amount_micros": 0, "currency": found.currency},
    )
    return any_deposit(deposit)


def _key(channel: str, reference: str) -> str:
    """A bank's reference stands alone; no other channel's can be taken for it, for none of them begins in this way."""
    return f"deposit:{reference}" if channel == BANK else f"deposit/{channel}:{reference}"


def _said_by(channel: str, recorded_by: User | None) -> str:
    if recorded_by is None:
        return f"Reported by {channel}; no document was given."
    return f"Recorded by {recorded_by.public_id}; no document was given."
