"""Readiness: the database and its migrations decide; Redis and the relay are named."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.signals import connection_created
from django.test import Client

from marketplace.common.database import run
from marketplace.common.durability import BEHIND, require_durability
from marketplace.pages import queries
from tests.acts import horizon


def answer() -> tuple[int, Any]:
    response = Client().get("/ready/")
    assert "no-store" in response["Cache-Control"]
    return response.status_code, response.json()


@pytest.fixture(autouse=True)
def not_seen_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "_migrated", False)


def test_it_is_ready_when_all_is_there(db: None) -> None:
    facts = {"database": True, "migrations": True, "redis": True, "relay": True}
    assert answer() == (200, {"status": "ready", **facts})


def test_without_the_database_it_is_not(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> str:
        raise OperationalError("gone")

    monkeypatch.setattr(queries, "database_version", gone)
    assert answer() == (503, {"status": "unavailable", "database": False})


def test_a_database_of_an_earlier_release_is_not_served(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    every = queries._migrations()
    assert ("common", "0001_foundations") in every
    assert len(every) > 100
    monkeypatch.setattr(queries, "_migrations", lambda: [*every, ("common", "9999_of_tomorrow")])
    status, facts = answer()
    assert (status, facts["status"], facts["migrations"]) == (503, "unavailable", False)

    monkeypatch.setattr(queries, "_migrations", lambda: every)
    assert answer()[0] == 200, "it is asked again until it is so"


def test_without_redis_it_serves(db: None, settings: Any) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey.sock?db=0"
    assert answer() == (
        200,
        {"status": "degraded", "database": True, "migrations": True, "redis": False, "relay": True},
    )


def test_without_the_relay_it_serves(committed: str, clock: Any) -> None:
    run("INSERT INTO common_outbox (kind, body, made_at) VALUES ('Unread', '{}', market_now())")
    assert answer()[1]["relay"]
    horizon()
    clock(timedelta(seconds=queries.RELAY_UNSEEN_S + 1))

    status, facts = answer()

    assert (status, facts["status"], facts["relay"]) == (200, "degraded", False)


def test_a_dump_in_a_new_server_is_refused_at_the_start(committed: str, as_owner: Any) -> None:
    require_durability()
    # As if the server that this database comes from had been a million transactions further.
    as_owner.execute("ALTER TABLE common_outboxcursor DISABLE TRIGGER cursor_step")
    as_owner.execute("UPDATE common_outboxcursor SET xid = (pg_current_xact_id()::text::bigint + 1000000)::text::xid8")

    try:
        with pytest.raises(SystemExit) as refused:
            require_durability()
    finally:
        connection_created.disconnect(dispatch_uid="durability")

    assert str(refused.value) == BEHIND
