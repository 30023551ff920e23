"""A small market with one of everything, and everybody who might ask for it."""

from dataclasses import dataclass, field
from typing import Any

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.models import Member, Requester, User
from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.projects.models import Project
from tests import factories as make
from tests.api.callers import Caller, Reply, caller_for
from workers.profiles.models import Worker

ROLES = ("anonymous", "worker", "other worker", "owner", "manager", "reviewer", "viewer", "other requester", "staff")


@dataclass
class Market:
    """Two organisations with a published and a draft batch each, two workers, staff; `own` is the first of each."""

    requester: Requester
    project: Project
    batch: Batch
    draft: Batch
    worker: Worker
    other_worker: Worker
    callers: dict[str, Caller]
    said: list[Reply] = field(default_factory=list)

    def __getitem__(self, who: str) -> Caller:
        return self.callers[who]


def make_market(tasks: int = 6, gold: int = 2, **terms: Any) -> Market:
    """Build it through the commands."""
    said: list[Reply] = []
    requester = make.make_requester()
    project = make.make_project(requester)
    batch = make.make_batch(tasks, gold, project=project, **terms)
    draft = make.make_draft(project, name="Draft", **terms)
    make.add_rows(draft, make.rows(2))
    worker, other_worker = make.make_worker(), make.make_worker()
    with one_transaction(principal="test"):
        staff = ensure_staff(email=make.make_user().email)
    people: dict[str, tuple[User, str]] = {
        "worker": (worker.user, "worker"),
        "other worker": (other_worker.user, "worker"),
        "owner": (requester.members.get().user, "requester"),
        **{role: (_member(requester, role), "requester") for role in ("manager", "reviewer", "viewer")},
        "other requester": (make.make_requester().members.get().user, "requester"),
        "staff": (staff, "staff"),
    }
    callers = {who: caller_for(user, scope, who=who, said=said) for who, (user, scope) in people.items()}
    callers["anonymous"] = Caller("anonymous", said=said)
    return Market(requester, project, batch, draft, worker, other_worker, callers, said)


def _member(requester: Requester, role: str) -> User:
    user = make.make_user()
    Member.objects.create(requester=requester, user=user, role=role)
    return user
