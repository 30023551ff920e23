"""What tests of payouts share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.payouts.provider_server import ProviderServer


@pytest.fixture
def provider_server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ProviderServer]]:
    """Start a provider and offer it under the name `test`."""
    started: list[ProviderServer] = []
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def start(**faults: Any) -> ProviderServer:
        server = ProviderServer(**faults)
        server.__enter__()
        started.append(server)
        settings.PAYOUT_TEST_URL, settings.PAYOUT_TEST_SECRET = server.url, "shared with nobody else"
        return server

    yield start
    for server in started:
        server.__exit__()


@pytest.fixture
def generous(settings: Any) -> None:
    """No limit on how often and how much."""
    settings.PAYOUT_DAILY_COUNT, settings.PAYOUT_DAILY_MICROS = 10**6, 10**15
