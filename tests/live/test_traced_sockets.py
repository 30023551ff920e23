"""What comes over a socket or a long poll can be followed as what comes over HTTP."""

from typing import Any

import pytest
from django.http import HttpResponse

from marketplace.common.tracing import ID, current_id
from tests import factories as make
from tests.api_client import key_for
from tests.live.test_polls import WORKER, ask, run
from workers.live import commands


def test_each_command_of_a_socket_is_a_request_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    def handler(*_: Any) -> HttpResponse:
        seen.append(current_id())
        return HttpResponse(b"{}")

    monkeypatch.setattr(commands, "_standing", lambda holder: [(1, 1)])
    monkeypatch.setitem(commands.KINDS, "submit", commands.KINDS["submit"]._replace(handler=handler))
    command = commands.command_of({"type": "submit", "id": "1", "key": "k", "answers": []})
    holder: Any = type("Holder", (), {"user_id": 1})()

    for _time in range(2):
        assert commands.run_command(command, holder, {}).status == 200

    assert all(found is not None and ID.fullmatch(found) for found in seen)
    assert seen[0] != seen[1]
    assert current_id() is None


def test_a_long_poll_names_its_request(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        first, second = await ask(WORKER, key), await ask(WORKER, key)
        assert ID.fullmatch(first.headers["x-request-id"])
        assert first.headers["x-request-id"] != second.headers["x-request-id"]

    run(story)
