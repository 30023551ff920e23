"""One ./run and its stack: join the running one, or be the one that runs it.

Two locks of the data directory decide. `lock` is held by the ./run that owns the servers. `users.lock` is held shared
by every ./run that joined, so that an owner whose own work is done waits for them before it stops the servers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from . import external, locks, scratch
from .console import StackError, Steps, say
from .migrations import migrate
from .paths import data_directory, remove_temporary_sockets, socket_directory
from .postgres import APP, DATABASE, OWNER, Postgres
from .privileges import placed, service_user
from .processes import end_marked
from .site import choose_ports, healthy, processes
from .supervisor import LONGEST_PAUSE, Supervisor
from .valkey import Valkey
from .variables import Stack, external_servers, for_children
from .wire import NoAnswer, ask_postgres, ask_valkey

START_LIMIT = 600.0


@dataclass(frozen=True)
class Wish:
    """What a command needs of its stack."""

    command: str
    data_names: tuple[str, ...] = ("up",)
    settings: str = "marketplace.settings.dev"
    site: bool = False
    migrated: bool = False
    joins: bool = True
    # A cluster of this run's own, made anew and removed at the end, under settings that differ from the usual ones.
    fresh: bool = False
    postgres: Mapping[str, str] | None = None
    longest_pause: float = LONGEST_PAUSE  # between restarts of a service that keeps dying


@dataclass
class Session:
    """A stack that is ready, with the supervisor to run commands under. `owned` tells whether we run the servers."""

    stack: Stack
    supervisor: Supervisor
    env: dict[str, str]
    owned: bool


@contextmanager
def session(wish: Wish, steps: Steps) -> Iterator[Session]:
    """A ready stack for the duration of the block."""
    external.check_pairing()
    data, lock = _directory(wish)
    using: int | None = None
    stack: Stack | None = None
    if lock is None:
        lock, using, stack = _join_or_own(wish, data)
    try:
        with _joined(wish, stack) if stack is not None else _owned(wish, data, steps) as ready:
            yield ready
    finally:
        for descriptor in (lock, using):
            if descriptor is not None:
                os.close(descriptor)


def _directory(wish: Wish) -> tuple[Path, int | None]:
    """The first of the wished data directories that is free, with its lock; else the first one, without."""
    places = []
    names = wish.data_names if not os.environ.get("TOUCHSTONE_DATA") else wish.data_names[:1]
    for name in names:
        wished = data_directory(name)
        data = wished
        if not all(external_servers()):
            user = service_user(wished / "postgres")
            data = placed(wished, user, chosen_by_caller=bool(os.environ.get("TOUCHSTONE_DATA")))
        else:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = locks.take(data / "lock")
        if lock is not None:
            return data, lock
        places.append(data)
    return places[0], None


def _join_or_own(wish: Wish, data: Path) -> tuple[int | None, int | None, Stack | None]:
    """The lock of another ./run once it is gone; or, once it is ready, a shared hold on its servers and its stack."""
    told, started = False, time.monotonic()
    while True:
        lock = locks.take(data / "lock")
        if lock is not None:
            return lock, None, None
        stack = Stack.read(data)
        if stack is not None and stack.has_site and wish.command == "up":
            raise StackError(f"The site already runs at {stack.base_url} (./run {stack.command}, process {stack.pid}).")
        if stack is not None and wish.joins and (stack.has_site or not wish.site) and _answers(stack):
            using = locks.take(data / "users.lock", shared=True)
            if using is not None:
                # Read again under the lock: an owner that is about to stop takes its stack back first.
                if Stack.read(data) == stack:
                    return None, using, stack
                os.close(using)
        if not told:
            other = f"./run {stack.command}" if stack else "Another ./run"
            say(f"{other} uses {data}; waiting for it …")
            told = True
        if stack is None and time.monotonic() - started > START_LIMIT and wish.joins:
            raise StackError(f"Another ./run holds {data} without becoming ready: stop it and run again.")
        time.sleep(0.2)


def _answers(stack: Stack) -> bool:
    """Whether the servers of a published stack are there."""
    if stack.sockets is not None:
        sockets = Path(stack.sockets)
        try:
            if _embedded_database(stack):
                ask_postgres(sockets, "SELECT 1", user=OWNER, database=DATABASE)
            if stack.redis_url.startswith(f"unix://{sockets}/"):
                ask_valkey(sockets / "valkey.sock", "PING")
        except NoAnswer:
            return False
    return stack.web_port is None or healthy(stack.web_port)


def _embedded_database(stack: Stack) -> bool:
    return stack.database_owner_url.startswith(f"postgresql://{OWNER}@/")


@contextmanager
def _joined(wish: Wish, stack: Stack) -> Iterator[Session]:
    supervisor = Supervisor()
    try:
        database, owner, redis = external_servers()
        stack = replace(
            stack,
            database_url=database or stack.database_url,
            database_owner_url=owner or stack.database_owner_url,
            redis_url=redis or stack.redis_url,
        )
        yield Session(stack, supervisor, for_children(stack, settings=wish.settings), owned=False)
    finally:
        supervisor.stop()


@contextmanager
def _owned(wish: Wish, data: Path, steps: Steps) -> Iterator[Session]:
    Stack.forget(data)
    end_marked(data)
    if wish.fresh:
        scratch.clear(data)
    (data / "logs").mkdir(mode=0o700, exist_ok=True)
    supervisor = Supervisor(wish.longest_pause)
    nobody_joins: int | None = None
    try:
        stack, env = _started(wish, data, supervisor, steps)
        stack.write()
        yield Session(stack, supervisor, env, owned=True)
        if wish.command not in ("up", "demo"):
            nobody_joins = _wait_for_users(data, supervisor)
    except StackError:
        # Ctrl-C in a terminal also reaches the programs that we run, which then fail in their own words.
        supervisor.refuse_if_stopped()
        raise
    finally:
        Stack.forget(data)
        supervisor.stop()
        remove_temporary_sockets(data)
        if wish.fresh:
            scratch.clear(data)
        if nobody_joins is not None:
            os.close(nobody_joins)


def _started(wish: Wish, data: Path, supervisor: Supervisor, steps: Steps) -> tuple[Stack, dict[str, str]]:
    """Start what the wish needs, in order."""
    stack = Stack(wish.command, os.getpid(), str(data), *external_servers())
    if not (stack.database_url and stack.redis_url):
        user = service_user(data / "postgres")
        sockets = socket_directory(data, user.uid, user.gid)
        stack = replace(stack, sockets=str(sockets))
        stack = _start_servers(supervisor, stack, Postgres(data, sockets, user, wish.postgres), steps)
    external.check_answers()
    env = for_children(stack, settings=wish.settings)
    if wish.migrated:
        migrate(supervisor, stack, env, steps)
    if wish.site:
        web, live = choose_ports()
        steps.next(f"starting the site on port {web} …")
        stack = replace(stack, web_port=web, live_port=live)
        env = for_children(stack, settings=wish.settings)
        # Worker and beat begin when the pages are up, so that the person waits for as little as possible.
        answering, working = processes(env, data, web, live)
        supervisor.start(*answering)
        supervisor.start(*working)
    supervisor.refuse_if_stopped()
    return stack, env


def _start_servers(supervisor: Supervisor, stack: Stack, postgres: Postgres, steps: Steps) -> Stack:
    if not stack.database_url:
        steps.next(f"starting PostgreSQL {postgres.major} …")
        postgres.prepare()
        supervisor.start(postgres)
        stack = replace(stack, database_url=postgres.url(APP), database_owner_url=postgres.url(OWNER))
    else:
        steps.next("using the database of DATABASE_URL")
    if not stack.redis_url:
        valkey = Valkey(postgres.data, postgres.sockets, postgres.user)
        steps.next("starting Valkey …")
        valkey.prepare()
        supervisor.start(valkey)
        stack = replace(stack, redis_url=valkey.url)
    else:
        steps.next("using the server of REDIS_URL")
    return stack


def _wait_for_users(data: Path, supervisor: Supervisor) -> int | None:
    """Let the ./run that joined us finish, unless somebody asks us to stop; then nobody joins while this is held."""
    Stack.forget(data)

    def stop_now() -> bool:
        supervisor.tick()
        return supervisor.asked_to_stop > 0

    waiting = "Another ./run still uses these servers; waiting for it (Ctrl-C stops them now) …"
    return locks.wait_for(data / "users.lock", waiting=waiting, give_up=stop_now)
