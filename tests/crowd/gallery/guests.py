"""Guests of the gallery: simulated people who work in its batches at the pace of people, so that what the board says of
pay is measured on time that really went by, and a requester who decides on what they answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.crowd.client import Json, Problem, Session
from tests.crowd.crew import Member
from tests.crowd.gallery.batches import EXHIBITS, Exhibit
from tests.crowd.recording import canonical

# The board says nothing of pay with fewer accepted answers than this.
WANTED = 5
PATIENCE_S = 22.0
DECIDE_EVERY_S = 2.0
# Of the resident's first answers in a batch: which are not simply accepted. None is left waiting.
REJECTED = ("wrong", "The writer is not angry here, only disappointed: please read the review once more.")
SENT_BACK = ("incomplete", "One name is still without a mark. Please add it.")
FATES: dict[tuple[str, int], tuple[str, str] | None] = {
    ("Reviews: mood and topic", 0): REJECTED,
    ("Names in the news", 0): SENT_BACK,
    ("Two answers: which is better?", 1): None,
    **{("Handwritten digits: the second box", nth): None for nth in range(16, 40)},
}
# What the resident does, in this order: the exhibit and how many pages of how many tasks.
DAY = (
    ("Reviews: mood and topic", 1, 2),
    ("Names in the news", 1, 1),
    ("Two answers: which is better?", 1, 2),
    ("Handwritten digits: the second box", 5, 5),
)
OVER = {"nothing-to-claim", "not-eligible", "batch-not-open", "sanctioned"}


@dataclass(slots=True)
class Opened:
    """An exhibit whose batch is published."""

    exhibit: Exhibit
    batch_id: str
    answers: dict[str, dict[str, Any]]
    stored: int = 0
    # How many answers of the resident were decided on.
    decided: int = 0
    seen: set[str] = field(default_factory=set)


def guests_wanted() -> int:
    """How many guests there should be."""
    return sum(exhibit.guests for exhibit in EXHIBITS)


def open_exhibit(exhibit: Exhibit, owner: Session, staff: Session, *, requester_id: str, run: str) -> Opened:
    """A project, its batch with tasks, the money for it, and publication."""
    project = owner.create_project(requester_id, f"{exhibit.name} ({run})", exhibit.interface, exhibit.instructions)
    owner.publish_version(project["id"], 1)
    batch_id = str(owner.create_batch(project["id"], exhibit.terms("EUR"))["id"])
    rows, answers = [], {}
    for number, (data, values) in enumerate(exhibit.items()):
        key = {"gold": values} if number < exhibit.gold else {}
        rows.append({"external_id": f"{number:03d}", "data": data, **key})
        answers[canonical(data)] = values
    owner.import_rows(batch_id, rows)
    missing = owner.estimate(batch_id)["missing_micros"]
    if missing:
        staff.deposit(requester_id, missing, "EUR", f"gallery {exhibit.name} {run}"[:100])
    owner.publish_batch(batch_id)
    return Opened(exhibit, batch_id, answers)


class Gallery:
    """Opens the exhibits and lets the guests work in threads of their own, from `open` to the end of `finish`.

    `resident` is the worker by whom people sign in after the demo: of that one's answers some are rejected, sent back
    or left to wait, so that there is something to look at.
    """

    def __init__(
        self, owner: Session, staff: Session, *, resident: Member, guests: Sequence[Member], run: str, seed: int
    ) -> None:
        self.owner, self.staff, self.resident, self.guests, self.run = owner, staff, resident, list(guests), run
        self.seed = seed
        self.opened: list[Opened] = []
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._over = threading.Event()
        self._enough = threading.Event()
        # All batches are open, or it became plain that they never will be.
        self._ready = threading.Event()
        self._lock = threading.Lock()
        # By which name the requester knows the resident.
        self._pseudonym = ""

    @contextmanager
    def alongside(self) -> Iterator[None]:
        """Open, for the length of the block, beside whatever else goes on. Does not wait at its end: see `finish`."""
        self._start("gallery", self._open)
        try:
            yield
        except BaseException:
            self._over.set()
            raise

    def finish(self) -> Json:
        """Wait until all is open and enough is measured or patience ends, let everybody put down what is not done, and
        decide on the rest. Returns {batches, answers}. Raises the first error of anyone."""
        self._ready.wait()
        self._enough.wait(PATIENCE_S)
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]
        self._decide()
        return {"batches": len(self.opened), "answers": sum(opened.stored for opened in self.opened)}

    def _start(self, name: str, function: Any, *given: Any) -> None:
        def run() -> None:
            try:
                function(*given)
            except BaseException as why:
                self._failures.append(why)
                self._enough.set()
                self._ready.set()

        self._threads.append(threading.Thread(target=run, name=name, daemon=True))
        self._threads[-1].start()

    def _open(self) -> None:
        """Each batch has its guests as soon as it is there."""
        requester_id = str(self.owner.found_requester(f"Harbour Street Studio {self.run}")["id"])
        # Known before the first answer is decided on.
        pseudonym = self.resident.session.introduce(requester_id)
        waiting, of_the_day = list(self.guests), {name for name, _pages, _count in DAY}
        for exhibit in EXHIBITS:
            opened = open_exhibit(exhibit, self.owner, self.staff, requester_id=requester_id, run=self.run)
            self.opened.append(opened)
            for _ in range(exhibit.guests):
                if waiting:
                    self._start("guest", self._visits, waiting.pop().session, opened)
            of_the_day.discard(exhibit.name)
            if not of_the_day and pseudonym != self._pseudonym:
                self._pseudonym = pseudonym
                self._start("decisions", self._decides)
                self._start("resident", self._day)
        self._ready.set()

    def _visits(self, session: Session, opened: Opened) -> None:
        while not self._over.is_set() and self._page(session, opened, opened.exhibit.page):
            pass

    def _day(self) -> None:
        named = {opened.exhibit.name: opened for opened in self.opened}
        for name, pages, count in DAY:
            for _ in range(pages):
                if self._over.is_set() or not self._page(self.resident.session, named[name], count):
                    break

    def _page(self, session: Session, opened: Opened, count: int) -> bool:
        """Take a page, take the time that people take, and answer it. False where there is nothing more to do."""
        try:
            page = session.claim(opened.batch_id, count)
        except Problem as refusal:
            if refusal.code in OVER:
                return False
            raise
        answers = []
        for shown in page:
            draws = Random(f"{self.seed} {shown['id']}")
            if self._over.wait(draws.uniform(*opened.exhibit.seconds)):
                for one in page:
                    session.give_back(one["id"], one["token"])
                return False
            values = opened.exhibit.given(opened.answers[canonical(shown["data"])], draws)
            answers.append({"assignment": shown["id"], "token": shown["token"], "values": values})
        session.submit(answers)
        with self._lock:
            opened.stored += len(answers)
            if len(self.opened) == len(EXHIBITS) and min(one.stored for one in self.opened) >= WANTED:
                self._enough.set()
        return True

    def _decides(self) -> None:
        while not self._over.wait(DECIDE_EVERY_S):
            self._decide()

    def _decide(self) -> None:
        for opened in self.opened:
            waiting = [row for row in self.owner.answers(opened.batch_id, "submitted") if row["id"] not in opened.seen]
            accepted = []
            for row in sorted(waiting, key=lambda row: (row["submitted_at"], row["id"])):
                opened.seen.add(row["id"])
                fate: tuple[str, str] | None = ("", "")
                if row["worker"] == self._pseudonym:
                    fate = FATES.get((opened.exhibit.name, opened.decided), fate)
                    opened.decided += 1
                if fate == SENT_BACK:
                    self.owner.send_back(opened.batch_id, [row["id"]], *fate)
                elif fate == REJECTED:
                    self.owner.reject(opened.batch_id, [row["id"]], *fate)
                elif fate is not None:
                    accepted.append(row["id"])
            if accepted:
                self.owner.accept(opened.batch_id, accepted)
