"""Stream mode: the server keeps a window of a batch's tasks in a worker's hands, and has him stand in line when nothing
is open."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from marketplace.batches.queries import offer_of
from marketplace.common.errors import DomainError, NotFound
from marketplace.common.transactions import one_transaction
from marketplace.rest.problems import problem_of
from workers.api.devices import device_class
from workers.api.work import CHANCE
from workers.assignments.commands.claim import claim
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.waiting import stay, stop_waiting, wait_for_work
from workers.assignments.errors import DueFirst
from workers.assignments.queries import LeasedTask, live_leases

FILLING, FULL, WAITING, ENDED = "filling", "full", "waiting", "ended"
STAY_EVERY_S = 10.0
# What may take a lease out of his hands, and what may put one into them.
LOSES = frozenset({"answer_submitted", "lease_expired", "lease_returned", "answer_accepted", "answer_rejected"})
GIVES = frozenset({"place_taken", "answer_returned"})


@dataclass
class Filling:
    """One batch that a socket is kept supplied from. `batch_id` is None until it is known."""

    batch: UUID
    window: int
    batch_id: int | None = None
    state: str = ""
    # What was pushed on this connection and still lives: a lease given anew has a new token.
    pushed: dict[str, str] = field(default_factory=dict)
    asked: bool = False

    def concerns(self, kind: str, body: dict[str, Any]) -> bool:
        """Whether what happened changes what he should be given now."""
        if body.get("batch") not in (None, str(self.batch)):
            return False
        named = body.get("assignments", [])
        if kind in LOSES:
            return any(name in self.pushed for name in named)
        # A lease that comes back for repair has been pushed before, and has a new token.
        return kind == "answer_returned" or (kind in GIVES and any(name not in self.pushed for name in named))

    def fresh(self, leases: list[LeasedTask]) -> list[LeasedTask]:
        """Those to push now, so that never more than the window are in his hands; they count as pushed."""
        living = {str(lease.id): str(lease.token) for lease in leases}
        self.pushed = {name: token for name, token in self.pushed.items() if living.get(name) == token}
        new = [lease for lease in leases if str(lease.id) not in self.pushed][: self.window - len(self.pushed)]
        self.pushed.update((str(lease.id), str(lease.token)) for lease in new)
        return new


@dataclass(frozen=True)
class Filled:
    """What he holds of the batch now, and how it goes on; `batch_id` is None where there is no such batch."""

    batch_id: int | None
    leases: list[LeasedTask]
    state: str
    problem: dict[str, Any] | None = None


def fill(worker_id: int, batch: UUID, window: int, headers: dict[bytes, bytes]) -> Filled:
    """Top him up to the window, and put him in line for what is missing. Repeating it changes nothing."""
    device = device_class(
        user_agent=headers.get(b"user-agent", b"").decode("latin-1"),
        mobile_hint=headers.get(b"sec-ch-ua-mobile", b"").decode("latin-1"),
    )
    try:
        offer = offer_of(batch)
    except DomainError as error:
        return Filled(None, [], ENDED, _problem(error))
    refusal: DomainError | None = None
    try:
        try:
            leases = _claimed(worker_id, offer, window, device, due_done=False)
        except DueFirst as due:
            with one_transaction(principal="due"):
                apply_due(batch_id=due.batch_id)
            leases = _claimed(worker_id, offer, window, device, due_done=True)
        if len(leases) >= window:
            return Filled(offer.pk, leases, FULL)
    except DomainError as error:
        refusal = error
        leases = [lease for lease in live_leases(worker_id) if lease.batch == batch]
    try:
        with one_transaction(principal="waiting"):
            wait_for_work(worker_id=worker_id, batch_id=offer.pk, window=window)
    except DomainError as error:
        return Filled(offer.pk, leases, ENDED, _problem(error))
    told = refusal is not None and refusal.code != "nothing-to-claim"
    return Filled(offer.pk, leases, WAITING, _problem(refusal) if refusal is not None and told else None)


def no_such_batch() -> dict[str, Any]:
    """The problem of a batch that cannot be."""
    return _problem(NotFound("There is no such batch."))


def stand(pairs: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """Say that these workers still wait for these batches; returns the pairs that are in line no more."""
    with one_transaction(principal="waiting"):
        return stay(pairs)


def leave_line(worker_id: int, batch_id: int) -> None:
    """He waits for the batch no more."""
    with one_transaction(principal="waiting"):
        stop_waiting(worker_id=worker_id, batch_id=batch_id)


def _claimed(worker_id: int, offer: Any, window: int, device: str, *, due_done: bool) -> list[LeasedTask]:
    with one_transaction(principal="stream"):
        return claim(worker_id=worker_id, offer=offer, count=window, chance=CHANCE, due_done=due_done, device=device)


def _problem(error: DomainError) -> dict[str, Any]:
    return problem_of(error, "/ws/worker/")
