"""The processes in which the actors live: a few, each with a thread for every actor, so that one can be stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from typing import Any

from deploy.stack.processes import dies_with_us
from tests.torture.actors.base import Actor
from tests.torture.control import FORK

EACH = 10


def start(actors: Sequence[Actor]) -> list[Any]:
    """Fork the clients; the kinds are spread over the processes."""
    count = max(1, -(-len(actors) // EACH))
    dies = dies_with_us(signal.SIGKILL)
    processes = [FORK.Process(target=_live, args=(actors[number::count], dies), daemon=True) for number in range(count)]
    for process in processes:
        process.start()
    return processes


def join(processes: Sequence[Any], limit_s: float) -> bool:
    """Wait until all have ended; whether they did."""
    for process in processes:
        process.join(limit_s)
    return all(process.exitcode is not None for process in processes)


def _live(actors: Sequence[Actor], dies: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the conductor's to hear
    dies()
    threads = [threading.Thread(target=actor.run, name=actor.name) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
