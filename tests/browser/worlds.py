"""A worker with a past: answers that were paid, rejected, sent back and not yet decided on. Call it by `beside`."""

from dataclasses import dataclass
from uuid import UUID

from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.commands.decide import accept_answers
from workers.profiles.models import Worker


@dataclass(frozen=True)
class Past:
    """The worker, the batch he worked in, which is open, and his answers by what became of them."""

    worker: Worker
    batch: Batch
    accepted: UUID
    rejected: UUID
    returned: UUID
    waiting: UUID


def with_past(worker: Worker, *, tasks: int = 12, answers: int = 4) -> Past:
    """Answers to choices, one of each fate and those beyond four waiting; the rest of the tasks is left."""
    batch = make.make_batch(tasks, overlap=1, name="Cats and dogs")
    leases = make.take(worker, batch, answers)
    make.answer(worker, leases)
    accepted, rejected, returned, waiting = leases[:4]
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=[accepted.id])
    with one_transaction(principal="test"):
        make.reject(batch, [rejected], comment="This is plainly a dog.")
    make.send_back(batch, [returned])
    return Past(worker, batch, accepted.id, rejected.id, returned.id, waiting.id)


def pages_of(past: Past) -> dict[str, str]:
    """The addresses of all pages of a worker, by name."""
    batch = f"/work/batches/{past.batch.public_id}/"
    return {
        "board": "/work/",
        "preview": batch,
        "player": f"{batch}do/",
        "profile": "/work/profile/",
        "destinations": "/work/destinations/",
        "earnings": "/work/earnings/",
        "answers": "/work/earnings/answers/",
        "answer": f"/work/earnings/answers/{past.rejected}/",
        "statement": "/work/earnings/statement/",
        "withdraw": "/work/earnings/withdraw/",
        "standing": "/work/standing/",
        "rejections": "/work/rejections/",
        "appeals": "/work/appeals/",
        "contest": f"/work/appeals/answer/{past.rejected}/",
        "news": "/work/news/",
    }
