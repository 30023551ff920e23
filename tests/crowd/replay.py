"""Play a recorded crowd through a running Touchstone, over HTTP and nothing else, and prove what came of it.

    TOUCHSTONE_STAFF_KEY=… python -m tests.crowd.replay --base-url http://127.0.0.1:8000 DIR [--limit N] [--json]

DIR holds tasks.jsonl, answers.csv and truth.csv. Exit 0: every answer arrived once, all is paid, the ledger sums to
zero; 1: it did not, or the server refused; 2: the recording or the command line is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.crowd.client import BadAddress, Json, Problem, Session, Unreachable
from tests.crowd.crew import Member, PageWorker, open_requester, sign_in_workers, work
from tests.crowd.progress import Progress
from tests.crowd.proof import accuracy, duplicate_answers, euros, labels_of, overlap_exceeded, value_of
from tests.crowd.recording import (
    AnswerSheet,
    BadRecording,
    NotInRecording,
    Recording,
    canonical,
    data_fields,
    read_recording,
)
from tests.crowd.settle import AcceptingAlongside, TooSlow, settle

PRICE_MICROS = 20_000
CURRENCY = "EUR"
PAGE = 50
TIME_LIMIT_S = 3600
SETTLE_LIMIT_S = 300.0
FIELD = "label"
METHODS = ("majority", "dawid_skene")

Say = Callable[[str], None]


@dataclass(slots=True)
class Clock:
    """Seconds per phase."""

    started: float = field(default_factory=time.monotonic)
    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = round(time.monotonic() - began, 3)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return round(time.monotonic() - self.started, 3)


def interface_of(recording: Recording) -> Json:
    """What the workers are shown and asked: the data as recorded, and one choice among the labels."""
    labels: list[Json] = [{"value": label, "title": label.replace("_", " ").capitalize()} for label in recording.labels]
    for hotkey, label in zip("123456789", labels, strict=False):
        label["hotkey"] = hotkey
    choice = {"name": FIELD, "type": "choice", "title": "Label", "required": True, "multiple": False, "labels": labels}
    return {"data": data_fields(recording.tasks.values()), "answer": [choice]}


def rows_of(recording: Recording, pseudonyms: dict[str, str]) -> Iterator[Json]:
    """The import: each task reserved for those who answered it, with as many places as there are answers."""
    workers_of = recording.workers_of()
    for external_id, data in recording.tasks.items():
        workers = workers_of[external_id]
        yield {
            "external_id": external_id,
            "data": data,
            "reserved_for": [pseudonyms[worker] for worker in workers],
            "overlap": len(workers),
        }


def arrived(recording: Recording, answers: list[Json], worker_of: dict[str, str]) -> tuple[int, int]:
    """(missing, changed): recorded answers that the export lacks, and exported ones that nobody recorded.

    Tasks with equal data cannot be told apart by a worker, so his answers to them are compared as a heap.
    """
    recorded = Counter((worker, canonical(recording.tasks[task]), label) for task, worker, label in recording.pairs())
    exported = Counter(
        (
            worker_of.get(str(row["worker"]), ""),
            canonical(recording.tasks.get(str(row["external_id"]))),
            value_of(row, FIELD),
        )
        for row in answers
    )
    return max(0, recorded.total() - exported.total()), (exported - recorded).total()


def play_batch(
    requester: Session, batch_id: str, recording: Recording, members: dict[str, Member], threads: int
) -> tuple[int, int]:
    """Every worker claims and submits what he has recorded, while the requester accepts. (stored, leases lost)."""

    def hand(worker: str, bar: Progress) -> PageWorker:
        given = recording.answers[worker]
        sheet = AnswerSheet((recording.tasks[task], label) for task, label in given.items())
        return PageWorker(
            members[worker].session,
            batch_id=batch_id,
            page=PAGE,
            values_for=lambda shown: {FIELD: sheet.label_for(shown["id"], shown["data"])},
            expects_more=lambda: sheet.remaining,
            on_stored=bar.advance,
        )

    with Progress("answers", recording.n_answers) as bar, AcceptingAlongside(requester, batch_id):
        hands = [hand(worker, bar) for worker in recording.answers]
        work(hands, threads)
    return sum(hand.stored for hand in hands), sum(hand.lost for hand in hands)


def replay(base_url: str, staff_key: str, recording: Recording, *, name: str, threads: int, say: Say) -> Json:
    """Play the whole recording and return what was measured. Raises `Problem`, `Unreachable`, `TooSlow`."""
    clock = Clock()
    run = secrets.token_hex(4)
    staff = Session(base_url, staff_key)
    with clock.phase("sign_in"):
        owner = open_requester(staff, name=f"Replay {run}", run=run)
        requester, requester_id = owner.session, owner.requester_id
        names = list(recording.answers)
        with Progress("workers", len(names)) as bar:
            signed_in = sign_in_workers(
                staff, names=names, requester_id=requester_id, run=run, threads=threads, progress=bar
            )
        members = {member.name: member for member in signed_in}
    with clock.phase("project"):
        instructions = (
            f"# {name}\n\nLook at the data and choose the label that fits. This is the replay of a recording."
        )
        project = requester.create_project(requester_id, f"{name} {run}", interface_of(recording), instructions)
        requester.publish_version(project["id"], 1)
        overlap = {task: len(workers) for task, workers in recording.workers_of().items()}
        batch = requester.create_batch(
            project["id"],
            {
                "name": f"Replay of {name}",
                "price_micros": PRICE_MICROS,
                "currency": CURRENCY,
                "overlap": max(overlap.values()),
                "time_limit_s": TIME_LIMIT_S,
                "lease_cap": PAGE,
                "version": 1,
                "aggregation": {"method": "dawid_skene"},
            },
        )
        batch_id = str(batch["id"])
    with clock.phase("import"):
        pseudonyms = {worker: member.pseudonym for worker, member in members.items()}
        imported = requester.import_rows(batch_id, rows_of(recording, pseudonyms))
        say(f"Imported {imported['tasks']} tasks, {imported['reserved']} of them reserved.")
    with clock.phase("publish"):
        cost = requester.estimate(batch_id)
        if cost["missing_micros"]:
            staff.deposit(requester_id, cost["missing_micros"], CURRENCY, f"replay {run}")
        requester.publish_batch(batch_id)
        say(f"Published; {euros(cost['total_micros'])} are held for {cost['places']} places.")
    with clock.phase("work"):
        _, lost = play_batch(requester, batch_id, recording, members, threads)
    with clock.phase("settle"):
        final = settle(requester, batch_id, price_micros=PRICE_MICROS, limit_s=SETTLE_LIMIT_S)
    accuracies: dict[str, float | None] = {}
    with clock.phase("aggregate"):
        runs = {method: str(requester.aggregate(batch_id, method)["id"]) for method in METHODS}
    with clock.phase("export"):
        for method, run_id in runs.items():
            labels = labels_of(requester.export(batch_id, "results", run_id), FIELD)
            accuracies[method] = accuracy(labels, recording.truth)
        answers = list(requester.export(batch_id, "answers"))
    with clock.phase("check"):
        proof = staff.check()
    worker_of = {member.pseudonym: member.name for member in signed_in}
    missing, changed = arrived(recording, answers, worker_of)
    return {
        "tasks": len(recording.tasks),
        "answers": len(answers),
        "workers": len(names),
        "accuracy_majority": accuracies["majority"],
        "accuracy_dawid_skene": accuracies["dawid_skene"],
        "overlap_exceeded": overlap_exceeded(answers, overlap),
        "duplicate_answers": duplicate_answers(answers),
        "missing_answers": missing,
        "changed_answers": changed,
        "leases_lost": lost,
        "ledger_sum_micros": proof["ledger_sum_micros"],
        "invariant_violations": proof["violations"],
        "paid_micros": final["paid_micros"],
        "fees_micros": final["fees_micros"],
        "refunded_micros": final["refunded_micros"],
        "escrow_left_micros": final["escrow_micros"],
        "state": final["state"],
        "seconds": clock.seconds,
        "answers_per_s": round(len(answers) / clock.phases["work"], 1) if clock.phases["work"] else 0.0,
        "phases_s": clock.phases,
        "promises_broken": [promise["name"] for promise in proof["promises"] if promise["violations"]],
    }


ZEROS = (
    "overlap_exceeded",
    "duplicate_answers",
    "missing_answers",
    "changed_answers",
    "ledger_sum_micros",
    "invariant_violations",
    "escrow_left_micros",
)


def faults(measured: Json) -> list[str]:
    """One sentence for each figure that should be zero and is not."""
    return [f"{name} is {measured[name]} and should be 0." for name in ZEROS if measured[name]]


def summary(measured: Json) -> str:
    """What was measured, for people."""
    lines = [f"  {name.replace('_', ' '):<24} {value}" for name, value in measured.items() if name != "phases_s"]
    lines += [f"  {name:<24} {seconds:.1f} s" for name, seconds in measured["phases_s"].items()]
    return "\n".join(lines)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command line. Exits 2 with a sentence if it is wrong."""
    parser = argparse.ArgumentParser(prog="replay", description="Play a recorded crowd through a running Touchstone.")
    parser.add_argument("directory", type=Path, metavar="DIR", help="holds tasks.jsonl, answers.csv and truth.csv")
    parser.add_argument("--base-url", required=True, help="where Touchstone runs")
    parser.add_argument("--limit", type=_positive, metavar="N", help="play the first N tasks only")
    parser.add_argument("--workers", type=_positive, default=8, metavar="N", help="how many act at once (8)")
    parser.add_argument("--json", action="store_true", help="the last line of stdout is one JSON object")
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    asked = arguments(argv)
    staff_key = os.environ.get("TOUCHSTONE_STAFF_KEY", "")
    if not staff_key:
        print("Set TOUCHSTONE_STAFF_KEY to a key of the staff (./run manage staff_key makes one).", file=sys.stderr)
        return 2

    def say(sentence: str) -> None:
        print(sentence, file=sys.stderr, flush=True)

    try:
        recording = read_recording(asked.directory, asked.limit)
        name = asked.directory.resolve().name
        if recording.repeated:
            say(f"{recording.repeated} answers were given twice by the same worker; the last of each counts.")
        if recording.unanswered:
            say(f"{recording.unanswered} tasks have no recorded answer and are left out.")
        say(
            f"Playing {name}: {len(recording.tasks)} tasks, {recording.n_answers} answers,"
            f" {len(recording.answers)} workers, labels {', '.join(recording.labels)}."
        )
        measured = replay(asked.base_url, staff_key, recording, name=name, threads=asked.workers, say=say)
    except (BadRecording, BadAddress) as why:
        say(str(why))
        return 2
    except (Problem, Unreachable, TooSlow, NotInRecording) as why:
        say(f"The replay stopped: {why}")
        return 1
    print(summary(measured))
    wrong = faults(measured)
    for fault in wrong:
        say(fault)
    if asked.json:
        print(json.dumps(measured), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
