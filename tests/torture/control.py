"""The few numbers that all processes of the rig share."""

from __future__ import annotations

import multiprocessing
from typing import Any

FORK = multiprocessing.get_context("fork")
RUN, DRAIN, STOP = range(3)


class Control:
    """Where the run stands. Clients read it, the conductor writes it."""

    def __init__(self) -> None:
        self._phase: Any = FORK.Value("i", RUN, lock=False)
        self._cut: Any = FORK.Value("d", 0.0, lock=False)

    @property
    def running(self) -> bool:
        """Whether anything new is begun."""
        return bool(self._phase.value == RUN)

    @property
    def stopped(self) -> bool:
        """Whether even what was begun is given up."""
        return bool(self._phase.value == STOP)

    def drain(self) -> None:
        """Begin nothing new; see what was begun to its end."""
        self._phase.value = DRAIN

    def stop(self) -> None:
        """Give up."""
        self._phase.value = STOP

    @property
    def cut_share(self) -> float:
        """Which share of the answers is cut off on their way, beyond the usual."""
        return float(self._cut.value)

    @cut_share.setter
    def cut_share(self, share: float) -> None:
        self._cut.value = share
