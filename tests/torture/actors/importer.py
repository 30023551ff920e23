"""A requester who brings large files: imports that go on after their answer, some of them wrong, some cancelled."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.torture.actors.base import Actor, digest
from tests.torture.findings import DUPLICATED, INVARIANT, LOST
from tests.torture.stage import CURRENCY, PRICE_MICROS

KIND = "application/x-ndjson"
TASKS = 160
FILLER = "x" * 60_000  # so that the file is above 8 MiB, from which on an import is an operation in steps
POLL_S = 0.15


class Importer(Actor):
    """Shows by asking that a batch has all of a file or nothing of it, at every moment, whatever dies meanwhile."""

    kind: ClassVar[str] = "importer"
    habits: ClassVar[dict[str, int]] = {"bring": 5, "bring_wrong": 3, "change_mind": 4}

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.project: str = self.stage.memory[self.person.name]["project"]
        self.made = 0

    def step(self) -> float:
        habit = self.chance.choices(list(self.habits), list(self.habits.values()))[0]
        getattr(self, habit)(self.draft())
        return self.chance.uniform(1.0, 4.0)

    def draft(self) -> str:
        """A new batch without tasks."""
        self.made += 1
        ask = {"name": f"{self.name} {self.made}", "price_micros": PRICE_MICROS, "currency": CURRENCY, "overlap": 1}
        made = self.write(f"/projects/{self.project}/batches", {**ask, "time_limit_s": self.stage.time_limit_s})
        batch = str(made.reply.body["id"])
        self.journal.note("batch", batch=batch, state="draft")
        return batch

    def bring(self, batch: str) -> None:
        """Import to the end."""
        content = self.content()
        done = self.followed(batch, self.sent(batch, content))
        if done is None:
            return
        if (done["state"], done["tasks"]) != ("done", TASKS):
            self.wrong(LOST, "an import did not come in whole", f"{batch}: {done}")
            return
        self.journal.note("import", batch=batch, sha256=digest(content), tasks=TASKS)
        if self.visible(batch) != TASKS:
            self.wrong(LOST, "an import that is done is not shown", f"{batch}: {self.visible(batch)}")
        ended = self.write(f"/batches/{batch}/cancel", {})
        if self.expect(ended):
            self.journal.note("batch", batch=batch, state="cancelled")

    def bring_wrong(self, batch: str) -> None:
        """Import a file whose last row is wrong: nothing of it may stay."""
        content = self.content() + b'\n{"external_id": "n"}'
        done = self.followed(batch, self.sent(batch, content))
        if done is not None and (done["state"], done["tasks"], self.visible(batch)) != ("failed", 0, 0):
            self.wrong(INVARIANT, "a wrong import left something", f"{batch}: {done}")

    def change_mind(self, batch: str) -> None:
        """Cancel an import at any moment, and send another when nothing is left of it."""
        sent = self.sent(batch, self.content())
        if sent is None:
            return
        self.rest(self.chance.uniform(0.0, 1.5))
        stopped = self.write(f"/batches/{batch}/imports/{sent['id']}/cancel", {})
        if not self.expect(stopped, "import-ended"):
            return  # it was done before
        done = self.followed(batch, stopped.reply.body)
        if done is None:
            return
        if (done["state"], done["tasks"], self.visible(batch)) != ("cancelled", 0, 0):
            self.wrong(INVARIANT, "a cancelled import left something", f"{batch}: {done}")
        self.bring(batch)

    def content(self) -> bytes:
        """A file of its own each time."""
        rows: list[dict[str, Any]] = []
        for number in range(TASKS):
            text = f"{self.name} {self.made} {self.chance.getrandbits(32):x} {FILLER}"
            rows.append({"external_id": f"t{number}", "data": {"text": text}})
            if number % 20 == 7:
                rows[-1]["gold"] = {"label": "cat"}
        return "\n".join(json.dumps(row) for row in rows).encode()

    def sent(self, batch: str, content: bytes) -> dict[str, Any] | None:
        """A file as it was taken in."""
        path = f"/batches/{batch}/imports"
        sent = self.write(path, content, kind=KIND)
        if sent.reply.code == "import-ended":
            # A try of the same request that was given up for lost took over; it comes to the same.
            sent = self.write_again("POST", path, content, sent.key, KIND)
        if not self.expect(sent):
            return None
        if self.chance.random() < 0.2:
            again = self.write_again("POST", path, content, sent.key, KIND)
            if again.reply != sent.reply:
                self.wrong(DUPLICATED, "a repeat of an import got another answer", f"{again.reply} != {sent.reply}")
        if self.chance.random() < 0.3:
            beside = self.write(path, b"{}", kind=KIND)
            now = self.read(f"{path}/{sent.reply.body['id']}")
            if beside.reply.code != "import-running" and now["finished_at"] is None:
                self.wrong(INVARIANT, "an import was begun beside another", f"{batch}: {beside.reply}")
        return dict(sent.reply.body)

    def followed(self, batch: str, it: dict[str, Any] | None) -> dict[str, Any] | None:
        """An import when it is finished; until then nothing of it may be seen, and it goes forward."""
        while it is not None and it["finished_at"] is None:
            self.rest(POLL_S)
            seen = self.visible(batch)
            it = dict(self.read(f"/batches/{batch}/imports/{it['id']}"))
            if seen and it["finished_at"] is None:
                self.wrong(INVARIANT, "a part of an import was shown", f"{batch}: {seen} tasks, {it}")
        return it

    def visible(self, batch: str) -> int:
        """How many tasks the batch says it has."""
        return int(self.read(f"/batches/{batch}/estimate")["tasks"])
