"""Short ways to the states that tests start from, through the same commands as everybody."""

from collections.abc import Iterable, Iterator
from datetime import date
from io import BytesIO
from itertools import count
from json import dumps
from random import Random
from typing import Any
from uuid import uuid4

from allauth.account.models import EmailAddress
from django.db import transaction

from marketplace.accounts.models import Member, Requester, User
from marketplace.batches.commands.create import Terms, create_batch
from marketplace.batches.commands.import_tasks import import_tasks
from marketplace.batches.commands.lifecycle import publish_batch
from marketplace.batches.costs import Platform
from marketplace.batches.models import Batch, OpenPlace
from marketplace.batches.queries import offer_of
from marketplace.batches.rows import read_jsonl
from marketplace.billing.commands.deposits import record_deposit
from marketplace.billing.models import Deposit, Invoice
from marketplace.common.database import acting_as
from marketplace.common.database import rows as fetched
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import funds_of, outside
from marketplace.ledger.commands import Move, move
from marketplace.ledger.queries import balance
from marketplace.projects.commands import create_project, publish_version
from marketplace.projects.models import Project
from workers.assignments.commands.claim import claim
from workers.assignments.commands.decide import reject_answers
from workers.assignments.commands.repair import return_answers
from workers.assignments.commands.submit import Submission, Submitted, submit
from workers.assignments.queries import LeasedTask
from workers.assignments.states import RejectReason
from workers.profiles.models import Worker
from workers.reputation.commands import SHOW_EVERY, Judged, record_outcomes
from workers.reputation.states import Kind

INTERFACE = {
    "data": [{"name": "text", "type": "text"}],
    "answer": [
        {
            "name": "label",
            "type": "choice",
            "labels": [{"value": "cat", "title": "Cat"}, {"value": "dog", "title": "Dog"}],
        }
    ],
}
PRICE = 20_000
FEE = 2_000
_numbers: Iterator[int] = count(1)


def make_user(**fields: Any) -> User:
    """A user with an address that nobody else has, and that was shown to be his."""
    user = User.objects.create(email=f"user{next(_numbers)}-{uuid4().hex[:6]}@example.org", **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def make_worker() -> Worker:
    """A worker with an account of his own."""
    return Worker.objects.create(user=make_user())


def make_requester(funds_micros: int = 10**12) -> Requester:
    """An organisation with an owner and money."""
    requester = Requester.objects.create(name="Acme Labels")
    Member.objects.create(requester=requester, user=make_user(), role="owner")
    if funds_micros:
        with one_transaction(principal="test"):
            deposit(requester, funds_micros)
    return requester


def deposit(requester: Requester, amount_micros: int) -> None:
    """Money from outside into the requester's funds."""
    move(
        [
            Move(
                key=f"deposit:{uuid4()}",
                kind="deposit",
                source=outside("bank"),
                destination=funds_of(requester.public_id),
                currency="EUR",
                amount_micros=amount_micros,
            )
        ]
    )


def funds(batch: Batch) -> int:
    """The free money of the batch's requester."""
    return balance(funds_of(batch.requester.public_id), "EUR")


def spend_all(batch: Batch, *, but: int = 0) -> None:
    """The requester's free money goes elsewhere, but for so much."""
    with one_transaction(principal="test"):
        source, spent = funds_of(batch.requester.public_id), funds(batch) - but
        move([Move(f"spent:{uuid4()}", "withdrawal", source, "outside:bank", "EUR", spent)])


def make_deposit(requester: Requester, amount_micros: int = 5, **terms: Any) -> Deposit:
    """A deposit, recorded by somebody who has no part in the organisation unless somebody is named."""
    with one_transaction(principal="test"):
        return record_deposit(
            requester=requester,
            amount_micros=amount_micros,
            currency=terms.pop("currency", "EUR"),
            reference=terms.pop("reference", str(uuid4())),
            recorded_by=terms.pop("recorded_by", None) or make_user(),
            **terms,
        )


def make_invoice(requester: Requester, **fields: Any) -> Invoice:
    """An invoice over one fee, whatever the books say; number and time are the database's."""
    party = {"name": "Acme Labels", "address": "", "tax_id": ""}
    line = {"batch": None, "batch_name": "", "project_name": "", "what": "fees", "amount_micros": 7}
    names = ("opening", "deposits", "taken_back", "funds_closing", "held_closing", "closing")
    values: dict[str, Any] = {
        "requester": requester, "currency": "EUR", "period_from": date(2026, 1, 1), "period_to": date(2026, 1, 31),
        "seller": {**party, "note": ""}, "buyer": {**party, "email": ""}, "lines": [line],
        "money": {f"{name}_micros": 0 for name in names}, "work_micros": 0, "fees_micros": 7, "total_micros": 7,
        **fields,
    }  # fmt: skip
    made = Invoice.objects.create(**values)
    return Invoice.objects.select_related("requester", "corrects", "credit_note").get(pk=made.pk)


def make_project(
    requester: Requester | None = None,
    interface: dict[str, Any] | None = None,
    instructions: str = "Say which animal it is.",
) -> Project:
    """A project with a published first version."""
    requester = requester or make_requester()
    with one_transaction(principal="test"):
        project = create_project(
            requester_id=requester.pk,
            name="Pets",
            interface=interface or INTERFACE,
            instructions=instructions,
        )
    with one_transaction(principal="test"):
        publish_version(project=project, number=1)
    return project


def make_draft(project: Project | None = None, **terms: Any) -> Batch:
    """A draft batch."""
    project = project or make_project()
    values: dict[str, Any] = {"name": "First", "price_micros": PRICE, "overlap": 3, **terms}
    with one_transaction(principal="test"):
        return create_batch(
            project=project,
            version=project.versions.get(number=1),
            terms=Terms(**values),
            platform=Platform(fee_basis_points=1_000),
        )


def add_rows(batch: Batch, rows: Iterable[dict[str, Any]]) -> None:
    """Import rows into a draft."""
    body = "\n".join(dumps(row) for row in rows).encode()
    with one_transaction(principal="test"):
        import_tasks(batch_id=batch.pk, source=read_jsonl(BytesIO(body)), body_sha256=b"test")


def rows(tasks: int, gold: int = 0) -> list[dict[str, Any]]:
    """Ordinary rows, then gold rows whose key is `cat`."""
    plain = [{"external_id": f"t{n}", "data": {"text": f"animal {n}"}} for n in range(tasks)]
    known = [
        {"external_id": f"g{n}", "data": {"text": f"known animal {n}"}, "gold": {"label": "cat"}} for n in range(gold)
    ]
    return plain + known


def make_batch(
    tasks: int = 4,
    gold: int = 0,
    *,
    project: Project | None = None,
    gold_policy: dict[str, Any] | None = None,
    **terms: Any,
) -> Batch:
    """A published batch with funds held."""
    if gold_policy is not None:
        terms["gold"] = gold_policy
    batch = make_draft(project, **terms)
    add_rows(batch, rows(tasks, gold))
    return published(batch)


def published(batch: Batch) -> Batch:
    """Publish a draft."""
    with one_transaction(principal="test"):
        return publish_batch(batch_id=batch.pk)


def take(worker: Worker, batch: Batch, count: int = 1, seed: int = 1) -> list[LeasedTask]:
    """Claim in a transaction of its own."""
    with one_transaction(principal="test"):
        offer = offer_of(batch.public_id)
        return claim(worker_id=worker.pk, offer=offer, count=count, chance=Random(seed), due_done=True)


def answer(worker: Worker, leases: list[LeasedTask], label: str = "cat") -> Submitted:
    """Submit the same label for all of the leases."""
    page = [Submission(lease.id, lease.token, {"label": label}) for lease in leases]
    with one_transaction(principal="test"):
        return submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))


def reject(
    batch: Batch, assignments: Iterable[Any], comment: str = "Not what was asked.", reason: str = "wrong", **more: Any
) -> int:
    """Reject answers, given as rows, leases or ids, in the name of the requester's owner; inside a transaction."""
    return reject_answers(
        batch_id=batch.pk,
        assignments=[getattr(one, "public_id", None) or getattr(one, "id", one) for one in assignments],
        reason=RejectReason(reason),
        comment=comment,
        made_by=owner_of(batch.requester).pk,
        **more,
    )


def send_back(batch: Batch, leases: Iterable[LeasedTask], comment: str = "Please look again.") -> int:
    """Return submitted answers for repair, in the name of the requester's owner, in a transaction of its own."""
    with one_transaction(principal="test"):
        return return_answers(
            batch_id=batch.pk,
            assignments=[lease.id for lease in leases],
            reason=RejectReason.INCOMPLETE,
            comment=comment,
            made_by=owner_of(batch.requester).pk,
        )


def owner_of(requester: Requester) -> User:
    """The first member."""
    return requester.members.order_by("pk")[0].user


def judged(worker_id: int, batch: Batch, score: float | None, **more: Any) -> list[Judged]:
    """The outcomes of one answer, as the scoring step hands them in: what it was judged, if it was, and itself."""
    place = {"worker_id": worker_id, "project_id": batch.project_id, "batch_id": batch.pk}
    found = [] if score is None else [Judged(**place, score=score, kind=Kind.GOLD, **more)]
    return [*found, Judged(**place, assignment_id=more.get("assignment_id"))]


def judge(worker: Worker, batch: Batch, *scores: float) -> None:
    """Give the worker judged answers in the batch's project, and as many others as it takes until they show."""
    given = [*scores, *[None] * (SHOW_EVERY - len(scores))]
    with one_transaction(principal="test"):
        record_outcomes([outcome for score in given for outcome in judged(worker.pk, batch, score)])


def outcomes(columns: str = "score", where: str = "true") -> list[tuple[Any, ...]]:
    """Recorded outcomes in their order, read as the gold reader: nobody else may."""
    with transaction.atomic(), acting_as("gold_reader"):
        return fetched(f"SELECT {columns} FROM reputation_outcome WHERE {where} ORDER BY id")


def queue(batch: Batch | None = None) -> list[tuple[int, int, int]]:
    """(task, bucket, rank) of what is queued, by task, read as the gold reader: whoever knows them knows gold."""
    with transaction.atomic(), acting_as("gold_reader"):
        found = OpenPlace.objects.all() if batch is None else OpenPlace.objects.filter(batch_id=batch.pk)
        return list(found.order_by("task_id").values_list("task_id", "bucket", "rank"))
