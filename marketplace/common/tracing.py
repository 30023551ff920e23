"""Which request something comes from: an id that is bound while it is served, said in its answer (`X-Request-Id`), put
on every line of the log, written beside every event of its transaction, and carried on into the tasks that follow.

Ids are 32 hexadecimal digits. They say nothing of who asked.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import structlog
from django.conf import settings

HEADER = "X-Request-Id"
ID = re.compile(r"[0-9a-f]{32}")
NAME = "request_id"


def new_id() -> str:
    """An id that nothing else has."""
    return uuid4().hex


def id_of(given: str | None) -> str:
    """The id that a proxy of ours gave the request; a new one where no proxy stands in front, or where it gave none.

    A client's own header is not believed: he could make lines of the log look as if they were another's.
    """
    if settings.PROXIES and given is not None and ID.fullmatch(given):
        return given
    return new_id()


def current_id() -> str | None:
    """The id of the request that is being served, or that caused what is being done; None outside of any."""
    found: str | None = structlog.contextvars.get_contextvars().get(NAME)
    return found


def trace(request_id: str) -> None:
    """What this task of an event loop does from now on comes from this request."""
    structlog.contextvars.bind_contextvars(**{NAME: request_id})


@contextmanager
def traced(request_id: str | None) -> Iterator[None]:
    """Whatever happens in the block comes from this request; with None nothing changes."""
    if request_id is None:
        yield
        return
    with structlog.contextvars.bound_contextvars(**{NAME: request_id}):
        yield
