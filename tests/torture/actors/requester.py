"""A requester: makes projects and batches, decides about answers, pauses, closes, cancels."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.torture.actors.base import Actor, Written, digest
from tests.torture.stage import CURRENCY, INTERFACE, LEASE_CAP, PRICE_MICROS

REJECTIONS = ("wrong", "incomplete", "spam", "off_instructions")
STEPS_REFUSED = ("wrong-batch-state",)
SIDE_TASKS = 12
ORDERS = ("spread", "sequential", "depth_first", "priority", "uncertainty")
FULL_BELOW = 0.1  # with fewer open places than this share, the next batch is published


class Requester(Actor):
    """Keeps a main batch open, and lives through the short lives of side batches."""

    kind: ClassVar[str] = "requester"
    habits: ClassVar[dict[str, int]] = {
        "decide": 52,
        "bonus": 6,
        "pause": 6,
        "side": 12,
        "end_side": 12,
        "more": 10,
        "release": 4,
        "widen": 4,
        "pilot": 5,
    }

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        before = self.stage.memory.setdefault(
            self.person.name, {"project": "", "main": [], "pseudonyms": [], "made": 0}
        )
        self.project: str = before["project"]
        self.main: list[str] = list(before["main"])
        self.pseudonyms: list[str] = before["pseudonyms"]
        self.sides: list[str] = []
        self.made: int = before["made"]
        self.bonuses = 0

    def prepare(self) -> None:
        """A published project and the first main batch."""
        ask = {"requester": self.person.id, "name": self.name, "interface": INTERFACE, "instructions": "Say which."}
        self.project = str(self.write("/projects", ask).reply.body["id"])
        self.write(f"/projects/{self.project}/versions/1/publish", {})
        self.publish_main(self.stage.tasks // max(1, len(self.stage.requesters)))
        self.stage.memory[self.person.name].update(project=self.project, main=self.main, made=self.made)

    def step(self) -> float:
        habit = self.chance.choices(list(self.habits), list(self.habits.values()))[0]
        getattr(self, habit)()
        return self.chance.uniform(0.3, 1.2)

    # Batches

    def publish_main(self, tasks: int) -> None:
        """A batch with some gold and some reserved tasks."""
        rows: list[dict[str, Any]] = []
        for number in range(tasks):
            row: dict[str, Any] = {"external_id": f"t{number}", "data": {"text": f"{self.name} {self.made} {number}"}}
            if number % 20 == 7:
                row["gold"] = {"label": "cat"}
            elif number % 50 == 3 and self.pseudonyms:
                row["reserved_for"] = [self.chance.choice(self.pseudonyms)]
            rows.append(row)
        order = self.chance.choice(ORDERS) if self.main else "spread"
        batch = self.make(f"main {self.made}", rows, overlap=self.stage.overlap, order=order)
        if batch:
            self.main.append(batch)

    def make(self, name: str, rows: list[dict[str, Any]], **terms: Any) -> str | None:
        """Create, fill and publish a batch; None when a step was refused."""
        batch = self.draft(name, rows, **terms)
        if batch and self.take_step(batch, "publish", "published", "not-enough-funds"):
            return batch
        return None

    def draft(self, name: str, rows: list[dict[str, Any]], **terms: Any) -> str | None:
        """Create and fill a batch; None when it was refused."""
        self.made += 1
        ask = {
            "name": name,
            "price_micros": PRICE_MICROS,
            "currency": CURRENCY,
            "overlap": 2,
            "time_limit_s": self.stage.time_limit_s,
            "auto_accept_s": self.stage.auto_accept_s,
            "lease_cap": LEASE_CAP,
            "max_attempts": self.stage.max_attempts,
            **terms,
        }
        made = self.write(f"/projects/{self.project}/batches", ask)
        if not self.expect(made):
            return None
        batch = str(made.reply.body["id"])
        self.journal.note("batch", batch=batch, state="draft")
        content = "\n".join(json.dumps(row) for row in rows).encode()
        filled = self.write(f"/batches/{batch}/imports", content, kind="application/x-ndjson")
        if self.expect(filled):
            self.journal.note("import", batch=batch, sha256=digest(content), tasks=len(rows))
        return batch

    def take_step(self, batch: str, step: str, state: str, *refusals: str) -> bool:
        """One step of a batch's life, sometimes repeated."""
        done = self.write(f"/batches/{batch}/{step}", {})
        if not self.expect(done, *STEPS_REFUSED, *refusals):
            return False
        self.journal.note("batch", batch=batch, state=state)
        if self.chance.random() < 0.2:
            self.repeat(done)
        return True

    def more(self) -> None:
        """Publish another main batch when the last is nearly full."""
        progress = self.read(f"/batches/{self.main[-1]}/progress") if self.main else {}
        taken = sum(progress.get(name, 0) for name in ("leased", "submitted", "accepted"))
        if progress.get("state") != "published" or progress["places"] - taken < FULL_BELOW * progress["places"]:
            if progress.get("state") == "paused":
                self.take_step(self.main[-1], "resume", "published")
                return
            self.publish_main(max(20, self.stage.tasks // 8))

    def pause(self) -> None:
        """Pause a batch for a moment."""
        if not self.main:
            return
        batch = self.chance.choice(self.main[-2:])
        if self.take_step(batch, "pause", "paused"):
            self.rest(self.chance.uniform(0.2, 1.0))
            self.take_step(batch, "resume", "published")

    def side(self) -> None:
        """A small batch of its own."""
        if len(self.sides) < 3:
            limits = {"worker_limit": 6, "daily_limit": 7, "pair_limit": 4}
            terms = {name: limit for name, limit in limits.items() if self.chance.random() < 0.4}
            if self.chance.random() < 0.5:
                terms |= {"target_hourly_micros": 10**9, "topup_basis_points": self.chance.choice([1, 777, 20_000])}
            batch = self.make(f"side {self.made}", self.few(), order=self.chance.choice(ORDERS), **terms)
            if batch:
                self.sides.append(batch)

    def few(self) -> list[dict[str, Any]]:
        """The tasks of a small batch."""
        texts = [f"{self.name} side {self.made} {number}" for number in range(SIDE_TASKS)]
        return [{"external_id": f"s{number}", "data": {"text": text}} for number, text in enumerate(texts)]

    def pilot(self) -> None:
        """Some items of a draft first, then the rest, or nothing more: each item is in one of the two, and stays."""
        if len(self.sides) >= 3:
            return
        draft = self.draft(f"side {self.made}", self.few(), order=self.chance.choice(ORDERS))
        if not draft:
            return
        items = self.chance.randrange(1, SIDE_TASKS)
        done = self.write(f"/batches/{draft}/pilot", {"items": items})
        if not self.expect(done, "not-enough-funds"):
            return
        pilot = str(done.reply.body["id"])
        self.journal.note("batch", batch=pilot, state="published")
        self.journal.note("pilot", pilot=pilot, draft=draft, items=items)
        self.sides.append(pilot)
        if self.chance.random() < 0.3:
            self.repeat(done)
        left = self.read(f"/batches/{draft}/estimate")["tasks"]
        if left != SIDE_TASKS - items:
            self.wrong("invariant_violations", "a pilot left other items than it should", f"{draft}: {left}, {items}")
        if self.chance.random() < 0.5:
            self.take_step(draft, "cancel", "cancelled")
        elif self.take_step(draft, "publish", "published", "not-enough-funds"):
            self.sides.append(draft)

    def end_side(self) -> None:
        """Close or cancel a small batch, whatever goes on in it."""
        if self.sides:
            batch = self.sides.pop(self.chance.randrange(len(self.sides)))
            step, state = self.chance.choice([("close", "closing"), ("cancel", "cancelled")])
            self.take_step(batch, step, state)

    def release(self) -> None:
        """Put some tasks of a batch that nobody could do back to work."""
        if not self.main:
            return
        batch = self.chance.choice(self.main[-2:])
        shown = self.read(f"/batches/{batch}/quarantine?limit=20")["results"]
        if shown:
            done = self.write(f"/batches/{batch}/quarantine/release", {"tasks": [row["task"] for row in shown[:5]]})
            if self.expect(done, *STEPS_REFUSED, "not-enough-funds"):
                self.repeat(done)

    def widen(self) -> None:
        """Have more workers answer some tasks of a batch that runs; a repeat adds nothing."""
        batch = self.chance.choice([*self.main[-2:], *self.sides] or [""])
        shown = self.read(f"/batches/{batch}/answers?limit=20")["results"] if batch else []
        tasks = sorted({row["task"] for row in shown})
        if tasks:
            ask = {"tasks": self.chance.sample(tasks, min(3, len(tasks))), "by": self.chance.choice([1, 1, 2])}
            done = self.write(f"/batches/{batch}/more-places", ask)
            if self.expect(done, *STEPS_REFUSED, "not-enough-funds") and self.chance.random() < 0.3:
                self.repeat(done)

    # Answers

    def decide(self) -> None:
        """Accept most of some answers and reject the rest, each by name."""
        batch = self.chance.choice([*self.main[-2:], *self.sides, *self.main[-1:]] or [""])
        if not batch:
            return
        shown = self.read(f"/batches/{batch}/answers?state=submitted&limit=100")["results"]
        ids = [row["id"] for row in shown]
        self.chance.shuffle(ids)
        ids = ids[: self.chance.randint(1, 30)]
        cut = round(len(ids) * 0.85)
        if ids[:cut]:
            done = self.write(f"/batches/{batch}/answers/accept", {"answers": ids[:cut]})
            self._decided(done, "accept", ids[:cut], {})
        if ids[cut:]:
            fact = {"reason": self.chance.choice(REJECTIONS), "comment": f"{self.name} {self.chance.random()}"}
            done = self.write(f"/batches/{batch}/answers/reject", {"answers": ids[cut:], **fact})
            # Beyond a tenth of the answers, or against what others say, some of them wait for a review.
            if not done.reply.good or done.reply.body["waiting"] == 0:
                self._decided(done, "reject", ids[cut:], {"batch": batch, **fact})

    def bonus(self) -> None:
        """Pay somebody who has answered something more; sometimes again, or with another amount."""
        batch = self.chance.choice([*self.main[-2:], *self.sides] or [""])
        shown = self.read(f"/batches/{batch}/answers?limit=20")["results"] if batch else []
        if not shown:
            return
        self.bonuses += 1
        ask = {
            "worker": self.chance.choice(shown)["worker"],
            "amount_micros": self.chance.randint(1, 50_000),
            "reason": "good work",
            "reference": f"{self.name} {self.bonuses}",
        }
        done = self.write(f"/batches/{batch}/bonuses", ask)
        if not self.expect(done, "not-enough-funds"):
            return
        self.journal.note("bonus", batch=batch, reference=ask["reference"], amount=ask["amount_micros"])
        draw = self.chance.random()
        if draw < 0.3:
            self.repeat(done)
        elif draw < 0.6:
            self.expect(self.write(f"/batches/{batch}/bonuses", ask))
        elif draw < 0.8:
            other = self.write(f"/batches/{batch}/bonuses", {**ask, "amount_micros": ask["amount_micros"] + 1})
            if other.reply.good:
                self.wrong("duplicated", "one reference was paid with two amounts", str(ask))

    def _decided(self, done: Written, what: str, ids: list[str], fact: dict[str, str]) -> None:
        if self.expect(done, "answer-not-submitted"):
            self.journal.note(what, answers=ids, **fact)
            if self.chance.random() < 0.15:
                self.repeat(done)
