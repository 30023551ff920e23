from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from marketplace.webhooks import egress
from tests.webhooks.receiver import HOST, Authority, Receiver, make_authority, receiving


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Certifies the receiver, by name and by address."""
    return make_authority(tmp_path_factory.mktemp("authority"), HOST, "127.0.0.1")


@pytest.fixture
def receiver(authority: Authority, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver under a name that resolves to it, which alone may be reached; everything else is as it always is."""
    with receiving(authority) as made:
        settings.EGRESS_ALLOW = [f"127.0.0.1:{made.port}"]
        settings.EGRESS_CA_FILE = authority.ca_file
        monkeypatch.setattr(egress, "resolve", lambda host, port: {HOST: [ip_address("127.0.0.1")]}[host])
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
