"""A progress bar on stderr; where stderr is a file or a pipe, a plain line now and then."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TextIO

WIDTH = 30
LINE_EVERY_S = 10.0
DRAW_EVERY_S = 0.1


class Progress:
    """`with Progress("answers", 500) as bar: bar.advance()`. Threads may share it."""

    def __init__(self, title: str, total: int, stream: TextIO | None = None) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self.stream = stream or sys.stderr
        self.is_tty = self.stream.isatty()
        self.started = time.monotonic()
        self._drawn_at = self.started if not self.is_tty else 0.0
        self._lock = threading.Lock()

    def advance(self, count: int = 1) -> None:
        """`count` more are done."""
        with self._lock:
            self.done += count
            if time.monotonic() - self._drawn_at >= (DRAW_EVERY_S if self.is_tty else LINE_EVERY_S):
                self._draw()

    def finish(self) -> None:
        """Draw the last state and leave the line."""
        with self._lock:
            self._draw()
            if self.is_tty:
                self.stream.write("\n")
                self.stream.flush()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        elapsed_s = self._drawn_at - self.started
        rate = self.done / elapsed_s if elapsed_s > 0 else 0.0
        figures = f"{self.done}/{self.total} in {elapsed_s:.0f} s, {rate:.0f}/s"
        if self.is_tty:
            filled = WIDTH * min(self.done, self.total) // self.total if self.total else WIDTH
            self.stream.write(f"\r{self.title:<12} [{'#' * filled}{'.' * (WIDTH - filled)}] {figures}\x1b[K")
        else:
            self.stream.write(f"{self.title}: {figures}\n")
        self.stream.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, at: TracebackType | None) -> None:
        self.finish()
