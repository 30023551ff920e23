from collections.abc import Iterator

import pytest
from asgiref.sync import SyncToAsync
from django.db import connections
from django.urls import get_resolver

from workers.live.pool import pool


@pytest.fixture(scope="session", autouse=True)
def addresses() -> None:
    """What a process reads once, and slowly, is read before a transaction is open that may not sleep."""
    _ = get_resolver().url_patterns


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The server speaks to the database in the test's own transaction, in its thread."""
    monkeypatch.setattr("channels.db.close_old_connections", lambda **_: None)
    monkeypatch.setattr(pool, "in_callers_thread", True)
    yield
    # What a story leaves behind asks in the framework's own thread, whose connection nobody else closes.
    SyncToAsync.single_thread_executor.submit(connections.close_all).result(30)
