"""What kills its worker three times is put aside, and everything else goes on (R19): with a real Celery worker."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from django.db import DatabaseError, OperationalError, connection, connections

from marketplace.accounts.commands import ensure_staff
from marketplace.celery import app
from marketplace.common import sweeps
from marketplace.common.database import rows, run, value
from marketplace.common.errors import NotFound
from marketplace.common.models import DeadLetter, SweepRun
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api.callers import caller_for
from workers.assignments import tasks
from workers.assignments.models import Assignment
from workers.gold import commands, judging
from workers.gold.tasks import score_due

ROOT = Path(__file__).resolve().parents[2]
HERE = "tests.dead_letters.worker"


@dataclass
class Pool:
    """A running worker with two processes, and the queue that only it listens to."""

    process: subprocess.Popen[bytes]
    queue: str
    deaths: Path

    def send(self, task: str) -> None:
        app.send_task(task, queue=self.queue, expires=5, ignore_result=True)

    def died(self, of: str) -> int:
        return self.deaths.read_text().split().count(of) if self.deaths.exists() else 0

    def until(self, done: Callable[[], bool], *tasks: str, limit_s: float = 60) -> None:
        """Send the tasks as beat does until it is done."""
        started = time.monotonic()
        while not done():
            assert time.monotonic() - started < limit_s, f"not done: {rows('SELECT * FROM common_sweeprun')}"
            assert self.process.poll() is None, "the worker itself has died"
            for task in tasks:
                self.send(task)
            time.sleep(0.3)

    def alive(self) -> bool:
        """Whether the pool still does what it is asked."""
        before = self._signs()
        self.until(lambda: self._signs() > before, f"{HERE}.bystander")
        return True

    def _signs(self) -> int:
        file = Path(f"{self.deaths}.alive")
        return len(file.read_text().split()) if file.exists() else 0


@pytest.fixture
def pool(committed: str, tmp_path: Path) -> Iterator[Pool]:
    parts = urlsplit(os.environ["DATABASE_URL"])
    queue = f"dead-{uuid4().hex}"
    env = {
        **os.environ,
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{committed}")),
        "DEATHS": str(tmp_path / "deaths"),
    }
    argv = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        HERE,
        "worker",
        "--pool",
        "prefork",
        "--concurrency",
        "2",
        "-Q",
        queue,
    ]
    argv += ["-n", f"{queue}@%h", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            yield Pool(process, queue, tmp_path / "deaths")
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def test_an_answer_that_kills_its_scorer_is_put_aside_and_all_others_are_scored(pool: Pool) -> None:
    batch = make.make_batch(tasks=1, gold=12, overlap=3, gold_policy={"probation": 12, "probation_share": 1.0})
    workers = [make.make_worker() for _ in range(9)]
    for number, worker in enumerate(workers):
        make.answer(worker, make.take(worker, batch), "dog" if number == 4 else "cat")

    pool.until(DeadLetter.objects.exists, "workers.gold.tasks.score_due")

    assert 1 <= pool.died("answer") <= 3
    letter = DeadLetter.objects.get()
    poison = Assignment.objects.get(worker=workers[4])
    assert (letter.kind, letter.subject, letter.times) == ("answer", f"{poison.pk}:1", 3)
    assert "signal 6" in letter.error or "SIGABRT" in letter.error
    assert len(make.outcomes(where="kind = 'answer'")) == 8
    assert rows("SELECT assignment_id FROM gold_toscore") == [(poison.pk,)]
    assert rows("SELECT assignment_id, attempts, parked_at IS NOT NULL FROM gold_attempt") == [(poison.pk, 3, True)]
    # It no longer blocks anybody: the next answers are scored at once, and nothing dies any more.
    late = make.make_worker()
    make.answer(late, make.take(late, batch), "cat")
    pool.until(lambda: value("SELECT count(*) FROM gold_toscore") == 1, "workers.gold.tasks.score_due")
    assert pool.died("answer") == 3
    assert pool.alive()
    assert [f.name for f in check_promises() if f.violations] == []


def test_a_sweep_that_kills_its_process_is_parked_until_somebody_wants_it_back(pool: Pool) -> None:
    doom = Path(f"{pool.deaths}.doom")
    doom.touch()
    pool.until(DeadLetter.objects.exists, f"{HERE}.doomed")
    assert 1 <= pool.died("sweep") <= 3
    letter = DeadLetter.objects.get()
    assert (letter.kind, letter.subject, letter.times) == ("sweep", f"{HERE}.doomed", 3)
    assert pool.alive()
    for _again in range(5):
        pool.send(f"{HERE}.doomed")
    assert pool.alive()
    assert pool.died("sweep") == 3
    assert SweepRun.objects.filter(name=f"{HERE}.doomed").count() == 0

    with one_transaction(principal="test"):
        staff = ensure_staff(email=make.make_user().email)
    key = caller_for(staff, "staff")
    [shown] = key.get("dead-letters").expect(200)["results"]
    assert (shown["sweep"], shown["assignment"], shown["times"], shown["retried_at"]) == (
        f"{HERE}.doomed",
        None,
        3,
        None,
    )
    doom.unlink()
    assert key.post(f"dead-letters/{shown['id']}/retry").expect(200)["retried_at"] is not None
    assert key.post(f"dead-letters/{uuid4()}/retry").status == 404
    pool.send(f"{HERE}.doomed")
    assert pool.alive()
    assert DeadLetter.objects.get().retried_at is not None


# --- the notes, without a worker ----------------------------------------------------------------------------------


@pytest.fixture
def notes(db: None) -> Callable[..., str]:
    """Begin a run of the sweep `s`; what was said, or its id where it may go."""

    def begin(worker: str = "w", life: Any = None, name: str = "s") -> str:
        run_id = uuid4()
        told = value(
            "SELECT common_begin_run(%s, %s, %s, %s, %s)", [run_id, uuid4(), name, worker, life or sweeps.life]
        )
        return str(run_id) if told == "go" else told

    return begin


def dies(run_id: str) -> None:
    run("UPDATE common_sweeprun SET died_at = market_now(), error = 'signal 6' WHERE id = %s", [run_id])


def ends(run_id: str, good: bool = True) -> None:
    run("SELECT common_end_run(%s, %s)", [run_id, good])


def park(notes: Callable[..., str]) -> None:
    for _death in range(3):
        dies(notes())
    assert notes() == "parked"


def test_three_deaths_in_a_row_park_a_sweep_and_no_fourth_run_begins(notes: Callable[..., str]) -> None:
    park(notes)
    assert notes() == "parked"
    assert notes(name="other") not in ("parked", "busy")
    letter = DeadLetter.objects.get()
    assert (letter.subject, letter.times, letter.error) == ("s", 3, "signal 6")


def test_a_good_run_forgives_the_deaths_before_it_and_a_failed_one_does_not(notes: Callable[..., str]) -> None:
    dies(notes())
    dies(notes())
    ends(notes(), good=False)
    assert SweepRun.objects.count() == 2
    ends(notes())
    assert SweepRun.objects.count() == 0


def test_a_run_beside_one_that_dies_forgives_nothing(notes: Callable[..., str]) -> None:
    beside, doomed = notes(), notes()
    dies(doomed)
    ends(beside)
    assert SweepRun.objects.filter(died_at__isnull=False).count() == 1


def test_a_run_that_gets_on_forgives_the_deaths_before_it_however_it_ends(
    committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backlog that takes longer than the time between two kills from outside must not park its sweep."""
    name, groups = "workers.assignments.tasks.settle_due", iter([tasks.GROUP])

    def pay() -> int:
        try:
            return next(groups)
        except StopIteration:
            raise RuntimeError("the process is killed here") from None

    monkeypatch.setattr(tasks, "settle", pay)
    for paid_before, left in ((False, 2), (True, 0)):
        SweepRun.objects.all().delete()
        for _death in range(2):
            run_id = uuid4()
            value("SELECT common_begin_run(%s, %s, %s, 'w', %s)", [run_id, uuid4(), name, sweeps.life])
            dies(str(run_id))
        groups = iter([tasks.GROUP] if paid_before else [])
        with pytest.raises(RuntimeError):
            tasks.settle_due()
        assert SweepRun.objects.filter(name=name, died_at__isnull=False).count() == left


def test_what_ended_with_its_worker_counts_as_one_death(notes: Callable[..., str]) -> None:
    for _restart in range(2):
        life = uuid4()
        begun = [notes(life=life), notes(life=life)]
        assert not {"parked", "busy"} & set(begun)
    # Two ends of a worker took four runs with them.
    third = notes()
    assert third not in ("parked", "busy")
    assert SweepRun.objects.filter(died_at__isnull=False).count() == 4
    dies(third)
    assert notes() == "parked"


def test_a_parked_sweep_gets_one_try_after_a_while_and_rarer_ones_each_time_it_dies(
    notes: Callable[..., str], clock: Callable[..., None]
) -> None:
    park(notes)
    for pause in (15, 30, 60):
        clock(timedelta(seconds=pause - 2))
        assert notes() == "parked"
        clock(timedelta(seconds=3))
        attempt = notes()
        assert attempt not in ("parked", "busy")
        assert notes() == "parked", "one try at a time"
        dies(attempt)
        assert notes() == "parked"
    letter = DeadLetter.objects.get()
    assert (letter.times, letter.retried_at) == (6, None)
    clock(timedelta(seconds=121))
    ends(notes())
    assert DeadLetter.objects.get().retried_at is not None
    assert not {"parked", "busy"} & {notes(), notes()}


def test_however_often_it_died_a_parked_sweep_is_tried_every_hour(
    notes: Callable[..., str], clock: Callable[..., None]
) -> None:
    park(notes)
    DeadLetter.objects.update(times=3_000)
    clock(timedelta(minutes=59))
    assert notes() == "parked"
    clock(timedelta(minutes=2))
    assert notes() not in ("parked", "busy")


def test_a_try_that_gets_on_ends_the_parking(committed: str, clock: Callable[..., None]) -> None:
    name = "workers.assignments.tasks.settle_due"
    for _death in range(3):
        run_id = uuid4()
        value("SELECT common_begin_run(%s, %s, %s, 'w', %s)", [run_id, uuid4(), name, sweeps.life])
        dies(str(run_id))
    tasks.settle_due()
    assert DeadLetter.objects.get().retried_at is None
    clock(timedelta(seconds=16))
    tasks.settle_due()
    assert DeadLetter.objects.get().retried_at is not None


def test_no_more_runs_at_once_than_may_die(notes: Callable[..., str]) -> None:
    running = [notes() for _ in range(3)]
    assert notes() == "busy"
    ends(running[0])
    dies(notes())
    assert notes() == "busy"


def test_the_runs_of_an_earlier_life_are_dead_and_those_of_others_are_not(notes: Callable[..., str]) -> None:
    other = notes(worker="other", life=uuid4())
    earlier = notes(worker="w", life=uuid4())
    nobody = notes(worker="", life=uuid4())
    ends(notes(worker="w", name="any"))
    dead = {str(found.pk) for found in SweepRun.objects.filter(died_at__isnull=False)}
    assert dead == {earlier}
    assert {other, nobody}.isdisjoint(dead)


def test_a_run_that_is_silent_for_too_long_is_dead(notes: Callable[..., str], clock: Callable[..., None]) -> None:
    for _death in range(3):
        notes()
    assert notes() == "busy"
    clock(timedelta(seconds=76))
    assert notes() == "parked"


def test_an_answer_that_only_raises_is_found_and_put_aside_too(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = make.make_batch(tasks=1, gold=6, overlap=3, gold_policy={"probation": 6, "probation_share": 1.0})
    workers = [make.make_worker() for _ in range(5)]
    for number, worker in enumerate(workers):
        make.answer(worker, make.take(worker, batch), "dog" if number == 2 else "cat")
    harmless = judging._score

    def score(fields: Any, key: Any, values: Any) -> float:
        if values["label"] == "dog":
            raise ZeroDivisionError("no such animal")
        return harmless(fields, key, values)

    monkeypatch.setattr(judging, "_score", score)
    for _run in range(3):
        with pytest.raises(ZeroDivisionError):
            score_due()
    score_due()
    letter = DeadLetter.objects.get()
    assert (letter.kind, letter.error) == ("answer", "ZeroDivisionError: no such animal")
    assert len(make.outcomes(where="kind = 'answer'")) == 4

    # What was wrong is mended: staff has it tried again, once.
    monkeypatch.setattr(judging, "_score", harmless)
    score_due()
    assert len(make.outcomes(where="kind = 'answer'")) == 4
    for _again in range(2):
        with one_transaction(principal="test"):
            sweeps.retry(public_id=letter.public_id)
    score_due()
    assert len(make.outcomes(where="kind = 'answer'")) == 5
    assert rows("SELECT * FROM gold_attempt") == []
    assert [f.name for f in check_promises() if f.violations] == []


def test_scorers_at_once_take_every_answer_once(committed: str, together: Callable[..., list[Any]]) -> None:
    batch, worker = make.make_batch(tasks=10, overlap=1), make.make_worker()
    make.answer(worker, make.take(worker, batch, 10))

    def take() -> int:
        with one_transaction(principal="test"):
            return commands.take_due(run_id=uuid4(), task=uuid4(), limit=3)

    assert sum(together([take] * 6)) == 10
    # All are in hand now, of runs that may still be at work.
    assert (take(), value("SELECT max(attempts) FROM gold_attempt")) == (0, 1)


def test_an_end_that_cannot_be_noted_is_noted_by_the_next_run(committed: str) -> None:
    beside = uuid4()
    begin = "SELECT common_begin_run(%s, %s, 's', '', %s)"
    assert value(begin, [beside, uuid4(), sweeps.life]) == "go"
    settings = connections["default"].settings_dict
    connection.close()
    settings["NAME"] = "a database that is away"
    try:
        sweeps._end(beside, None)
        assert sweeps._left == [(beside, None)]
        with pytest.raises(DatabaseError):
            sweeps.write_down_left()
    finally:
        settings["NAME"] = committed
    sweeps.write_down_left()
    assert (sweeps._left, SweepRun.objects.count()) == ([], 0)


def test_a_death_is_noted_as_soon_as_the_database_is_back(committed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task, away, paused = uuid4(), iter([True, True, False]), []
    value("SELECT common_begin_run(%s, %s, 's', 'w', %s)", [uuid4(), task, sweeps.life])
    usual = sweeps.run

    def sometimes(sql: str, params: Any) -> int:
        if next(away):
            raise OperationalError("the database is away")
        return usual(sql, params)

    monkeypatch.setattr(sweeps, "run", sometimes)
    monkeypatch.setattr(sweeps, "sleep", paused.append)
    sweeps._note_death(str(task), "signal 9")
    assert [(run.error, run.died_at is not None) for run in SweepRun.objects.all()] == [("signal 9", True)]
    assert len(paused) == 2


def test_there_is_nothing_to_try_again_where_nothing_is_parked(db: None) -> None:
    with pytest.raises(NotFound), one_transaction(principal="test"):
        sweeps.retry(public_id=uuid4())


def test_every_task_of_ours_is_watched() -> None:
    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        task = app.tasks[entry["task"]]
        watched = getattr(task.run, "__wrapped__", None) is not None
        assert watched or task.name == "workers.gold.tasks.score_due", task.name
