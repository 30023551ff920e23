"""Batches with answers to look at, and the members of the organisation that they are of."""

from collections.abc import Callable
from random import Random
from typing import Any

from django.test import Client

from marketplace.accounts.models import Member, Requester
from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.results.test_consensus import make_consensus
from tests.web.visitors import client_of
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.models import Assignment
from workers.profiles.models import Worker

NO_GOLD = {"min_share": 0.0, "max_share": 0.0, "probation": 0, "probation_share": 0.0}


def member(requester: Requester, role: str) -> Client:
    """A member with this role, signed in."""
    user = make.make_user()
    Member.objects.create(requester=requester, user=user, role=role)
    return client_of(user)


def answer_all(batch: Batch, says: Callable[[str], str | None], tasks: int = 100) -> Worker:
    """Somebody new answers the batch; `says` gives the label for a text, or None for unclear."""
    worker = make.make_worker()
    page = []
    for lease in make.take(worker, batch, tasks):
        label = says(lease.data["text"])
        page.append(Submission(lease.id, lease.token, {} if label is None else {"label": label}, unclear=label is None))
    with one_transaction(principal="test"):
        submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
    return worker


def disputed(tasks: int = 3, disputes: int = 1, **terms: Any) -> Batch:
    """Three workers have answered every task; over the first ones they disagree, two for the cat and one for a dog."""
    terms = {"gold_policy": NO_GOLD, "overlap": 3, "lease_cap": 100, **terms}
    batch = make.make_batch(tasks, **terms)
    doubtful = {f"animal {n}" for n in range(disputes)}
    answer_all(batch, lambda text: "cat", tasks)
    answer_all(batch, lambda text: "cat", tasks)
    answer_all(batch, lambda text: "dog" if text in doubtful else "cat", tasks)
    make_consensus(batch)
    return batch


def answers_to(batch: Batch, task: str = "t0", label: str | None = None) -> list[Assignment]:
    """The answers to a task in the order of their places, all or those with a label."""
    found = Assignment.objects.filter(batch=batch, task__external_id=task).exclude(state="leased").order_by("pk")
    return [one for one in found if label is None or one.answers.order_by("-revision")[0].values == {"label": label}]
