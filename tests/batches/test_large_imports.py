"""Imports in steps: the same tasks as at once, hidden until the last, and gone again where they fail, whatever dies."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from marketplace.batches.commands import imports, loading
from marketplace.batches.commands.imports import (
    add_part,
    advance,
    cancel_import,
    give_up,
    next_import,
    receive,
    received,
)
from marketplace.batches.commands.loading import ahead
from marketplace.batches.commands.pilots import copy_batch
from marketplace.batches.costs import Platform
from marketplace.batches.errors import ImportEnded, ImportRunning, WrongState
from marketplace.batches.models import Batch, Import, ImportPart, Payload, Task
from marketplace.batches.queries import estimate, imported, progress
from marketplace.batches.tasks import advance_imports
from marketplace.common.database import acting_as, rows, value
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken
from tests.races.waiting import until_somebody_waits

PLATFORM = Platform(fee_basis_points=2_000, dispute_basis_points=500)
Together = Callable[..., list[Any]]
Clock = Callable[[timedelta], None]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 100 bytes and chunks of 7 rows, so that a small file has many."""
    monkeypatch.setattr(imports, "PART_BYTES", 100)
    monkeypatch.setattr(imports, "DISCARDED_AT_ONCE", 10)
    monkeypatch.setattr(loading, "CHUNK", 7)


def sent(batch: Batch, body: bytes, kind: str = "jsonl", key: str = "k") -> Import:
    """A body that has arrived."""
    with one_transaction(principal="test"):
        it = receive(batch_id=batch.pk, principal="test", key=key, kind=kind)
    assert it is not None
    for number, at in enumerate(range(0, len(body), 100)):
        with one_transaction(principal="test"):
            add_part(of=it, number=number, body=body[at : at + 100])
    with one_transaction(principal="test"):
        return received(of=it, body_sha256=hashlib.sha256(body).digest())


def finished(it: Import) -> Import:
    """The import after all its steps."""
    for _ in advance(it.pk):
        pass
    it.refresh_from_db()
    return it


EARLIER = [{"external_id": name, "data": {"text": name}} for name in ("first", "second")]


def lines(count: int, gold_every: int = 9) -> list[dict[str, Any]]:
    return [
        {"external_id": f"t{n}", "data": {"text": f"text {n} ü"}}
        | ({"gold": {"label": "cat"}} if n % gold_every == 0 else {})
        for n in range(count)
    ]


def jsonl(found: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, found)).encode()


def kept(batch: Batch) -> tuple[int, int, int, int, int]:
    """Tasks, payloads, queued, gold, parts."""
    with acting_as("gold_reader"):
        gold = value("SELECT count(*) FROM batches_goldkey WHERE batch_id = %s", [batch.pk])
    return (
        Task.objects.filter(batch=batch).count(),
        Payload.objects.filter(batch_id=batch.pk).count(),
        len(make.queue(batch)),
        gold,
        ImportPart.objects.filter(of__batch=batch).count(),
    )


def told(batch: Batch) -> list[tuple[Any, ...]]:
    return rows(
        "SELECT t.external_id, t.overlap, t.reserved, t.priority, p.data FROM batches_task t"
        " JOIN batches_payload p ON p.task_id = t.id WHERE t.batch_id = %s ORDER BY t.id",
        [batch.pk],
    )


def kept_in_one(batch: Batch) -> tuple[int, int, int, int, int]:
    with one_transaction(principal="test"):
        return kept(batch)


def test_in_steps_comes_what_comes_at_once(committed: str) -> None:
    project = make.make_project()
    at_once, in_steps = make.make_draft(project), make.make_draft(project)
    make.add_rows(at_once, lines(40))

    it = finished(sent(in_steps, jsonl(lines(40))))

    assert (it.state, it.tasks, it.gold_tasks, it.places, it.rows_read) == ("done", 40, 5, 120, 40)
    assert it.bytes_done == it.bytes_total == len(jsonl(lines(40)))
    assert told(in_steps) == told(at_once)
    assert kept_in_one(in_steps) == (40, 40, 35, 5, 0)
    assert imported(in_steps) == imported(at_once)
    assert make.published(in_steps).state == "published"
    assert broken() == []


def test_a_csv_goes_on_behind_any_row_whatever_its_cells_hold(committed: str) -> None:
    project = make.make_project()
    texts = [f'two\r\nlines, "{n}" ü,' + "x" * (n % 230) for n in range(60)]
    body = "external_id,data.text\r\n" + "".join(
        'r{},"{}"\r\n'.format(n, text.replace('"', '""')) for n, text in enumerate(texts)
    )
    draft = make.make_draft(project)

    it = finished(sent(draft, b"\xef\xbb\xbf" + body.encode(), "csv"))

    assert (it.state, it.errors, it.rows_read) == ("done", [], 60)
    assert [row[4]["text"] for row in told(draft)] == texts


def test_what_is_not_finished_is_not_shown_and_nothing_is_published_beside_it(committed: str) -> None:
    draft = make.make_draft()
    make.add_rows(draft, EARLIER)
    it = sent(draft, jsonl(lines(30)))
    steps = advance(it.pk)
    next(steps)
    next(steps)

    assert Task.objects.filter(batch=draft).count() == 2 + 14
    assert (estimate(draft).tasks, estimate(draft).places, progress(draft).tasks) == (2, 6, 2)
    with pytest.raises(ImportRunning):
        make.published(draft)
    with pytest.raises(ImportRunning):
        make.add_rows(draft, [{"external_id": "more", "data": {"text": "x"}}])
    with pytest.raises(ImportRunning), one_transaction(principal="test"):
        receive(batch_id=draft.pk, principal="test", key="other", kind="jsonl")
    assert broken() == []

    for _ in steps:
        pass
    assert (estimate(draft).tasks, progress(draft).tasks) == (32, 32)
    assert make.published(draft).state == "published"


def test_a_copy_takes_nothing_of_an_import_that_is_not_finished(committed: str) -> None:
    draft = make.make_draft()
    make.add_rows(draft, EARLIER)
    steps = advance(sent(draft, jsonl(lines(30))).pk)
    next(steps)
    next(steps)
    assert Task.objects.filter(batch=draft).count() == 2 + 14

    with pytest.raises(ImportRunning):
        copied(draft)

    assert Batch.objects.get() == draft
    assert copied(draft, items=False).state == "draft", "its terms are all there"
    for _ in steps:
        pass
    assert estimate(copied(draft)).tasks == 32
    assert broken() == []


def test_no_import_begins_while_the_items_are_copied(committed: str) -> None:
    draft = make.make_draft()
    make.add_rows(draft, EARLIER)

    def begin() -> Import:
        try:
            return sent(draft, jsonl(lines(3)))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as beside:
        with one_transaction(principal="test"):
            made = copy_batch(batch_id=draft.pk, version=draft.version, platform=PLATFORM, items=True)
            begun = beside.submit(begin)
            until_somebody_waits(or_else=begun.done)
            assert not begun.done(), "it waits for the copy"
        assert begun.result().state == "running"
    assert (estimate(made).tasks, Task.objects.filter(batch=draft).count()) == (2, 2)


def copied(batch: Batch, *, items: bool = True) -> Batch:
    with one_transaction(principal="test"):
        return copy_batch(batch_id=batch.pk, version=batch.version, platform=PLATFORM, items=items)


def test_what_a_wrong_import_brought_is_taken_away_again(committed: str) -> None:
    draft = make.make_draft()
    make.add_rows(draft, EARLIER)
    before = kept_in_one(draft)
    wrong = [*lines(30), {"external_id": "", "data": {}}, *lines(1), {"external_id": "late", "data": {"text": 5}}]

    it = finished(sent(draft, jsonl(wrong)))

    assert (it.state, it.tasks, it.places, it.gold_tasks) == ("failed", 0, 0, 0)
    assert [(error["row"], error["field"]) for error in it.errors] == [
        (31, "external_id"), (31, "data.text"), (32, "external_id"), (33, "data.text"),
    ]  # fmt: skip
    assert kept_in_one(draft) == before
    assert (estimate(draft).tasks, imported(draft)["tasks"]) == (2, 2)
    assert broken() == []
    assert finished(sent(draft, jsonl(lines(30)), key="again")).state == "done"


@pytest.mark.parametrize(
    ("body", "kind"), [(b"\n" * 250, "jsonl"), (b"\xef\xbb\xbf", "csv"), (b"external_id\n\n", "csv")]
)
def test_a_large_file_without_rows_fails(committed: str, body: bytes, kind: str) -> None:
    it = finished(sent(make.make_draft(), body, kind))
    assert (it.state, [error["message"] for error in it.errors]) == ("failed", ["the file holds no rows"])


@pytest.mark.parametrize(
    ("body", "kind", "row"),
    [
        (b'{"external_id": "a", "da\\u0000ta": 1}\n', "jsonl", 1),
        (b"external_id,da\x00ta\na,b\n", "csv", 0),
        (b"external_id,gold,gold.label\na,b,cat\n", "csv", 1),
        (b"external_id,data,data.text\na,b,c\n", "csv", 1),
    ],
)
def test_what_the_database_cannot_hold_fails_the_import_and_names_its_row(
    committed: str, body: bytes, kind: str, row: int
) -> None:
    it = finished(sent(make.make_draft(), body, kind))
    assert it.state == "failed"
    assert [error["row"] for error in it.errors] == [row] * len(it.errors)
    assert it.error_count >= 1


def test_a_line_that_cannot_be_read_is_named_once_however_often_it_is_read(
    committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "SLICE_S", 0, raising=False)
    it = sent(make.make_draft(), b"external_id,data.text\na,b\n\xff,c\n", "csv")
    for _ in range(3):
        for _step in advance(it.pk):
            break  # whoever goes on begins anew where the cursor is
    it = finished(it)
    assert (it.state, it.error_count, len(it.errors)) == ("failed", 1, 1)


def test_a_cancelled_import_leaves_nothing_behind(committed: str) -> None:
    draft = make.make_draft()
    it = sent(draft, jsonl(lines(60)))
    steps = advance(it.pk)
    for _ in range(3):
        next(steps)
    with one_transaction(principal="test"):
        cancel_import(import_id=it.pk)
    for _ in steps:
        pass

    it.refresh_from_db()
    assert (it.state, it.tasks, it.finished_at is None) == ("cancelled", 0, False)
    assert kept_in_one(draft) == (0, 0, 0, 0, 0)
    assert broken() == []
    with one_transaction(principal="test"):
        assert cancel_import(import_id=it.pk).state == "cancelled"
    done = finished(sent(draft, jsonl(lines(3)), key="again"))
    with pytest.raises(ImportEnded), one_transaction(principal="test"):
        cancel_import(import_id=done.pk)


def test_an_import_into_a_batch_that_is_called_off_ends_with_it(committed: str) -> None:
    from workers.assignments.commands.decide import cancel

    draft = make.make_draft()
    it = sent(draft, jsonl(lines(30)))
    steps = advance(it.pk)
    next(steps)
    with one_transaction(principal="test"):
        cancel(batch_id=draft.pk)
    for _ in steps:
        pass

    it.refresh_from_db()
    assert (it.state, it.finished_at is None, kept_in_one(draft)) == ("cancelled", False, (0, 0, 0, 0, 0))
    assert broken() == []
    with pytest.raises(WrongState):
        sent(draft, jsonl(lines(1)), key="late")


def test_a_repeat_begins_anew_and_what_is_left_of_the_first_is_refused(committed: str) -> None:
    draft = make.make_draft()
    with one_transaction(principal="test"):
        first = receive(batch_id=draft.pk, principal="test", key="k", kind="jsonl")
    assert first is not None
    with one_transaction(principal="test"):
        add_part(of=first, number=0, body=b"x" * 100)

    second = sent(draft, jsonl(lines(9)))

    assert second.pk == first.pk
    for late in (
        lambda: add_part(of=first, number=1, body=b"y"),
        lambda: received(of=first, body_sha256=b""),
    ):
        with pytest.raises(ImportEnded), one_transaction(principal="test"):
            late()
    with one_transaction(principal="test"):
        assert receive(batch_id=draft.pk, principal="test", key="k", kind="jsonl") is None
    assert (finished(second).state, second.tasks) == ("done", 9)


def test_a_request_that_its_client_repeated_meanwhile_brings_and_ends_nothing_more(committed: str) -> None:
    draft, other = make.make_draft(), make.make_draft()
    with one_transaction(principal="test"):
        first = receive(batch_id=draft.pk, principal="test", key="k", kind="jsonl")
    assert first is not None
    it = sent(draft, jsonl(lines(5)), key="k")
    assert (it.pk, it.attempt, it.state) == (first.pk, 2, "running")

    with one_transaction(principal="test"):
        second = receive(batch_id=other.pk, principal="test", key="k", kind="jsonl")
        assert second is not None
        give_up(of=first)
        give_up(of=Import(pk=second.pk, attempt=2))
        for late in (first, Import(pk=second.pk, attempt=2)):
            with pytest.raises(ImportEnded):
                add_part(of=late, number=9, body=b"x")
            with pytest.raises(ImportEnded):
                received(of=late, body_sha256=b"")
    assert set(Import.objects.values_list("state", flat=True)) == {"running", "receiving"}
    with one_transaction(principal="test"):
        give_up(of=second)
    assert set(Import.objects.values_list("state", flat=True)) == {"running", "cancelled"}
    assert (finished(it).state, it.tasks) == ("done", 5)


def test_a_body_that_stops_arriving_is_given_up_after_ten_minutes(committed: str, clock: Clock) -> None:
    draft = make.make_draft()
    with one_transaction(principal="test"):
        it = receive(batch_id=draft.pk, principal="test", key="k", kind="jsonl")
    assert it is not None
    with one_transaction(principal="test"):
        add_part(of=it, number=0, body=b"x" * 100)

    clock(timedelta(minutes=9))
    advance_imports()
    assert Import.objects.get(pk=it.pk).state == "receiving"
    clock(timedelta(minutes=2))
    advance_imports()

    it.refresh_from_db()
    assert (it.state, it.finished_at is None, kept_in_one(draft)) == ("cancelled", False, (0, 0, 0, 0, 0))
    assert finished(sent(draft, jsonl(lines(3)))).state == "done"


def test_the_sweep_brings_every_import_to_its_end(committed: str) -> None:
    project = make.make_project()
    drafts = [make.make_draft(project) for _ in range(3)]
    tails = (b"", b"\n{", b"")
    good, wrong, ended = (sent(draft, jsonl(lines(20)) + tail) for draft, tail in zip(drafts, tails, strict=True))
    with one_transaction(principal="test"):
        cancel_import(import_id=ended.pk)

    advance_imports()
    advance_imports()

    assert next_import() is None
    assert [Import.objects.get(pk=it.pk).state for it in (good, wrong, ended)] == ["done", "failed", "cancelled"]
    assert [Task.objects.filter(batch=draft).count() for draft in drafts] == [20, 0, 0]
    assert broken() == []


DIES = """
import sys
import django
django.setup()
from django.db import connections
connections.databases["default"]["NAME"] = connections["default"].settings_dict["NAME"] = sys.argv[1]
from marketplace.batches.commands import imports, loading
imports.PART_BYTES, loading.CHUNK = 100, 7
for step in imports.advance(int(sys.argv[2])):
    print("step", flush=True)
"""


def test_a_process_killed_amid_a_step_loses_nothing_and_doubles_nothing(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    draft = make.make_draft()
    it = sent(draft, jsonl(lines(70)))
    for turn in range(3):
        # The step stops at the tail, where its tasks are in the tables and its cursor is not moved yet.
        as_owner.execute("BEGIN")
        as_owner.execute("SELECT 1 FROM batches_tail WHERE batch_id = %s FOR UPDATE", [draft.pk])
        if not turn:
            as_owner.execute("ROLLBACK")
        child = subprocess.Popen(
            [sys.executable, "-c", DIES, committed, str(it.pk)], stdout=subprocess.PIPE, text=True, env=os.environ
        )
        assert child.stdout is not None
        if turn:
            until_somebody_waits()
        else:
            assert [child.stdout.readline() for _ in range(2)] == ["step\n"] * 2
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        as_owner.execute("ROLLBACK")
        it.refresh_from_db()
        assert it.state == "running"
        assert it.rows_read >= 14

    assert finished(it).state == "done"
    assert [row[0] for row in told(draft)] == [f"t{n}" for n in range(70)]
    assert kept_in_one(draft) == (70, 70, 62, 8, 0)
    assert (estimate(draft).tasks, it.tasks, it.gold_tasks) == (70, 70, 8)
    assert broken() == []


def test_many_processes_at_one_import_bring_each_row_once(committed: str, together: Together) -> None:
    draft = make.make_draft()
    it = sent(draft, jsonl(lines(80)))

    def work() -> None:
        while next_import() is not None:
            for _ in advance(it.pk):
                pass

    assert together([work] * 4) == [None] * 4
    it.refresh_from_db()
    assert (it.state, it.tasks) == ("done", 80)
    assert [row[0] for row in told(draft)] == [f"t{n}" for n in range(80)]
    assert broken() == []


@pytest.mark.parametrize("what", ["publish", "cancel"])
def test_beside_the_steps_publication_waits_its_turn_and_cancellation_has_its_way(
    committed: str, together: Together, what: str
) -> None:
    draft = make.make_draft()
    it = sent(draft, jsonl(lines(100)))

    def publish() -> str:
        refused = 0
        while True:
            try:
                return f"{make.published(draft).state} after {min(refused, 1)}"
            except ImportRunning:
                refused += 1

    def cancel() -> str:
        with one_transaction(principal="test"):
            return cancel_import(import_id=it.pk).state

    _, other = together([lambda: finished(it), publish if what == "publish" else cancel])
    finished(it)

    if what == "publish":
        assert other == "published after 1"
        assert Task.objects.filter(batch=draft).count() == 100
    else:
        assert other == "cancelled" or isinstance(other, ImportEnded)
        assert Task.objects.filter(batch=draft).count() == (0 if it.state == "cancelled" else 100)
    assert broken() == []


def test_an_import_whose_steps_fail_takes_no_more_than_its_turn(
    committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make.make_project()
    poisoned, good = make.make_draft(project), make.make_draft(project)
    its = [sent(draft, jsonl(lines(10))) for draft in (poisoned, good)]
    bring = imports.bring

    def fails(batch: Batch, chunk: loading.Chunk, *, copy: bool) -> loading.Brought:
        if batch == poisoned:
            raise ZeroDivisionError
        return bring(batch, chunk, copy=copy)

    monkeypatch.setattr(imports, "bring", fails)
    with pytest.raises(ZeroDivisionError):
        advance_imports()
    with pytest.raises(ZeroDivisionError):
        advance_imports()
    for it in its:
        it.refresh_from_db()
    assert [it.state for it in its] == ["running", "done"]
    assert broken() == []


def test_of_many_imports_that_begin_at_once_one_does(committed: str, together: Together) -> None:
    draft = make.make_draft()

    def begin(key: str) -> Import | None:
        with one_transaction(principal="test"):
            return receive(batch_id=draft.pk, principal="test", key=key, kind="jsonl")

    begun = together([lambda key=key: begin(key) for key in "abcdef"])
    assert sorted(type(one).__name__ for one in begun) == ["Import"] + ["ImportRunning"] * 5


def test_one_chunk_waits_at_most_while_another_is_used() -> None:
    made = 0

    def items() -> Iterator[int]:
        nonlocal made
        while True:
            made += 1
            yield made

    source = ahead(items())
    for turn in range(1, 50):
        assert next(source) == turn
        assert made <= turn + 1
    source.close()


def test_an_error_of_the_source_comes_out() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    source = ahead(items())
    assert next(source) == 1
    with pytest.raises(ZeroDivisionError):
        next(source)


def test_a_step_holds_as_much_of_a_long_file_as_of_a_short_one(committed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step has in hand is counted: one part, and two chunks of rows."""
    biggest: list[int] = []
    most: dict[int, int] = {}
    bring = imports.bring

    def counted(batch: Batch, chunk: loading.Chunk, *, copy: bool) -> loading.Brought:
        biggest.append(len(chunk.rows))
        return bring(batch, chunk, copy=copy)

    monkeypatch.setattr(imports, "bring", counted)
    for count in (20, 200):
        biggest.clear()
        finished(sent(make.make_draft(), jsonl(lines(count))))
        most[count] = max(biggest)
        assert sum(biggest) == count
    assert most == {20: 7, 200: 7}
