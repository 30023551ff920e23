"""Sweeps that do not kill their workers for ever (R19).

A sweep is a Celery task without arguments that looks at a table and does what is due. Each run is written down first.
If its process dies, the worker's main process says so; after three deaths in a row, with nothing done between them, the
sweep is parked as a dead letter, and the others go on. It is tried again after 15 s, and after each death of a try
twice as long; a try that gets on ends the matter. A sweep over items that may kill it writes down which it has in hand
instead, so that one item is parked and not the sweep (`workers.gold.commands.take_due`).
"""

import logging
from collections.abc import Callable
from functools import wraps
from threading import Thread
from time import sleep
from typing import Any
from uuid import UUID, uuid4

from celery import Task, shared_task
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from django.db import DatabaseError, connection

from marketplace.common.database import run, value
from marketplace.common.errors import NotFound
from marketplace.common.models import DeadLetter
from marketplace.common.transactions import require_transaction

logger = logging.getLogger("touchstone.sweeps")

# How often, and at what intervals, a death is noted anew while the database is away: until silence would tell it.
NOTE_TRIES, NOTE_PAUSE_S = 75, 1.0
# Who we are: a worker by its name, anew at each start. Processes that are forked from it share both.
worker = ""
life = uuid4()
# Runs of this very process whose end could not be written down, as while the database was away: (id, error or None).
_left: list[tuple[UUID, str | None]] = []
_retries: dict[str, Callable[[str], None]] = {}
# The run of a sweep that this process is in now.
_running: UUID | None = None


def begin_life(name: str) -> None:
    """Called once by a worker, before its processes fork."""
    global worker, life
    worker, life = name, uuid4()


def sweep(function: Callable[..., None]) -> Task:
    """Make a function without arguments a Celery task that is parked once it has killed its process three times."""
    name = f"{function.__module__}.{function.__name__}"

    @shared_task(name=name, bind=True)
    @wraps(function)
    def watched(self: Task, **kwargs: Any) -> None:
        global _running
        write_down_left()
        mine = uuid4()
        told = value("SELECT common_begin_run(%s, %s, %s, %s, %s)", [mine, task_of(self), name, worker, life])
        if told != "go":
            logger.log(logging.ERROR if told == "parked" else logging.WARNING, "%s does not run: it is %s", name, told)
            return
        good, _running = False, mine
        try:
            function(**kwargs)
            good = True
        finally:
            _running = None
            _end(mine, None if good else "")

    return watched


def got_on() -> None:
    """Say, in the transaction of what was just done, that the running sweep has less to do than before.

    It forgives the deaths before this run, as a good end would: a long backlog under which processes are killed from
    outside must not keep its sweep parked. Not for sweeps that begin at the same place again.
    """
    require_transaction()
    if _running is not None:
        run("SELECT common_forgive_run(name, started_at) FROM common_sweeprun WHERE id = %s", [_running])


def task_of(task: Task) -> UUID:
    """The id under which Celery knows this call; one of its own where nobody sent it."""
    return UUID(task.request.id) if task.request.id else uuid4()


def failed(run_id: UUID, error: BaseException) -> None:
    """Note that a run over items ended with an error, so that what it had in hand is tried one by one."""
    _end(run_id, f"{type(error).__name__}: {error}"[:1_000])


def write_down_left() -> None:
    """Note the ends of earlier runs of this process, which could not be noted then."""
    while _left:
        _write_end(*_left[0])
        _left.pop(0)


def _end(run_id: UUID, error: str | None) -> None:
    try:
        _write_end(run_id, error)
    except DatabaseError:
        _left.append((run_id, error))


def _write_end(run_id: UUID, error: str | None) -> None:
    if error:
        run("UPDATE common_sweeprun SET died_at = market_now(), error = %s WHERE id = %s", [error, run_id])
    else:
        run("SELECT common_end_run(%s, %s)", [run_id, error is None])


def runs_now() -> int:
    """How many runs of sweeps have begun and not ended."""
    return int(value("SELECT count(*) FROM common_sweeprun WHERE died_at IS NULL"))


def parked_sweeps() -> list[str]:
    """The sweeps that were put aside and not tried again since."""
    found = DeadLetter.objects.filter(kind="sweep", retried_at=None).order_by("subject")
    return list(found.values_list("subject", flat=True))


def note_death(*, task_id: str, exception: BaseException, **_: Any) -> None:
    """What the worker's main process is told of every failed task; a process that died is noted, from a thread, for the
    main process may not wait for a database."""
    if isinstance(exception, (WorkerLostError, TimeLimitExceeded)):
        Thread(target=_note_death, args=[task_id, str(exception)], name="note-death", daemon=True).start()


def _note_death(task_id: str, error: str) -> None:
    # A process often dies when the database does. Until its end is noted, its sweep counts one run more.
    for _attempt in range(NOTE_TRIES):
        try:
            run(
                "UPDATE common_sweeprun SET died_at = market_now(), error = %s WHERE task = %s AND died_at IS NULL",
                [error[:1_000], task_id],
            )
            return
        except DatabaseError:
            sleep(NOTE_PAUSE_S)
        finally:
            connection.close()
    logger.warning("a run that died could not be noted; it will be, for its silence")


def retries(kind: str) -> Callable[[Callable[[str], None]], Callable[[str], None]]:
    """Register what puts a parked item of this kind, by its subject, back to work."""

    def register(function: Callable[[str], None]) -> Callable[[str], None]:
        _retries[kind] = function
        return function

    return register


def retry(*, public_id: UUID) -> DeadLetter:
    """Try a dead letter's sweep or item again, with three tries anew. Repeating it changes nothing.

    Raises `NotFound`.
    """
    require_transaction()
    anew = run(
        "UPDATE common_deadletter SET retried_at = market_now() WHERE public_id = %s AND retried_at IS NULL",
        [public_id],
    )
    letter = DeadLetter.objects.filter(public_id=public_id).first()
    if letter is None:
        raise NotFound("There is no such dead letter.")
    if anew and letter.kind in _retries:
        _retries[letter.kind](letter.subject)
    return letter
