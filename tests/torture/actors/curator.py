"""A requester who settles labels, aggregates what there is, makes versions of data sets of it, downloads them in
pieces, and gives others links to them."""

from __future__ import annotations

import time
from hashlib import sha256
from itertools import pairwise
from typing import Any, ClassVar

from tests.torture.actors.base import JSON, Actor
from tests.torture.archives import opened
from tests.torture.caller import Reply, Unanswered
from tests.torture.findings import DUPLICATED, INVARIANT, LOST, STUCK

METHODS = (None, "majority", "dawid_skene")
SPLITS = (None, {"train": 0.8, "val": 0.1, "test": 0.1}, {"train": 0.5, "test": 0.5})
# (format, whether the single answers have a place in it)
FORMATS = (("jsonl", True), ("jsonl", False), ("csv", False), ("mturk_csv", True))
POLL_S = 0.2
PATIENCE_S = 2.0
PIECES = 5
LINK_LIFE_S = 3_600
# An address that leads nowhere may be tried 60 times in an hour, by all who come from here.
DEAD_LINKS_MAX = 20
CLOSED_S = 30.0
GROUNDS = ("instructions", "plain", "best", "other")
NOTHING_YET = ("no-answers", "not-found")
FULL = "data-sets-unfinished"


class Curator(Actor):
    """Whatever dies meanwhile, a version that he was told of becomes an archive or says why not, and its bytes stay."""

    kind: ClassVar[str] = "curator"
    habits: ClassVar[dict[str, int]] = {
        "aggregate": 4,
        "settle": 4,
        "publish": 5,
        "publish_twice": 2,
        "fetch_old": 3,
        "share": 3,
    }

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.runs: list[tuple[str, str]] = []  # batch, run
        self.made: list[tuple[str, int]] = []  # batch, number
        self.known: dict[tuple[str, int], str] = {}  # SHA-256 of what was downloaded
        self.settled = 0
        self.shared = 0
        self.dead_links = 0

    def step(self) -> float:
        habit = self.chance.choices(list(self.habits), list(self.habits.values()))[0] if self.runs else "aggregate"
        # In a short run there are few archives, and the first of them may be late.
        getattr(self, "share" if self.known and not self.shared else habit)()
        return self.chance.uniform(0.2, 0.8)

    def aggregate(self) -> None:
        """Make results of the answers that are accepted by now."""
        batch, method = self.some_batch(), self.chance.choice(METHODS)
        if not batch:
            return
        made = self.write(f"/batches/{batch}/results", {"method": method} if method else {})
        if not self.expect(made, *NOTHING_YET):
            return
        run = str(made.reply.body["id"])
        self.journal.note("run", batch=batch, run=run)
        self.runs = [*self.runs[-7:], (batch, run)]
        if self.chance.random() < 0.3:
            self.repeat(made)

    def some_batch(self) -> str:
        """One that the crowd works on; nothing where there is none."""
        shown = self.read("/batches?limit=100")["results"]
        return str(self.chance.choice([row["id"] for row in shown if row["name"].startswith(("main", "side"))] or [""]))

    def settle(self) -> None:
        """Say what the label of a task is, by an answer or by oneself; sometimes again under the same key."""
        batch = self.some_batch()
        shown = self.read(f"/batches/{batch}/answers?limit=50")["results"] if batch else []
        if not shown:
            return
        self.settled += 1
        row = self.chance.choice(shown)
        said: dict[str, Any] = {"reason": self.chance.choice(GROUNDS), "words": f"{self.name} {self.settled}"}
        chosen = {"answer": row["id"]} if self.chance.random() < 0.5 else {"values": {"label": "dog"}}
        made = self.write(f"/batches/{batch}/adjudications", {"task": row["task"], **said, **chosen})
        if not self.expect(made, "answer-not-choosable"):
            return
        told = made.reply.body
        fact = {name: told[name] for name in ("id", "task", "values", "answer")}
        self.journal.note("adjudication", batch=batch, **said, **fact)
        if told["answer"] != chosen.get("answer") or told["values"] != chosen.get("values", told["values"]):
            self.wrong(INVARIANT, "a label was settled otherwise", f"{chosen} {told}")
        if self.chance.random() < 0.3:
            self.repeat(made)

    def share(self) -> None:
        """Make a link to what was downloaded before, and come by it as a stranger; an ended one opens nothing."""
        if not self.known:
            return
        batch, number = self.chance.choice(list(self.known))
        at = f"/batches/{batch}/datasets/{number}/links"
        made = self.write(at, {"expires_in_s": LINK_LIFE_S})
        if not self.expect(made):
            return
        self.shared += 1
        fact = {"link": made.reply.body["id"], "batch": batch, "number": number}
        self.journal.note("link", **fact, used=False, ended=False)
        if self.chance.random() < 0.3:
            self.repeat(made)
        address = made.reply.body["address"].partition("/api/v1")[2]
        reply = self.knock(address)
        if reply is not None:
            if sha256(reply.content).hexdigest() != self.known[batch, number]:
                self.wrong(INVARIANT, "a link leads to something else", f"{fact}: {reply.status}")
            self.journal.note("link", **fact, used=True, ended=False)
        if self.chance.random() < 0.5:
            return
        done = self.write(f"{at}/{fact['link']}/end", {})
        if not self.expect(done):
            return
        self.journal.note("link", **fact, used=False, ended=True)
        self.dead_links += 1
        closed = self.knock(address) if self.dead_links <= DEAD_LINKS_MAX else None
        if closed is not None and closed.status != 404:
            self.wrong(INVARIANT, "an ended link leads somewhere", f"{fact}: {closed.status}")

    def knock(self, address: str) -> Reply | None:
        """What somebody without a key is given at an address. For as long as nobody can count who guesses, it may be
        closed to everybody: so it is asked again, and None is the end of the run, or of all patience."""
        begun = time.monotonic()
        while self.control.running:
            asked = time.time()
            try:
                reply = self._caller.ask("GET", address, None, key=None, kind=JSON)
            except Unanswered:
                pass
            else:
                if reply.status < 500:
                    return reply
                if reply.status != 503:
                    self.journal.note("5xx", status=reply.status, path=address, code=reply.code, asked=asked)
            if time.monotonic() - begun > CLOSED_S:
                self.wrong(STUCK, "a link stays closed", address[:30])
                return None
            self.rest(POLL_S)
        return None

    def publish(self) -> None:
        """One version, to its archive."""
        batch, ask = self.draft()
        self.fetched(batch, self.asked(batch, ask))

    def publish_twice(self) -> None:
        """The same version again, both on their way at once: two numbers, and the same files."""
        batch, ask = self.draft()
        ask["answers"] = ask["format"] == "jsonl" and ask["answers"] and self.chance.random() < 0.3
        first, second = self.asked(batch, ask), self.asked(batch, ask)
        self.fetched(batch, first)
        self.fetched(batch, second)

    def fetch_old(self) -> None:
        """Fetch what was asked for at any time before; what was downloaded already must be the same bytes."""
        if self.made:
            batch, number = self.chance.choice(self.made)
            self.fetched(batch, dict(self.read(f"/batches/{batch}/datasets/{number}")))

    def draft(self) -> tuple[str, dict[str, Any]]:
        """What to ask for, drawn."""
        batch, run = self.chance.choice(self.runs)
        form, has_answers = self.chance.choice(FORMATS)
        splits = self.chance.choice(SPLITS)
        ask: dict[str, Any] = {"format": form, "run": run, "answers": has_answers, "gold": self.chance.random() < 0.5}
        if splits:
            ask |= {"splits": splits, "seed": self.chance.choice("ab")}
        return batch, ask

    def asked(self, batch: str, ask: dict[str, Any]) -> dict[str, Any] | None:
        """A version as it was promised; None where too many are unfinished."""
        made = self.write(f"/batches/{batch}/datasets", ask)
        if not self.expect(made, FULL):
            return None
        told = dict(made.reply.body)
        terms = {name: told[name] for name in ("number", "format", "options", "plan", "run")}
        self.journal.note("dataset", batch=batch, **terms)
        self.made.append((batch, told["number"]))
        if told["run"] != ask["run"]:
            self.wrong(INVARIANT, "a data set is made of other results", f"{batch} {ask} {told}")
        if self.chance.random() < 0.3:
            self.repeat(made)
        return told

    def fetched(self, batch: str, it: dict[str, Any] | None) -> None:
        """Follow a version to its end, and download it in pieces."""
        it = self.followed(batch, it)
        if it is None or it["finished_at"] is None:
            return
        if it["state"] == "failed":
            if not it["error"].strip():
                self.wrong(INVARIANT, "a data set failed without words", f"{batch}: {it}")
            return
        name = f"{batch} {it['number']}"
        content = self.download(f"/batches/{batch}/datasets/{it['number']}/archive", it["bytes"])
        digest = sha256(content).hexdigest()
        if digest != it["archive_sha256"]:
            self.wrong(LOST, "an archive is not what was promised", f"{name}: {digest}, {it}")
        if self.known.setdefault((batch, it["number"]), digest) != digest:
            self.wrong(INVARIANT, "an archive changed", f"{name}: {digest}")
        read = opened(content)
        if read.problems or read.content_sha256 != it["content_sha256"]:
            self.wrong(INVARIANT, "an archive does not agree with itself", f"{name}: {read.problems} {it}")
        self.journal.note("archive", batch=batch, number=it["number"], sha256=digest, content=read.content_sha256)

    def followed(self, batch: str, it: dict[str, Any] | None) -> dict[str, Any] | None:
        """A version when it is finished, or when the run ends. It never goes back."""
        begun = time.monotonic()
        while it is not None and it["finished_at"] is None and self.control.running:
            self.rest(POLL_S)
            now = dict(self.read(f"/batches/{batch}/datasets/{it['number']}"))
            if now["items"] < it["items"] or now["items_written"] < it["items_written"]:
                self.wrong(DUPLICATED, "a data set went back", f"{batch}: {it} {now}")
            it = now
            if time.monotonic() - begun > PATIENCE_S:
                break  # it is fetched later, and looked at by the checker in any case
        return it

    def download(self, path: str, size: int) -> bytes:
        """The whole archive by ranges; a piece whose answer broke off is asked for again."""
        cuts = sorted({0, size, *(self.chance.randrange(1, size) for _ in range(self.chance.randrange(PIECES)))})
        content = b""
        for first, end in pairwise(cuts):
            reply = self.read_range(path, first, end - 1)
            if (reply.status, len(reply.content)) != (206, end - first):
                self.wrong(INVARIANT, "a range is not what was asked for", f"{path} {first}-{end}: {reply.status}")
            content += reply.content
        beyond = self.read_range(path, size, size + 1)
        if beyond.status != 416:
            self.wrong(INVARIANT, "there is something behind the end", f"{path}: {beyond.status}")
        return content
