"""Workers with money, a second factor and destinations, by the same commands as everybody."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.models import User
from marketplace.accounts.second_factor import Proof, prove
from marketplace.common.database import run, value
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import earned_by, withdrawing_by
from marketplace.ledger.commands import Move, move
from marketplace.ledger.queries import balance
from marketplace.payouts.commands.destinations import add_destination
from marketplace.payouts.commands.payouts import approve_payout, request_payout
from marketplace.payouts.commands.runs import release_run
from marketplace.payouts.commands.steps import hold
from marketplace.payouts.models import Destination, Payout, Run
from tests import factories as make
from workers.profiles.models import Worker

PASSWORD = "twelve apples"
EURO = 1_000_000
HOLD = timedelta(hours=72)
_secrets: dict[int, str] = {}


def make_payee(earned_micros: int = 0, currency: str = "EUR") -> Worker:
    """A worker with a password, a second factor and so much earned."""
    worker = make.make_worker()
    worker.user.set_password(PASSWORD)
    worker.user.save(update_fields=["password"])
    enrol(worker.user)
    if earned_micros:
        earn(worker, earned_micros, currency)
    return worker


def enrol(user: User, like: User | None = None) -> None:
    """A second factor as the sign-in library sets it up; its codes are those of another person's, if one is named."""
    secret = generate_totp_secret() if like is None else _secrets[like.pk]
    TOTP.activate(user, secret)
    _secrets[user.pk] = secret


def forget_factor(user: User) -> None:
    Authenticator.objects.filter(user=user).delete()


def code_of(user: User, secret: str | None = None) -> str:
    """What the authenticator app shows now, by the market's clock."""
    now = int(value("SELECT floor(extract(epoch FROM market_now()))::bigint"))
    return format_hotp_value(hotp_value(secret or _secrets[user.pk], now // 30))


def proof_of(user: User) -> Proof:
    """That the user knows his password and a code that was not used."""
    forget_codes()
    return prove(user_id=user.pk, password=PASSWORD, code=code_of(user))


def forget_codes() -> None:
    """Let the codes of now count once more, so that a test need not wait for the next ones."""
    run("DELETE FROM accounts_usedcode")


def earn(worker: Worker, amount_micros: int, currency: str = "EUR") -> None:
    """Money that the worker has earned."""
    with one_transaction(principal="test"):
        move(
            [
                Move(
                    key=f"earned:{uuid4()}",
                    kind="reward",
                    source="outside:bank",
                    destination=earned_by(worker.public_id),
                    currency=currency,
                    amount_micros=amount_micros,
                )
            ]
        )


def add(worker: Worker, account: str | None = None, *, provider: str = "manual", currency: str = "EUR") -> Destination:
    """A destination as just added; nothing can be paid to it for 72 hours."""
    where = account or f"DE{uuid4().hex[:20]}"
    details = {"name": "Ada", "account": where} if provider == "manual" else {"receiver": where}
    with one_transaction(principal="test"):
        added = add_destination(
            user_id=worker.user_id, provider=provider, currency=currency, details=details, proof=proof_of(worker.user)
        )
    assert isinstance(added, Destination), added
    return added


def ask(worker: Worker, destination: Destination, amount_micros: int | None = EURO, currency: str = "EUR") -> Payout:
    """Ask for a payout."""
    with one_transaction(principal="test"):
        return request_payout(
            user_id=worker.user_id,
            holder=worker.public_id,
            destination=destination.public_id,
            amount_micros=amount_micros,
            currency=currency,
        )


def insert_payout(worker: Worker, place: Destination, amount: int, **columns: Any) -> UUID:
    """A request by plain SQL, with its transfer, in the caller's transaction."""
    public_id = uuid4()
    names = {
        "public_id": public_id,
        "user_id": worker.user_id,
        "holder": worker.public_id,
        "destination_id": place.pk,
        "provider": place.provider,
        "currency": place.currency,
        "amount_micros": amount,
        "provider_key": "",
        **columns,
    }
    run(
        f"INSERT INTO payouts_payout ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})",
        list(names.values()),
    )
    move([hold(Payout.objects.get(public_id=public_id))])
    return public_id


def make_staff() -> User:
    """A member of the staff."""
    with one_transaction(principal="test"):
        return ensure_staff(email=make.make_user().email)


def approved(worker: Worker, destination: Destination, staff: User, amount_micros: int = EURO) -> Payout:
    """A payout that staff have approved."""
    payout = ask(worker, destination, amount_micros)
    with one_transaction(principal="test"):
        return approve_payout(public_id=payout.public_id, by=staff.pk)


def released(run: Run) -> Run:
    """The run, once a second person of finance has looked at it."""
    by = make_staff()
    with one_transaction(principal="test"):
        return release_run(public_id=run.public_id, by=by.pk)


def ready(
    clock: Callable[[timedelta], None], earned_micros: int = 100 * EURO, provider: str = "manual"
) -> tuple[Worker, Destination]:
    """A worker with money and a destination that can be used."""
    worker = make_payee(earned_micros)
    destination = add(worker, provider=provider)
    clock(HOLD)
    return worker, destination


def state_of(payout: Payout | UUID) -> str:
    public_id = payout if isinstance(payout, UUID) else payout.public_id
    return str(Payout.objects.get(public_id=public_id).state)


def money_of(worker: Worker, currency: str = "EUR") -> dict[str, Any]:
    """What the worker has, where."""
    return {
        "earned": balance(earned_by(worker.public_id), currency),
        "withdrawing": balance(withdrawing_by(worker.public_id), currency),
    }


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def aged(add_it: Callable[..., Destination], *args: Any, **kwargs: Any) -> Destination:
    """Add a destination as of three days ago, by moving the clock there and back."""
    run("UPDATE test_clock SET shift = shift - %s", [HOLD])
    try:
        return add_it(*args, **kwargs)
    finally:
        run("UPDATE test_clock SET shift = shift + %s", [HOLD])
