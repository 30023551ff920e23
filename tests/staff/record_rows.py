"""A row of each kind of record, as addresses name it."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

from allauth.usersessions.models import UserSession

from marketplace.accounts.models import Act, ApiKey
from marketplace.billing.models import Invoice
from marketplace.common.database import MarketNow, run
from marketplace.common.models import DeadLetter, OutboxEvent
from marketplace.ledger.addresses import funds_of
from marketplace.ledger.models import Account, Transfer
from marketplace.results.models import Dataset, DatasetLink, Run
from marketplace.streams.commands import append
from marketplace.streams.models import Skipped
from marketplace.streams.routes import Fact
from tests import factories as make
from tests.acts import in_one
from tests.api.market import Market, make_answer, make_appeal, make_member_invitation, make_webhook
from workers.assignments.commands.extras import pay_bonus
from workers.assignments.commands.holds import hold_answers
from workers.assignments.models import Assignment, Extra, Hold
from workers.assignments.origin import Origin


class Told(Mapping[str, Any]):
    """What is made when somebody asks for it, once."""

    def __init__(self, market: Market, made: dict[str, Callable[[Market], Any]]) -> None:
        self._market, self._making, self._made = market, made, dict[str, Any]()

    def __getitem__(self, thing: str) -> Any:
        if thing not in self._made:
            self._made[thing] = self._making[thing](self._market)
        return self._made[thing]

    def __iter__(self) -> Any:
        return iter(self._making)

    def __len__(self) -> int:
        return len(self._making)


def rows_of(market: Market) -> Told:
    """By what a record calls one of its rows, the handle of one of the market's; made when it is asked for."""
    return Told(market, MAKING)


def _sign_in(market: Market) -> int:
    return UserSession.objects.create(
        user=market.worker.user, ip="203.0.113.9", session_key=uuid4().hex, user_agent="Mozilla/5.0 Firefox/140.0",
        data={"kept": "session-data"},
    ).pk  # fmt: skip


def _api_key(market: Market) -> Any:
    return ApiKey.objects.filter(user=make.owner_of(market.requester)).latest("created").public_id


def _invoice(market: Market) -> Any:
    """There is one for each month."""
    made = Invoice.objects.filter(requester=market.requester).first()
    return (made or make.make_invoice(market.requester)).public_id


def _hold(market: Market) -> int:
    in_one(
        hold_answers, batch_id=market.batch.pk, worker_id=market.worker.pk, life=timedelta(hours=1), reason="odd",
        origin=Origin(made_by=make.owner_of(market.requester).pk),
    )  # fmt: skip
    return Hold.objects.latest("pk").pk


def _extra(market: Market) -> Any:
    answer = Assignment.objects.get(public_id=make_answer(market, market.worker))
    by = make.owner_of(market.requester).pk
    in_one(
        pay_bonus, batch_id=answer.batch_id, worker_id=answer.worker_id, amount_micros=5, reason="good work",
        reference=str(uuid4()), made_by=by,
    )  # fmt: skip
    return Extra.objects.latest("pk").public_id


def _dataset(market: Market) -> Dataset:
    results = Run.objects.create(
        batch=market.batch, method="majority", tasks=0, answers=0, converged=True, iterations=1, made_at=MarketNow()
    )
    number = Dataset.objects.filter(batch=market.batch).count() + 1
    return Dataset.objects.create(
        batch=market.batch, run=results, number=number, format="jsonl", options={}, plan={"answers": False},
        made_by=make.owner_of(market.requester), made_at=MarketNow(), touched_at=MarketNow(), token=uuid4(),
    )  # fmt: skip


def _dataset_link(market: Market) -> Any:
    made = DatasetLink.objects.create(
        of=_dataset(market), digest=b"digest-of-a-link" + uuid4().bytes, made_by=make.owner_of(market.requester),
        expires_at=MarketNow() + timedelta(days=1),
    )  # fmt: skip
    return made.public_id


def _stream(market: Market) -> str:
    name = f"worker:{market.worker.pk}"
    in_one(append, facts=[Fact(event_id=OutboxEvent.objects.latest("pk").pk, stream=name, kind="Odd", body={})])
    return name


def _reader(_market: Market) -> str:
    run(
        "INSERT INTO common_outboxcursor (reader, xid, last_id, moved_at) VALUES ('records', '0', 0, market_now())"
        " ON CONFLICT DO NOTHING"
    )
    return "records"


def _skipped(_market: Market) -> int:
    return Skipped.objects.get_or_create(event_id=1, defaults={"kind": "Odd", "error": "odd", "at": MarketNow()})[0].pk


def _invoice(market: Market) -> Any:
    # Of another month than the one that others make: there is one invoice a month.
    return make.make_invoice(market.requester, period_from=date(2025, 12, 1), period_to=date(2025, 12, 31)).public_id


def _letter(_market: Market) -> Any:
    return DeadLetter.objects.create(
        kind="sweep", subject=str(uuid4()), error="It died.", times=3, first_at=MarketNow(), parked_at=MarketNow()
    ).public_id


MAKING: dict[str, Callable[[Market], Any]] = {
    "account": lambda m: m.worker.user.public_id,
    "worker": lambda m: m.worker.public_id,
    "requester": lambda m: m.requester.public_id,
    "member": lambda m: m.requester.members.filter(role="viewer").earliest("pk").pk,
    "member_invitation": make_member_invitation,
    "api_key": _api_key,
    "sign_in": _sign_in,
    "sanction": lambda m: m.sanction.public_id,
    "appeal": lambda m: make_appeal(m).public_id,
    "project": lambda m: m.project.public_id,
    "version": lambda m: m.project.versions.latest("pk").pk,
    "batch": lambda m: m.batch.public_id,
    "task": lambda m: m.batch.tasks.earliest("pk").pk,
    "batch_import": lambda m: m.batch.imports.latest("pk").public_id,
    "assignment": lambda m: make_answer(m, m.other_worker),
    "hold": _hold,
    "dataset": lambda m: _dataset(m).public_id,
    "dataset_link": _dataset_link,
    "money_place": lambda m: Account.objects.get(address=funds_of(m.requester.public_id), currency="EUR").pk,
    "transfer": lambda m: Transfer.objects.filter(destination__address=funds_of(m.requester.public_id)).latest("pk").pk,
    "deposit": lambda m: make.make_deposit(m.requester).public_id,
    "invoice": _invoice,
    "destination": lambda m: m.destination.public_id,
    "payout_run": lambda m: m.run.public_id,
    "payout": lambda m: m.payout.public_id,
    "extra": _extra,
    "webhook": lambda m: make_webhook(m)[0].public_id,
    "delivery": lambda m: make_webhook(m)[1].public_id,
    "outbox_event": lambda _: OutboxEvent.objects.latest("pk").pk,
    "outbox_reader": _reader,
    "stream": _stream,
    "skipped_event": _skipped,
    "dead_letter": _letter,
    "act": lambda _: Act.objects.latest("pk").pk,
}
