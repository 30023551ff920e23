"""The live server's few HTTP addresses."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.db import OperationalError

from marketplace.asgi import application
from tests.live.communicators import get
from workers.live.protocol import document


def answer(path: str, method: str = "GET") -> tuple[int, Any]:
    return async_to_sync(get)(path, method)


def test_health_is_200_while_the_database_answers(db: None) -> None:
    assert answer("/health/") == (200, {"status": "ok", "database": True})


def test_health_is_503_without_it(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise OperationalError("gone")

    monkeypatch.setattr("workers.live.http.database_version", fail)

    assert answer("/health/") == (503, {"status": "unavailable", "database": False})


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/", "GET", 404), ("/api/v1/keys", "GET", 404), ("/health/", "POST", 405)]
)
def test_nothing_else_is_here(db: None, path: str, method: str, status: int) -> None:
    assert answer(path, method)[0] == status


def test_the_schemas_of_the_protocol_are_given_to_anybody() -> None:
    assert answer("/live/protocol.json") == (200, document())


def test_start_and_end_are_acknowledged() -> None:
    async def live_and_die() -> list[str]:
        server = ApplicationCommunicator(application, {"type": "lifespan", "asgi": {"version": "3.0"}})
        heard = []
        for step in ("startup", "shutdown"):
            await server.send_input({"type": f"lifespan.{step}"})
            heard.append((await server.receive_output(timeout=5))["type"])
        await server.wait()
        return heard

    assert async_to_sync(live_and_die)() == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
