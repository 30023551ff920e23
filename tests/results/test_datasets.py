"""Versions of data sets: the same bytes for the same results, whatever dies meanwhile, and nothing lost silently."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, InternalError, transaction

from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.results.commands import sealing, writing
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.commands.datasets import advance, ask_for_dataset
from marketplace.results.commands.holding import let_go, take_next
from marketplace.results.models import Dataset, DatasetPart, Run
from marketplace.results.queries import datasets as reads
from marketplace.results.queries.datasets import archive_bytes
from marketplace.results.tasks import build_datasets
from tests import factories as make
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.submit import Submission, submit
from workers.gold.commands import score_due

Clock = Callable[[timedelta], None]
INTERFACE = {
    "data": [*make.INTERFACE["data"], {"name": "photo", "type": "image", "required": False}],
    "answer": [
        *make.INTERFACE["answer"],
        {"name": "note", "type": "text", "required": False},
        {"name": "weight", "type": "number", "required": False},
    ],
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 7 items, stretches of 10 and parts of 200 bytes, so that a small batch has many."""
    monkeypatch.setattr(reads, "PAGE_ITEMS", 7)
    monkeypatch.setattr(writing, "STRETCH_ITEMS", 10)
    monkeypatch.setattr(writing, "PART_BYTES", 200)
    monkeypatch.setattr(sealing, "PART_BYTES", 200)


def number_of(lease: Any) -> int:
    """Which item it is, by the name of its photo."""
    return int(lease.data["photo"].rpartition("/")[2].removesuffix(".png"))


def labelled(
    count: int = 30,
    workers: int = 2,
    texts: Callable[[int], str] | None = None,
    photo: Callable[[int], int] = lambda n: n,
    leave: int = 0,
) -> tuple[Batch, Run]:
    """A batch whose items are all labelled but the last few, cats and dogs by turns, and a run of its results."""
    draft = make.make_draft(make.make_project(interface=INTERFACE), overlap=workers, lease_cap=count)
    say = texts or (lambda n: f"animal number {n} of the {n * 7919} in the zoo")
    make.add_rows(
        draft,
        [
            {"external_id": f"t{n:04}", "data": {"text": say(n), "photo": f"https://a.example/{photo(n)}.png"}}
            for n in range(count)
        ],
    )
    batch = make.published(draft)
    for turn in range(workers):
        worker = make.make_worker()
        page = [
            Submission(
                lease.id,
                lease.token,
                {
                    "label": "cat" if number_of(lease) % 2 else "dog",
                    "note": "=1+1" if turn else "plain",
                    "weight": number_of(lease) - 3,
                },
            )
            for lease in make.take(worker, batch, count)
            if number_of(lease) < count - leave
        ]
        with one_transaction(principal="test"):
            submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=None)
    with one_transaction(principal="test"):
        return batch, aggregate(batch_id=batch.pk, method="majority")


def asked(batch: Batch, run: Run, format: str = "jsonl", options: dict[str, Any] | None = None, **plan: Any) -> Dataset:
    batch = Batch.objects.select_related("version", "requester", "project").get(pk=batch.pk)
    with one_transaction(principal="test"):
        return ask_for_dataset(
            batch=batch,
            run_of=run,
            format=format,
            options=options or {},
            plan=plan,
            by=make.owner_of(batch.requester).pk,
        )


def built(it: Dataset) -> Dataset:
    """The version after all its steps."""
    with one_transaction(principal="test"):
        taken = take_next()
    assert taken is not None
    assert taken.pk == it.pk
    for _ in advance(taken):
        pass
    it.refresh_from_db()
    return it


def archive(it: Dataset) -> bytes:
    return b"".join(archive_bytes(it.pk, start=0, end=it.size))


def opened(it: Dataset) -> zipfile.ZipFile:
    found = zipfile.ZipFile(io.BytesIO(archive(it)))
    assert found.testzip() is None
    return found


def lines(it: Dataset, path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in opened(it).read(path).decode().splitlines()]


SPLITS = {"train": 0.6, "val": 0.2, "test": 0.2}


def test_every_item_comes_once_and_in_order_with_its_result(committed: str) -> None:
    batch, run = labelled()

    it = built(asked(batch, run))

    assert (it.state, it.error, it.items, it.items_written, it.answers) == ("done", "", 30, 30, 60)
    rows = lines(it, "all.jsonl")
    assert [row["external_id"] for row in rows] == [f"t{n:04}" for n in range(30)]
    assert rows[3] == {
        "external_id": "t0003",
        "data": {"text": "animal number 3 of the 23757 in the zoo", "photo": "https://a.example/3.png"},
        "values": {"label": "cat", "note": rows[3]["values"]["note"], "weight": 0},
        "confidence": {"label": 1.0, "note": rows[3]["confidence"]["note"], "weight": 1.0},
        "votes": {"label": 2, "note": 2, "weight": 2},
        "method": {"label": "majority", "note": rows[3]["method"]["note"], "weight": rows[3]["method"]["weight"]},
        "instruction_version": 1,
        "gold": False,
    }


def test_the_hashes_are_those_of_the_files_and_of_the_archive(committed: str) -> None:
    batch, run = labelled()

    it = built(asked(batch, run, "csv", splits=SPLITS))

    assert hashlib.sha256(archive(it)).digest() == bytes(it.archive_sha256 or b"")
    found = opened(it)
    sums = found.read("touchstone/checksums.sha256")
    assert hashlib.sha256(sums).digest() == bytes(it.content_sha256 or b"")
    told = dict(reversed(line.split("  ")) for line in sums.decode().splitlines())
    assert told == {path: hashlib.sha256(found.read(path)).hexdigest() for path in ("train.csv", "val.csv", "test.csv")}
    assert found.namelist()[-3:] == [
        f"touchstone/{name}" for name in ("checksums.sha256", "validation.json", "manifest.json")
    ]
    assert json.loads(found.read("touchstone/manifest.json")) == it.manifest
    assert it.manifest["splits"] == {"train": 18, "val": 6, "test": 6}


@pytest.mark.parametrize("format", ["jsonl", "csv", "mturk_csv"])
def test_the_same_results_and_options_give_the_same_bytes_under_another_number(committed: str, format: str) -> None:
    batch, run = labelled()
    first, second = (built(asked(batch, run, format, answers=True, splits=SPLITS, seed="s")) for _ in range(2))
    assert (first.number, second.number) == (1, 2)
    assert archive(first) == archive(second)
    other = built(asked(batch, run, format, answers=True, splits=SPLITS, seed="t"))
    assert bytes(other.content_sha256 or b"") != bytes(first.content_sha256 or b"")


def test_pages_and_parts_of_any_size_give_the_same_bytes(committed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, run = labelled()
    first = built(asked(batch, run, "csv", splits=SPLITS))
    monkeypatch.setattr(reads, "PAGE_ITEMS", 1_000)
    monkeypatch.setattr(reads, "PAGE_BYTES", 600)
    monkeypatch.setattr(writing, "PART_BYTES", 77)
    monkeypatch.setattr(writing, "COMMIT_BYTES", 100)
    monkeypatch.setattr(sealing, "PART_BYTES", 999)
    assert archive(built(asked(batch, run, "csv", splits=SPLITS))) == archive(first)


def test_a_finished_version_can_be_changed_by_nobody(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    batch, run = labelled(8)
    it = built(asked(batch, run))
    for attack in (
        f"UPDATE results_dataset SET error = 'x' WHERE id = {it.pk}",
        f"DELETE FROM results_dataset WHERE id = {it.pk}",
        f"DELETE FROM results_datasetpart WHERE dataset_id = {it.pk}",
        f"UPDATE results_datasetpart SET body = 'x' WHERE dataset_id = {it.pk}",
        "INSERT INTO results_datasetpart (dataset_id, kind, path, stretch, number, body)"
        f" VALUES ({it.pk}, 'rows', '', 0, 9, 'x')",
    ):
        with pytest.raises(psycopg.errors.CheckViolation, match="data set"):
            as_owner.execute(attack)
    with pytest.raises((IntegrityError, InternalError)), transaction.atomic():
        DatasetPart.objects.filter(of=it).delete()
    assert {part.kind for part in DatasetPart.objects.filter(of=it)} == {"grown", "frame"}


def test_a_version_that_is_asked_for_stays_what_it_was_asked_for(committed: str) -> None:
    batch, run = labelled(8)
    it = asked(batch, run)
    for change in ({"format": "csv"}, {"number": 7}, {"plan": {}}, {"state": "done"}, {"state": "sealing"}):
        with pytest.raises((IntegrityError, InternalError)), transaction.atomic():
            Dataset.objects.filter(pk=it.pk).update(**change)


DIES = """
import sys
import django
django.setup()
from django.db import connections
connections.databases["default"]["NAME"] = connections["default"].settings_dict["NAME"] = sys.argv[1]
from marketplace.common.transactions import one_transaction
from marketplace.results.commands import datasets, gathering, holding, sealing, writing
from marketplace.results.queries import datasets as reads
reads.PAGE_ITEMS, writing.STRETCH_ITEMS, writing.PART_BYTES, sealing.PART_BYTES = 7, 10, 200, 200
writing.COMMIT_BYTES = 300
with one_transaction(principal="system"):
    it = holding.take_next()
print(it.pk, flush=True)
sys.stdin.readline()
kept = holding.keep
def slow(*args, **how):
    print("kept", it.state, flush=True)
    sys.stdin.readline()
    kept(*args, **how)
gathering.keep = writing.keep = sealing.keep = slow
for step in datasets.advance(it):
    print("step", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("format", ["jsonl", pytest.param("csv", marks=pytest.mark.slow)])
def test_a_process_killed_anywhere_loses_a_step_and_changes_no_byte(committed: str, clock: Clock, format: str) -> None:
    batch, run = labelled()
    wanted = archive(built(asked(batch, run, format, answers=True, splits=SPLITS)))
    it = asked(batch, run, format, answers=True, splits=SPLITS)
    killed, states = 0, set()
    # Each process lives for a few more words than the one before it, so that every kind of moment is met.
    for words in range(1, 100):
        child = subprocess.Popen(
            [sys.executable, "-c", DIES, committed],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ,
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        said = []
        for _ in range(words):
            line = child.stdout.readline()
            if not line:
                break
            said.append(line.strip())
            child.stdin.write("\n")
            try:
                child.stdin.flush()
            except BrokenPipeError:
                break
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        states |= {word.split()[1] for word in said if word.startswith("kept")}
        it.refresh_from_db()
        if it.state == "done":
            break
        killed += 1
        clock(timedelta(seconds=61 * killed))  # its hold is over
        Dataset.objects.filter(pk=it.pk).update(attempts=0)
    assert it.state == "done"
    assert killed >= 5
    assert states == {"gathering", "arranging", "writing", "sealing"}
    assert archive(it) == wanted
    assert {part.kind for part in DatasetPart.objects.filter(of=it)} == {"grown", "frame"}


def test_the_sweep_takes_one_version_at_a_time_and_each_to_its_end(committed: str) -> None:
    batch, run = labelled(12)
    first, second = asked(batch, run), asked(batch, run, "csv")
    with one_transaction(principal="test"):
        held = take_next()
    assert held is not None
    build_datasets()
    assert {it.state for it in Dataset.objects.all()} == {"gathering"}  # somebody is at the first
    with one_transaction(principal="test"):
        let_go(held)
    build_datasets()
    assert [Dataset.objects.get(pk=it.pk).state for it in (first, second)] == ["done", "done"]


def test_a_builder_whose_hold_is_over_changes_nothing_more(committed: str, clock: Clock) -> None:
    batch, run = labelled(12)
    it = asked(batch, run)
    with one_transaction(principal="test"):
        late = take_next()
    assert late is not None
    steps = advance(late)
    next(steps)
    clock(timedelta(seconds=61))
    with one_transaction(principal="test"):
        other = take_next()
    assert other is not None
    assert list(steps) == []
    for _ in advance(other):
        pass
    it.refresh_from_db()
    assert (it.state, len(lines(it, "all.jsonl"))) == ("done", 12)


def test_a_step_that_fails_again_and_again_fails_the_version_and_leaves_nothing(
    committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, run = labelled(12)
    it = asked(batch, run)

    class Broken(Exception):
        pass

    def broken(*_: Any, **__: Any) -> None:
        raise Broken

    monkeypatch.setattr(writing, "Spool", broken)
    for _ in range(2):
        build_datasets()
    it.refresh_from_db()
    assert (it.state, it.finished_at is None) == ("failed", False)
    assert "in vain" in it.error
    assert not DatasetPart.objects.filter(of=it).exists()


def test_a_writer_that_takes_all_at_once_is_stopped_in_words_where_it_takes_too_long(
    committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, run = labelled(12)
    it = asked(batch, run, "jsonl")
    monkeypatch.setattr(writing, "WHOLE_S", -1.0)
    it = built(it)
    assert it.state == "failed"
    assert "12 items are too many" in it.error


def test_gold_of_the_requester_is_marked_or_left_out(committed: str) -> None:
    batch = make.make_batch(tasks=2, gold=1, overlap=1, gold_policy={"probation": 1, "probation_share": 1.0})
    worker = make.make_worker()
    for _ in range(3):
        make.answer(worker, make.take(worker, batch), "cat")
    with one_transaction(principal="test"):
        score_due()
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=None)
    with one_transaction(principal="test"):
        run = aggregate(batch_id=batch.pk, method="majority")
    given = set(run.results.values_list("task__external_id", flat=True))
    assert {name[0] for name in given} == {"g", "t"}
    kept, left = built(asked(batch, run)), built(asked(batch, run, gold=False))
    assert {row["external_id"]: row["gold"] for row in lines(kept, "all.jsonl")} == {n: n[0] == "g" for n in given}
    assert {row["external_id"] for row in lines(left, "all.jsonl")} == {name for name in given if name[0] == "t"}


def test_near_duplicates_are_never_in_two_splits(committed: str) -> None:
    def text(n: int) -> str:
        said = " ".join(f"word{n % 5}x{k}" for k in range(20))
        return said if n < 15 else said.upper() + "!"

    batch, run = labelled(30, texts=text, photo=lambda n: n % 5)
    it = built(asked(batch, run, splits={"train": 0.5, "test": 0.5}))
    places: dict[int, set[str]] = {}
    for split in ("train", "test"):
        for row in lines(it, f"{split}.jsonl"):
            places.setdefault(int(row["external_id"][1:]) % 5, set()).add(split)
    assert all(len(found) == 1 for found in places.values())
    assert set().union(*places.values()) == {"train", "test"}
    assert it.validation is not None
    assert next(check for check in it.validation["checks"] if check["check"] == "apart")["ok"]
