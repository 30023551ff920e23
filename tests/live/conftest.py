import pytest


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server speaks to the database in the test's own transaction, so nothing may close its connection."""
    monkeypatch.setattr("channels.db.close_old_connections", lambda **_: None)
