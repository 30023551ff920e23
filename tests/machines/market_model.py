"""The market as a small model in memory: who may take what, what a step does, and where the money is.

It knows no SQL and no order of work: where chance decides (which task a worker is given, whether it is gold), the model
says what would be right, and the machine tells it what happened.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    PLAIN = "plain"
    GOLD = "gold"
    RESERVED = "reserved"


LIVE = frozenset({"leased", "submitted", "accepted"})
ATTEMPTS_MAX = 5


@dataclass
class ModelTask:
    name: str
    kind: Kind
    overlap: int
    reserved_for: frozenset[int] = frozenset()
    attempts: int = 0
    quarantined: bool = False


@dataclass
class ModelAssignment:
    """One worker's assignment on one task. Times are seconds of the moved clock."""

    pk: int
    id: UUID
    token: UUID
    worker: int
    task: ModelTask
    lease_until: int
    state: str = "leased"
    attempts: int = 1
    auto_accept_at: int = 0
    rejected_at: int = 0
    paid: bool = False
    draft: bool = False
    submitted: bool = False  # at any time
    old_tokens: list[UUID] = field(default_factory=list)

    @property
    def payable(self) -> bool:
        return self.state in ("accepted", "upheld")


@dataclass
class ModelBatch:
    """A published batch. `now` is the market's clock, in seconds since the example began."""

    unit_micros: int
    price_micros: int
    lease_cap: int
    time_limit_s: int
    auto_accept_s: int
    tasks: dict[str, ModelTask]
    outsiders: frozenset[int]
    max_attempts: int = 5
    worker_limit: int | None = None
    dispute_places: int = 0
    appeal_s: int = 7 * 86_400
    state: str = "published"
    settled: bool = False
    now: int = 0
    to_score: int = 0
    released_places: int = 0
    put_aside_places: int = 0  # of those, for rejections that can be contested
    disputes_added: int = 0
    disputes_released: int | None = None
    bonuses: dict[tuple[int, str], int] = field(default_factory=dict)
    by_task: dict[tuple[str, int], ModelAssignment] = field(default_factory=dict)

    # Reads

    def all(self, *states: str) -> list[ModelAssignment]:
        return [a for a in self.by_task.values() if not states or a.state in states]

    def live(self, task: ModelTask) -> int:
        return sum(a.task is task and a.state in LIVE for a in self.by_task.values())

    def open(self, task: ModelTask) -> bool:
        return self.live(task) < task.overlap and not task.quarantined

    def held(self, worker: int) -> list[ModelAssignment]:
        return sorted(
            (a for a in self.all("leased") if a.worker == worker and a.lease_until > self.now), key=lambda a: a.pk
        )

    def free_lease_numbers(self, worker: int) -> int:
        """A lease that ran out keeps its number until somebody expires it."""
        return self.lease_cap - sum(a.worker == worker for a in self.all("leased"))

    def room(self, worker: int) -> int:
        """How many more places of the batch the worker may use."""
        used = sum(a.worker == worker and a.state not in ("returned", "expired") for a in self.all())
        return 1_000 if self.worker_limit is None else self.worker_limit - used

    def ordinary_for(self, worker: int) -> set[str]:
        """Every task that must be given to the worker if he asks for long enough, gold that was never his apart."""
        found = set()
        for task in self.tasks.values():
            mine = self.by_task.get((task.name, worker))
            if not self.open(task):
                continue
            if mine is not None:
                if mine.state == "expired" and mine.attempts < ATTEMPTS_MAX:
                    found.add(task.name)
            elif task.kind == Kind.PLAIN or worker in task.reserved_for:
                found.add(task.name)
        return found

    def gold_for(self, worker: int) -> set[str]:
        """Gold that the worker may be shown: never shown to him, and to fewer workers than it may be."""
        return {
            task.name
            for task in self.tasks.values()
            if task.kind == Kind.GOLD
            and (task.name, worker) not in self.by_task
            and sum(name == task.name for name, _ in self.by_task) < task.overlap
            and self.open(task)
        }

    def is_done(self) -> bool:
        """Nothing ordinary is left: no open place, nothing leased, nothing undecided."""
        return not self.all("leased", "submitted") and not any(
            task.kind != Kind.GOLD and self.open(task) for task in self.tasks.values()
        )

    def may_settle(self) -> bool:
        return not self.all("leased", "submitted") and not self.due()

    def due(self) -> list[ModelAssignment]:
        return sorted((a for a in self.all("accepted", "upheld") if not a.paid), key=lambda a: a.pk)

    def overdue(self) -> list[ModelAssignment]:
        return [a for a in self.all("leased") if a.lease_until <= self.now]

    def past_decision(self) -> list[ModelAssignment]:
        return [a for a in self.all("submitted") if a.auto_accept_at <= self.now]

    # Money

    @property
    def hold_micros(self) -> int:
        return sum(task.overlap for task in self.tasks.values()) * self.unit_micros

    @property
    def paid_answers(self) -> int:
        return sum(a.paid for a in self.by_task.values())

    @property
    def paid_places(self) -> int:
        """Those that escrow has paid; what was upheld is paid from what lies aside."""
        return sum(a.paid and a.state == "accepted" for a in self.by_task.values())

    @property
    def escrow_micros(self) -> int:
        places = self.hold_micros // self.unit_micros - self.paid_places - self.released_places
        return 0 if self.settled else places * self.unit_micros

    @property
    def refunded_micros(self) -> int:
        """What has gone back, from escrow and from what lay aside."""
        left = self.hold_micros - self.paid_places * self.unit_micros
        back = left if self.settled else self.released_places * self.unit_micros
        return back - self.put_aside_places * self.unit_micros + (self.disputes_released or 0)

    @property
    def aside_micros(self) -> int:
        """What lies aside for disputes."""
        paid = sum(a.paid and a.state == "upheld" for a in self.by_task.values())
        provided = (self.dispute_places + self.put_aside_places) * self.unit_micros + self.disputes_added
        return provided - paid * self.unit_micros - (self.disputes_released or 0)

    @property
    def aside_due_micros(self) -> int:
        return sum(a.state == "upheld" for a in self.due()) * self.unit_micros

    def earned_micros(self, worker: int) -> int:
        bonuses = sum(amount for (of, _), amount in self.bonuses.items() if of == worker)
        return sum(a.paid and a.worker == worker for a in self.by_task.values()) * self.price_micros + bonuses

    # Steps

    def taken(self, pk: int, public_id: UUID, token: UUID, worker: int, name: str) -> ModelAssignment:
        """The worker was given the task; says no to what the model does not allow."""
        task = self.tasks[name]
        mine = self.by_task.get((name, worker))
        until = self.now + self.time_limit_s
        assert self.state == "published"
        assert worker not in self.outsiders, "he belongs to the requester"
        assert self.open(task), "no place was open"
        assert len(self.held(worker)) < self.lease_cap
        if mine is None:
            assert task.kind != Kind.RESERVED or worker in task.reserved_for, "it is reserved for others"
            self.by_task[name, worker] = ModelAssignment(pk, public_id, token, worker, task, until)
            return self.by_task[name, worker]
        assert (mine.pk, mine.id) == (pk, public_id), "a worker has one assignment of a task for life"
        assert mine.state == "expired" and mine.attempts < ATTEMPTS_MAX, f"{mine.state} does not come back"
        assert token not in (mine.token, *mine.old_tokens), "a revival has a new token"
        mine.old_tokens.append(mine.token)
        mine.token, mine.state, mine.attempts, mine.lease_until = token, "leased", mine.attempts + 1, until
        return mine

    def gave_up(self, a: ModelAssignment) -> None:
        """A worker let go of a task; the first time of each counts against it."""
        if a.attempts == 1:
            a.task.attempts += 1
            a.task.quarantined = a.task.quarantined or a.task.attempts >= self.max_attempts

    def expired(self, a: ModelAssignment) -> None:
        a.state = "expired"
        self.gave_up(a)

    def revived_late(self, page: list[tuple[ModelAssignment, UUID]]) -> list[ModelAssignment]:
        """Those late answers of a page that count, because their place can still be had; they are leased anew. Each
        needs a new token, which the caller must fill in."""
        if self.state != "published":
            return []
        names = list(self.tasks)
        late = [
            a
            for a, token in page
            if a.token == token and (a.state == "expired" or (a.state == "leased" and a.lease_until <= self.now))
        ]
        revived = []
        for a in sorted(late, key=lambda a: names.index(a.task.name)):
            if a.state == "leased":
                self.expired(a)
            if self.open(a.task) and self.free_lease_numbers(a.worker) > 0 and self.room(a.worker) > 0:
                a.old_tokens.append(a.token)
                a.state, a.attempts, a.lease_until = "leased", a.attempts + 1, self.now + self.time_limit_s
                revived.append(a)
        return revived

    def submitted(self, a: ModelAssignment, token: UUID, has_values: bool) -> str:
        """What a submission comes to."""
        if a.state == "leased" and a.token == token and a.lease_until > self.now:
            a.state, a.auto_accept_at, a.draft, a.submitted = "submitted", self.now + self.auto_accept_s, False, True
            self.to_score += 1
            return "submitted"
        if a.state not in ("leased", "expired", "returned"):
            return "already_submitted"
        a.draft = a.draft or has_values
        return "lease_lost"

    def returned(self, a: ModelAssignment, token: UUID) -> bool:
        """Whether a return is granted; repeating a granted one is."""
        if a.state == "leased" and a.token == token and a.lease_until > self.now:
            a.state = "returned"
            self.gave_up(a)
            return True
        return a.state == "returned" and a.token == token

    def uphold(self, named: list[ModelAssignment]) -> int:
        """Rejections are undone; returns what the requester has to add for them."""
        for a in named:
            a.state = "upheld"
        missing = max(0, self.aside_due_micros - self.aside_micros)
        self.disputes_added += missing
        return missing

    def contestable(self) -> int:
        return sum(a.rejected_at + self.appeal_s > self.now for a in self.all("rejected"))

    def may_release_disputes(self) -> bool:
        return self.settled and not self.contestable()

    def release_disputes(self) -> bool:
        """Whether anything changes: what is not due goes back, once."""
        if self.disputes_released is not None:
            return False
        self.disputes_released = self.aside_micros - self.aside_due_micros
        return True

    def release_places(self) -> bool:
        """A batch that takes no more work keeps what is live or due, and no more; whether that changes anything. As
        many places as there are rejections to contest are put aside, unless enough lies there."""
        kept = len(self.all("leased", "submitted")) + sum(a.state == "accepted" for a in self.due())
        free = self.hold_micros // self.unit_micros - self.paid_places - kept - self.released_places
        uncovered = self.contestable() - (self.aside_micros - self.aside_due_micros) // self.unit_micros
        self.put_aside_places += min(free, max(0, uncovered))
        self.released_places += free
        return free > 0

    def cancel(self) -> None:
        self.state = "cancelled"
        for a in self.all("leased"):
            a.state = "expired"

    def finish(self) -> bool:
        """Whether the batch moves on by itself."""
        if self.settled:
            return False
        if self.state == "published" and self.is_done():
            self.state = "closing"
            return True
        if self.state in ("closing", "cancelled") and not self.release_places() and self.may_settle():
            self.settled = True
            self.state = "settled" if self.state == "closing" else self.state
            return True
        return False
