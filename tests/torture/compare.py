"""Journals against the database: what was acknowledged must be stored, exactly and once. Pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.torture.findings import DUPLICATED, LOST, Finding
from tests.torture.journal import Fact

# What an acknowledged state of a batch may have become since.
AFTER = {
    "draft": {"draft", "published", "paused", "closing", "settled", "cancelled"},
    "published": {"published", "paused", "closing", "settled", "cancelled"},
    "paused": {"published", "paused", "closing", "settled", "cancelled"},
    "closing": {"closing", "settled"},
    "cancelled": {"cancelled"},
}
_SENT = {"sent", "in_doubt", "settled", "failed", "returned"}
PAYOUT_AFTER = {
    "requested": {"requested", "approved", "refused", "cancelled", *_SENT},
    "approved": {"approved", "refused", "cancelled", *_SENT},
    "refused": {"refused"},
    "cancelled": {"cancelled"},
}
UNANSWERED = ("leased", "returned", "expired")


@dataclass(frozen=True)
class Held:
    """An assignment as it is stored."""

    state: str
    reason: str
    comment: str
    worker: str
    lease_until: datetime


@dataclass(frozen=True)
class Version:
    """A version of a data set as it is stored."""

    format: str
    options: Any
    plan: Any
    run: str
    state: str
    error: str
    archive_sha256: str | None
    content_sha256: str | None


@dataclass(frozen=True)
class Settled:
    """A label that somebody settled, as it is stored."""

    batch: str
    task: str
    values: Any
    answer: str | None
    reason: str
    words: str


@dataclass
class Stored:
    """What the database holds, read after the journals."""

    answers: dict[tuple[str, int], tuple[Any, bool]] = field(default_factory=dict)  # (assignment, revision)
    assignments: dict[str, Held] = field(default_factory=dict)
    drafts: dict[str, Any] = field(default_factory=dict)
    deposits: dict[str, tuple[int, str, str]] = field(default_factory=dict)  # amount, currency, destination
    batches: dict[str, tuple[str, bool]] = field(default_factory=dict)  # state, published
    imports: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  # tasks, how often
    payouts: dict[str, tuple[str, int]] = field(default_factory=dict)  # state, amount
    bonuses: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  # amount, transfers
    sanctions: dict[str, tuple[str, str, bool]] = field(default_factory=dict)  # worker, measure, lifted
    runs: dict[str, str] = field(default_factory=dict)  # batch
    datasets: dict[tuple[str, int], Version] = field(default_factory=dict)  # (batch, number)
    adjudications: dict[str, Settled] = field(default_factory=dict)
    pilots: dict[str, tuple[str, int]] = field(default_factory=dict)  # its draft, tasks
    links: dict[str, tuple[str, int, bool, bool]] = field(default_factory=dict)  # batch, number, ended, used
    given: dict[tuple[str, str, str, str], int] = field(default_factory=dict)  # (act, of, user, role): how often
    payments_twice: dict[str, int] = field(default_factory=dict)


def compare(facts: Iterable[Fact], stored: Stored) -> list[Finding]:
    """Everything that was acknowledged and is not there, or not so, or there twice."""
    found: list[Finding] = []
    for fact in facts:
        check = CHECKS.get(fact["did"])
        if check is not None:
            found += check(fact, stored)
    return found + list(_doubled(stored))


def tasks_given_twice(facts: Iterable[Fact]) -> Iterator[Finding]:
    """A worker who was given one task under two assignments: by what the workers themselves saw."""
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for fact in facts:
        if fact["did"] == "lease":
            seen[fact["worker"], fact["task"]].add(fact["assignment"])
    for (worker, task), assignments in seen.items():
        if len(assignments) > 1:
            yield Finding(DUPLICATED, "journal", f"task given twice: {task}", f"worker {worker}: {sorted(assignments)}")


def _lost(what: str, fact: Fact, instead: object) -> Finding:
    return Finding(LOST, "journal", what, f"acknowledged to {fact['who']}: {fact}; stored: {instead}")


def _answer(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.answers.get((fact["assignment"], fact["revision"]))
    if there != (fact["values"], fact["unclear"]):
        yield _lost(f"answer {fact['assignment']} {fact['revision']}", fact, there)


def _lease(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.assignments.get(fact["assignment"])
    if there is None or there.worker != fact["worker"]:
        yield _lost(f"lease {fact['assignment']}", fact, there)


def _return(fact: Fact, stored: Stored) -> Iterator[Finding]:
    # A second tab may have returned it before, with another reason; a repeat changes nothing, so the first one counts.
    there = stored.assignments.get(fact["assignment"])
    if there is None or there.state != "returned" or not there.reason:
        yield _lost(f"return {fact['assignment']}", fact, there)


def _beat(fact: Fact, stored: Stored) -> Iterator[Finding]:
    # Whatever happens after it, an end that was promised is never taken back: a new lease ends later still.
    there = stored.assignments.get(fact["assignment"])
    if there is None or there.lease_until < datetime.fromisoformat(fact["lease_until"]):
        yield _lost(f"extension of {fact['assignment']}", fact, there)


def _draft(fact: Fact, stored: Stored) -> Iterator[Finding]:
    # Later drafts take its place, and so does an answer.
    there = stored.assignments.get(fact["assignment"])
    if fact["assignment"] not in stored.drafts and (there is None or there.state in UNANSWERED):
        yield _lost(f"draft of {fact['assignment']}", fact, there)


def _accept(fact: Fact, stored: Stored) -> Iterator[Finding]:
    for answer in fact["answers"]:
        there = stored.assignments.get(answer)
        if there is None or there.state != "accepted":
            yield _lost(f"acceptance {answer}", fact, there)


def _reject(fact: Fact, stored: Stored) -> Iterator[Finding]:
    for answer in fact["answers"]:
        there = stored.assignments.get(answer)
        wanted = (fact["reason"], fact["comment"])
        if there is None or there.state not in ("rejected", "upheld") or (there.reason, there.comment) != wanted:
            yield _lost(f"rejection {answer}", fact, there)


def _uphold(fact: Fact, stored: Stored) -> Iterator[Finding]:
    for answer in fact["answers"]:
        there = stored.assignments.get(answer)
        if there is None or there.state != "upheld":
            yield _lost(f"rejection undone {answer}", fact, there)


def _payout(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.payouts.get(fact["payout"])
    if there is None or there[0] not in PAYOUT_AFTER[fact["state"]] or fact.get("amount", there[1]) != there[1]:
        yield _lost(f"payout {fact['payout']} {fact['state']}", fact, there)


def _bonus(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.bonuses.get((fact["batch"], fact["reference"]))
    if there != (fact["amount"], 1):
        yield _lost(f"bonus {fact['reference']}", fact, there)


def _deposit(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.deposits.get(fact["transfer"])
    if there != (fact["amount"], fact["currency"], fact["destination"]):
        yield _lost(f"deposit {fact['transfer']}", fact, there)


def _batch(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.batches.get(fact["batch"])
    if there is None or there[0] not in AFTER[fact["state"]]:
        yield _lost(f"batch {fact['batch']} {fact['state']}", fact, there)


def _import(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.imports.get((fact["batch"], fact["sha256"]))
    if there is None or there[0] != fact["tasks"]:
        yield _lost(f"import into {fact['batch']}", fact, there)


def _sanction(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.sanctions.get(fact["sanction"])
    if there is None or there[:2] != (fact["worker"], fact["measure"]) or (fact["lifted"] and not there[2]):
        yield _lost(f"sanction {fact['sanction']}", fact, there)


def _run(fact: Fact, stored: Stored) -> Iterator[Finding]:
    if stored.runs.get(fact["run"]) != fact["batch"]:
        yield _lost(f"results {fact['run']}", fact, stored.runs.get(fact["run"]))


def _dataset(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.datasets.get((fact["batch"], fact["number"]))
    wanted = (fact["format"], fact["options"], fact["plan"], fact["run"])
    if there is None or (there.format, there.options, there.plan, there.run) != wanted:
        yield _lost(f"data set {fact['batch']} {fact['number']}", fact, there)


def _archive(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.datasets.get((fact["batch"], fact["number"]))
    if there is None or (there.archive_sha256, there.content_sha256) != (fact["sha256"], fact["content"]):
        yield _lost(f"archive {fact['batch']} {fact['number']}", fact, there)


def _adjudication(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.adjudications.get(fact["id"])
    if there != Settled(*(fact[name] for name in ("batch", "task", "values", "answer", "reason", "words"))):
        yield _lost(f"settled label {fact['id']}", fact, there)


def _pilot(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.pilots.get(fact["pilot"])
    if there != (fact["draft"], fact["items"]):
        yield _lost(f"pilot {fact['pilot']}", fact, there)


def _link(fact: Fact, stored: Stored) -> Iterator[Finding]:
    there = stored.links.get(fact["link"])
    wanted = (fact["batch"], fact["number"])
    if there is None or there[:2] != wanted or (fact["ended"] and not there[2]) or (fact["used"] and not there[3]):
        yield _lost(f"link {fact['link']}", fact, there)


def _role(fact: Fact, stored: Stored) -> Iterator[Finding]:
    # What came after it has rows of its own: the log only grows.
    there = stored.given.get((fact["act"], fact["of"], fact["user"], fact["role"]), 0)
    if there < fact["times"]:
        yield _lost(f"{fact['act']} {fact['user']} {fact['role']}", fact, f"{there} rows in the audit log")


CHECKS = {
    "answer": _answer,
    "lease": _lease,
    "return": _return,
    "beat": _beat,
    "draft": _draft,
    "accept": _accept,
    "reject": _reject,
    "uphold": _uphold,
    "payout": _payout,
    "bonus": _bonus,
    "deposit": _deposit,
    "batch": _batch,
    "import": _import,
    "sanction": _sanction,
    "run": _run,
    "dataset": _dataset,
    "archive": _archive,
    "adjudication": _adjudication,
    "pilot": _pilot,
    "link": _link,
    "role": _role,
}


def _doubled(stored: Stored) -> Iterator[Finding]:
    # No actor gives answers back for repair yet, so a second revision is a second execution.
    for assignment, revision in stored.answers:
        if revision > 1:
            yield Finding(DUPLICATED, "journal", f"answer {assignment} {revision}", "stored twice")
    for (batch, sha256), (_, times) in stored.imports.items():
        if times > 1:
            yield Finding(DUPLICATED, "journal", f"import {batch} {sha256}", f"stored {times} times")
    # Whoever settles labels never says the same words twice.
    for words, times in Counter(settled.words for settled in stored.adjudications.values()).items():
        if times > 1:
            yield Finding(DUPLICATED, "journal", f"settled label {words}", f"stored {times} times")
    for key, times in stored.payments_twice.items():
        yield Finding(DUPLICATED, "journal", f"transfer {key}", f"stored {times} times")
