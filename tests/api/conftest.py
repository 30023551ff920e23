import pytest

from tests.api.market import Market, make_market


@pytest.fixture(scope="module")
def module_market(staged: None) -> Market:
    """A small market, made once for the tests of a module."""
    return make_market()


@pytest.fixture
def market(module_market: Market, db: None) -> Market:
    """The market of the module as it was made; what the test does to it is rolled back."""
    return module_market.again()
