"""A Celery worker of the real application, in which one answer and one sweep are deadly: `celery -A` loads this.

Each death leaves a line in the file that `DEATHS` names, so that a test can count them.
"""

import os
import resource
from typing import Any

import django

from marketplace.celery import app as app

django.setup()

from marketplace.common.sweeps import sweep  # noqa: E402
from workers.gold import judging  # noqa: E402

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
harmless = judging._score


def die(of: str) -> None:
    """As a library does whose memory is broken: no exception, no clean-up."""
    with open(os.environ["DEATHS"], "a", encoding="utf-8") as deaths:
        deaths.write(f"{of}\n")
    os.abort()


def score_or_die(fields: dict[str, Any], key: dict[str, Any], values: dict[str, Any]) -> float:
    """The answer `dog` is poison."""
    if values.get("label") == "dog":
        die("answer")
    return harmless(fields, key, values)


judging._score = score_or_die


@sweep
def doomed(**_: Any) -> None:
    """Nothing that it could put aside: it dies every time, while its file says so."""
    if os.path.exists(os.environ["DEATHS"] + ".doom"):
        die("sweep")


@sweep
def bystander(**_: Any) -> None:
    """Shows that the pool is alive."""
    with open(os.environ["DEATHS"] + ".alive", "a", encoding="utf-8") as alive:
        alive.write("alive\n")
