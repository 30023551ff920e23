"""The progress bar."""

from __future__ import annotations

import io
import threading

from tests.crowd.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_gets_plain_lines() -> None:
    out = io.StringIO()
    with Progress("answers", 3, out) as bar:
        for _ in range(3):
            bar.advance()
    assert out.getvalue().startswith("answers: 3/3 in ")
    assert out.getvalue().count("\n") == 1


def test_a_terminal_gets_a_bar_that_is_full_at_the_end() -> None:
    out = Terminal()
    with Progress("answers", 2, out) as bar:
        bar.advance(2)
    assert f"[{'#' * 30}]" in out.getvalue().rsplit("\r", 1)[1]
    assert out.getvalue().endswith("\n")


def test_nothing_to_do_is_a_full_bar() -> None:
    out = Terminal()
    Progress("answers", 0, out).finish()
    assert "0/0" in out.getvalue()


def test_threads_share_a_bar() -> None:
    bar = Progress("answers", 4000, io.StringIO())

    def advance_often() -> None:
        for _ in range(1000):
            bar.advance()

    threads = [threading.Thread(target=advance_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bar.done == 4000
