"""A crowd at work on the market's own commands, in one process and in its own time.

The market's clock stands still but for when it is moved, so that an hour of work takes as long as its statements, and a
busy machine makes nobody slow. Each person claims a page, takes his time, submits it with the claim of the next one; in
between the sweeps of the product's own beat run at their intervals. The same seed gives the same people, tasks and
times; which task goes to whom is the market's to draw.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count
from random import Random
from typing import Any, Protocol

import psycopg
from django.conf import settings
from django.db import connection

from marketplace.batches.models import Batch
from marketplace.batches.queries import offer_of
from marketplace.common.database import acting_as, rows, run, value
from marketplace.common.errors import DomainError
from marketplace.common.transactions import one_transaction
from tests.crowd.people import Person
from tests.crowd.questions import FIELD, Question
from tests.crowd.story import Given, Refused, Show, Story
from workers.assignments.commands.claim import claim
from workers.assignments.commands.submit import NextPage, Submission, submit
from workers.assignments.queries import LeasedTask

STILL_CLOCK = """
CREATE TABLE IF NOT EXISTS crowd_clock (now timestamptz NOT NULL);
INSERT INTO crowd_clock SELECT clock_timestamp() WHERE NOT EXISTS (SELECT 1 FROM crowd_clock);
GRANT SELECT, UPDATE ON crowd_clock TO PUBLIC;
CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE SECURITY DEFINER
    SET search_path = public AS 'SELECT now FROM crowd_clock';
"""
# Sweeps that carry money, mail or old rows on, and hints to other processes: nothing that the crowd could notice.
NOT_RUN = frozenset(
    {"relay", "settle", "seal", "anchor", "fold", "import", "finish", "quarantine", "disputes", "notices", "invoice"}
    | {"approve-payouts", "send-payouts", "follow-payouts", "withdraw", "forget"}
)
# A person who found nothing looks again after so long, and one who was refused after so long.
LOOK_AGAIN_S, KNOCK_AGAIN_S = 60.0, 600.0
LOOKS = 3


class Clock:
    """The market's clock in the database that the default connection uses: stopped, and moved by hand."""

    def __init__(self) -> None:
        name = connection.settings_dict["NAME"]
        with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True, dbname=name) as owner:
            owner.execute(STILL_CLOCK)
        self.start = value("SELECT now FROM crowd_clock")

    def to(self, seconds: float) -> None:
        """So long after the start; never back."""
        run("UPDATE crowd_clock SET now = greatest(now, %s + make_interval(secs => %s))", [self.start, seconds])


class Sweep(Protocol):
    """A periodic task of the product, called here."""

    def __call__(self) -> Any: ...


def product_sweeps(least_s: float = 1.0) -> dict[str, tuple[float, Sweep]]:
    """The sweeps of the product's beat that a crowd could notice, each with its interval, but none more often than
    `least_s`."""
    found: dict[str, tuple[float, Sweep]] = {}
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        module, _, task = entry["task"].rpartition(".")
        if name not in NOT_RUN:
            found[name] = (max(least_s, float(entry["schedule"])), getattr(import_module(module), task))
    return found


@dataclass(slots=True)
class _Hand:
    """One person at his desk."""

    index: int
    person: Person
    worker_id: int
    page_size: int
    answered: int = 0
    taken: int = 0
    pages: int = 0
    looks: int = 0
    held: list[tuple[LeasedTask, Question, bool]] = field(default_factory=list)
    known: set[Any] = field(default_factory=set)


class Crowd:
    """People, their accounts and one published batch."""

    def __init__(
        self,
        people: Sequence[Person],
        worker_ids: Sequence[int],
        batch: Batch,
        questions: Sequence[Question],
        *,
        clock: Clock,
        seed: int,
        labels: Sequence[str],
        page_sizes: Sequence[int] = (1, 1, 5),
        sweeps: Mapping[str, tuple[float, Sweep]] | None = None,
        begins_s: float = 0.0,
        arrive_within_s: float = 300.0,
    ) -> None:
        self.arrive_within_s = arrive_within_s
        self.batch, self.clock, self.labels, self.begins_s = batch, clock, labels, begins_s
        self.story = Story()
        self._chance = Random(f"acting {seed}")
        self._sweeps = dict(product_sweeps() if sweeps is None else sweeps)
        self._questions = {question.text: question for question in questions}
        self.hands = [
            _Hand(index, person, worker_id, self._chance.choice(list(page_sizes)))
            for index, (person, worker_id) in enumerate(zip(people, worker_ids, strict=True))
        ]
        self._gold: frozenset[str] = frozenset()
        self._keys: frozenset[int] = frozenset()
        self._live = " AND g.state = 'live'" if keys_have_states() else ""
        self._due = {name: begins_s + every for name, (every, _) in self._sweeps.items()}
        self._agenda: list[tuple[float, int, _Hand]] = []
        self._numbers = count()
        self.swept_s: dict[str, float] = dict.fromkeys(self._sweeps, 0.0)

    def work(
        self, answers: int | None = None, *, until_s: float = 30 * 86_400.0, tell: Callable[[int], None] | None = None
    ) -> Story:
        """Let all work until nobody finds anything, `answers` are stored, or `until_s` have passed."""
        began = time.monotonic()
        self._look_at_keys()
        self.clock.to(self.begins_s)
        for hand in self.hands:
            self._again(hand, self.begins_s + self._chance.uniform(0.0, self.arrive_within_s))
        while self._agenda and (answers is None or len(self.story.answers) < answers):
            at_s, _, hand = heapq.heappop(self._agenda)
            if at_s - self.begins_s > until_s:
                break
            self._sweep(at_s)
            self.clock.to(at_s)
            before = len(self.story.answers) // 1000
            self._act(hand, at_s, None if answers is None else answers - len(self.story.answers))
            self.story.seconds_on_the_clock = at_s - self.begins_s
            if tell and len(self.story.answers) // 1000 > before:
                tell(len(self.story.answers))
        self._sweep(self.begins_s + self.story.seconds_on_the_clock + 120.0)
        self.story.seconds = time.monotonic() - began
        return self.story

    def _sweep(self, until_s: float) -> None:
        """Run what is due up to that time, in its order; a sweep that was missed several times runs once."""
        ran = False
        for name in sorted(self._due, key=lambda name: self._due[name]):
            every, task = self._sweeps[name]
            if self._due[name] > until_s:
                continue
            missed = int((until_s - self._due[name]) // every)
            last = self._due[name] + missed * every
            self._due[name] = last + every
            began = time.perf_counter()
            self.clock.to(last)
            task()
            self.swept_s[name] += time.perf_counter() - began
            ran = True
        if ran:
            self._look_at_keys()

    def _look_at_keys(self) -> None:
        """Which tasks are gold now, as only the market and this library know."""
        with one_transaction(principal="crowd"), acting_as("gold_reader"):
            found = rows(f"SELECT g.task_id FROM batches_goldkey g WHERE g.batch_id = %s{self._live}", [self.batch.pk])
        ids = frozenset(row[0] for row in found)
        if ids != self._keys:
            self._keys = ids
            named = rows("SELECT external_id FROM batches_task WHERE id = ANY(%s)", [list(ids)])
            self._gold = frozenset(row[0] for row in named)

    def _again(self, hand: _Hand, at_s: float) -> None:
        heapq.heappush(self._agenda, (at_s, next(self._numbers), hand))

    def _act(self, hand: _Hand, at_s: float, room: int | None) -> None:
        offer = offer_of(self.batch.public_id)
        began = time.perf_counter()
        leases: list[LeasedTask] = []
        problem: DomainError | None = None
        if hand.held:
            page = hand.held[:room] if room is not None else hand.held
            given = [
                hand.person.answer(question.name, question.truth, self.labels, nth=hand.answered + item)
                for item, (_, question, _) in enumerate(page)
            ]
            submissions = [
                Submission(lease.id, lease.token, {FIELD: label})
                for (lease, _, _), label in zip(page, given, strict=True)
            ]
            with one_transaction(principal="crowd"):
                done = submit(
                    worker_id=hand.worker_id,
                    page=submissions,
                    then_claim=NextPage(offer, hand.page_size),
                    chance=self._chance,
                    due_done=True,
                )
            for (_, question, gold), label, outcome in zip(page, given, done.outcomes, strict=True):
                if outcome.outcome == "submitted":
                    self.story.answers.append(Given(hand.index, question.name, label, hand.answered, at_s, gold))
                    hand.answered += 1
            hand.held = []
            leases, problem = done.claimed, done.claim_problem
        else:
            try:
                with one_transaction(principal="crowd"):
                    leases = claim(
                        worker_id=hand.worker_id, offer=offer, count=hand.page_size, chance=self._chance, due_done=True
                    )
            except DomainError as refusal:
                problem = refusal
        took_s = time.perf_counter() - began
        if leases:
            hand.looks = 0
            self._begin(hand, leases, at_s, took_s)
        elif problem is not None:
            self._refused(hand, problem, at_s)

    def _begin(self, hand: _Hand, leases: list[LeasedTask], at_s: float, took_s: float) -> None:
        """Note what he is shown, and come back when he has answered it."""
        takes_s = 0.0
        for item, lease in enumerate(leases):
            question = self._questions[lease.data["text"]]
            gold = question.name in self._gold
            if lease.id not in hand.known:
                hand.known.add(lease.id)
                place = (hand.pages, item, len(leases))
                self.story.shows.append(
                    Show(hand.index, question.name, hand.taken, at_s, gold, *place, claim_s=took_s, lease=lease)
                )
                hand.taken += 1
            hand.held.append((lease, question, gold))
            takes_s += hand.person.seconds(question.name, nth=hand.answered + item)
        hand.pages += 1
        self._again(hand, at_s + takes_s)

    def _refused(self, hand: _Hand, problem: DomainError, at_s: float) -> None:
        nothing = problem.code == "nothing-to-claim"
        self.story.refusals.append(
            Refused(hand.index, at_s, hand.answered, problem.code, nothing and self.ordinary_open(hand))
        )
        hand.looks += 1
        if hand.looks < LOOKS:
            wait_s = float(problem.facts.get("wait_s") or (LOOK_AGAIN_S if nothing else KNOCK_AGAIN_S))
            self._again(hand, at_s + wait_s)

    def ordinary_open(self, hand: _Hand) -> bool:
        """Whether a task that is no gold has a place that this person could take."""
        return bool(
            value(
                "SELECT EXISTS (SELECT 1 FROM batches_task t WHERE t.batch_id = %s AND t.taken + t.refunded < t.overlap"
                " AND NOT t.id = ANY(%s) AND t.quarantined_at IS NULL AND NOT EXISTS (SELECT 1 FROM"
                " assignments_assignment a WHERE a.task_id = t.id AND a.worker_id = %s))",
                [self.batch.pk, list(self._keys), hand.worker_id],
            )
        )


def keys_have_states() -> bool:
    """Whether keys have states in this version of the market."""
    return bool(
        value(
            "SELECT EXISTS (SELECT 1 FROM information_schema.columns"
            " WHERE table_name = 'batches_goldkey' AND column_name = 'state')"
        )
    )
