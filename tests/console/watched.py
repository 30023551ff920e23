"""A batch that several people work on, for those who watch it."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from marketplace.accounts.models import Member, Requester, User
from marketplace.batches.models import Batch
from marketplace.common.database import run
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.consensus import consider
from marketplace.results.tasks import make_figures
from tests import factories as make
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.states import ReturnReason
from workers.profiles.commands import pseudonym_for
from workers.profiles.models import Worker

PAGE = 50
NO_GOLD = {"min_share": 0.0, "max_share": 0.0, "probation": 0, "probation_share": 0.0}


@dataclass
class Watched:
    """The batch with those who answered it, and its organisation's people by role."""

    batch: Batch
    workers: list[Worker]
    people: dict[str, User] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/console/batches/{self.batch.public_id}/"

    def name_of(self, worker: Worker) -> str:
        """What the organisation calls a worker."""
        with one_transaction(principal="test"):
            return pseudonym_for(worker_id=worker.pk, requester_id=self.batch.requester_id)


def number_of(lease: Any) -> int:
    """Which task it is."""
    return int(str(lease.data["text"]).rsplit(" ", 1)[1])


def give(worker: Worker, batch: Batch, count: int, says: Any) -> None:
    """Answer so many tasks: `says` turns the number of a task into a label, or None for unclear."""
    for at_once in [PAGE] * (count // PAGE) + [count % PAGE] * (count % PAGE > 0):
        page = []
        for lease in make.take(worker, batch, at_once):
            label = says(number_of(lease))
            page.append(Submission(lease.id, lease.token, {"label": label} if label else {}, unclear=label is None))
        assert len(page) == at_once
        with one_transaction(principal="test"):
            submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))


def give_back(worker: Worker, batch: Batch, reason: ReturnReason, comment: str = "") -> None:
    """Take one task and give it back with a reason."""
    [lease] = make.take(worker, batch, 1)
    with one_transaction(principal="test"):
        return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token, reason=reason, comment=comment)


def make_people(requester: Requester) -> dict[str, User]:
    """Somebody of each role."""
    people = {"owner": make.owner_of(requester)}
    for role in ("manager", "reviewer", "viewer"):
        people[role] = make.make_user()
        Member.objects.create(requester=requester, user=people[role], role=role)
    return people


def consensus(batch: Batch) -> None:
    """What the background makes of the answers, as if their events had been read."""
    run(
        "INSERT INTO results_toconsider (batch_id, task_id) SELECT DISTINCT batch_id, task_id"
        " FROM assignments_assignment WHERE batch_id = %s ON CONFLICT DO NOTHING",
        [batch.pk],
    )
    while True:
        with one_transaction(principal="test"):
            if not consider(batch_id=batch.pk):
                return


def make_watched(tasks: int = 10, gold: int = 0, **terms: Any) -> Watched:
    """Two workers agree that even tasks are cats and odd ones dogs, and a third says dog of all but that task 0 is
    unclear; a fourth gave one back as broken. Figures are worked out."""
    terms = {"overlap": 4, "lease_cap": 100, "gold_policy": NO_GOLD, "name": "Pets in the park"} | terms
    batch = make.make_batch(tasks, gold, **terms)
    workers = [make.make_worker() for _ in range(4)]
    for worker in workers[:2]:
        give(worker, batch, tasks, lambda number: "dog" if number % 2 else "cat")
    give(workers[2], batch, tasks, lambda number: "dog" if number else None)
    give_back(workers[3], batch, ReturnReason.BROKEN, "The picture does not load.")
    watched = Watched(batch, workers, make_people(batch.requester))
    consensus(batch)
    make_figures(batch.pk)
    return watched
