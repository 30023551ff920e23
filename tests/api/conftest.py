import pytest

from tests.api.market import Market, make_market


@pytest.fixture
def market(db: None) -> Market:
    """A small market, rolled back after the test."""
    return make_market()
