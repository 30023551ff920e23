"""The faults themselves. A new one is a function in `FAULTS`, and a line in plan.py that says how often."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import psycopg
import redis

from deploy.stack.paths import ROOT
from deploy.stack.processes import MARKER, dies_with_us
from tests.torture import sql
from tests.torture.control import Control
from tests.torture.plan import Fault
from tests.torture.site import Site, children, kill, wait

VICTIM_LIMIT_S = 8.0


@dataclass
class Injury:
    """What a fault works with; `undo` runs when its time is over, and at the end of all faults in any case."""

    site: Site
    control: Control
    chance: Random
    clients: list[int]  # the processes of the clients
    undo: dict[threading.Timer, Callable[[], None]] = field(default_factory=dict)

    def later(self, seconds: float, undo: Callable[[], None]) -> None:
        """Undo something after its time."""

        def now() -> None:
            if self.undo.pop(timer, None) is not None:
                undo()

        timer = threading.Timer(seconds, now)
        timer.daemon = True
        self.undo[timer] = undo
        timer.start()

    def heal(self) -> None:
        """Undo all that is still wrong."""
        for timer, undo in list(self.undo.items()):
            timer.cancel()
            if self.undo.pop(timer, None) is not None:
                undo()


def strike(fault: Fault, injury: Injury) -> bool:
    """Do it; whether it really happened."""
    return FAULTS[fault.kind](fault, injury)


def kill_postgres(fault: Fault, injury: Injury) -> bool:
    """kill -9 of the postmaster and all its children at once, as when the machine loses its power."""
    main = wait(injury.site.postgres, VICTIM_LIMIT_S)
    if not main:
        return False
    # Stopped first, it cannot fork while its children are counted.
    kill(main, signal.SIGSTOP)
    victims = [main, *children(main)]
    return all([kill(pid) for pid in victims][:1])


def kill_valkey(fault: Fault, injury: Injury) -> bool:
    """kill -9 of Valkey."""
    pid = wait(injury.site.valkey_process, VICTIM_LIMIT_S)
    return bool(pid) and kill(pid)


def _kill_main(name: str) -> Callable[[Fault, Injury], bool]:
    def kill_it(fault: Fault, injury: Injury) -> bool:
        pid = wait(lambda: injury.site.main(name), VICTIM_LIMIT_S)
        return bool(pid) and kill(pid)

    kill_it.__doc__ = f"kill -9 of the main process of {name}."
    return kill_it


def _kill_child(name: str) -> Callable[[Fault, Injury], bool]:
    def kill_it(fault: Fault, injury: Injury) -> bool:
        victims = wait(lambda: injury.site.children(name), VICTIM_LIMIT_S)
        return bool(victims) and kill(injury.chance.choice(victims))

    kill_it.__doc__ = f"kill -9 of a worker process of {name}."
    return kill_it


def flushall(fault: Fault, injury: Injury) -> bool:
    """Valkey forgets everything."""
    with contextlib.suppress(redis.RedisError):
        injury.site.valkey().flushall()
        return True
    return False


def _stop(find: Callable[[Injury], list[int]]) -> Callable[[Fault, Injury], bool]:
    def stop_it(fault: Fault, injury: Injury) -> bool:
        victims = wait(lambda: find(injury), VICTIM_LIMIT_S)
        if not victims:
            return False
        pid = injury.chance.choice(victims)
        stopped = kill(pid, signal.SIGSTOP)
        injury.later(fault.seconds, lambda: kill(pid, signal.SIGCONT) and None)
        return stopped

    return stop_it


def terminate_backends(fault: Fault, injury: Injury) -> bool:
    """pg_terminate_backend of a share of the site's sessions, whatever they are doing."""
    with contextlib.suppress(psycopg.Error), injury.site.connect() as database:
        pids = [row[0] for row in database.execute(sql.BACKENDS)]
        chosen = injury.chance.sample(pids, max(1, round(fault.size * len(pids)))) if pids else []
        for pid in chosen:
            database.execute(sql.TERMINATE, [pid])
        return bool(chosen)
    return False


def second_beat(fault: Fault, injury: Injury) -> bool:
    """Two clocks at once."""
    data = injury.site.data
    env = {**os.environ, MARKER: str(data), "PYTHONPATH": str(ROOT / "tests" / "torture" / "hooks")}
    argv = [sys.executable, "-m", "celery", "-A", "marketplace.celery", "beat", "--pidfile", ""]
    argv += ["--loglevel", "WARNING"]
    with (data / "logs" / "second-beat.log").open("ab") as log:
        beat = subprocess.Popen(
            argv, env=env, cwd=ROOT, stdout=log, stderr=log, preexec_fn=dies_with_us(signal.SIGKILL)
        )

    def end() -> None:
        beat.kill()
        beat.wait()

    injury.later(fault.seconds, end)
    return True


def clock_jump(fault: Fault, injury: Injury) -> bool:
    """The wall clock of all app processes is wrong for a while, and then right again: two jumps."""
    set_clock(injury.site, fault.size)
    injury.later(fault.seconds, lambda: set_clock(injury.site, 0.0))
    return True


def set_clock(site: Site, offset_s: float) -> None:
    """Move the wall clock of the app processes; the hooks in them look at these eight bytes."""
    with (site.control / "clock").open("r+b") as file:
        file.write(struct.pack("d", offset_s))


def cut_answers(fault: Fault, injury: Injury) -> bool:
    """A share of the answers gets lost on its way to the clients, after the server gave it."""
    injury.control.cut_share = fault.size

    def mend() -> None:
        injury.control.cut_share = 0.0

    injury.later(fault.seconds, mend)
    return True


FAULTS: dict[str, Callable[[Fault, Injury], bool]] = {
    "kill_postgres": kill_postgres,
    "kill_valkey": kill_valkey,
    "kill_web_worker": _kill_child("web"),
    "kill_web": _kill_main("web"),
    "kill_live": _kill_main("live"),
    "kill_relay": _kill_main("relay"),
    "kill_worker": _kill_main("worker"),
    "kill_pool_child": _kill_child("worker"),
    "kill_beat": _kill_main("beat"),
    "flushall": flushall,
    "stop_web_worker": _stop(lambda injury: injury.site.children("web")),
    "stop_worker": _stop(lambda injury: [pid for pid in [injury.site.main("worker")] if pid]),
    "stop_clients": _stop(lambda injury: injury.clients),
    "terminate_backends": terminate_backends,
    "second_beat": second_beat,
    "clock_jump": clock_jump,
    "cut_answers": cut_answers,
}
