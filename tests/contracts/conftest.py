"""What the contracts share."""

from typing import Any

import pytest

from tests.api.conftest import market, module_market  # noqa: F401  (what tests do to it is rolled back)
from tests.contracts.persons import World, make_world
from tests.live.conftest import addresses  # noqa: F401  (read before a transaction is open)


@pytest.fixture(scope="module")
def module_world(staged: None) -> World:
    """Everybody and everything, made once for the tests of a module."""
    return make_world()


@pytest.fixture
def world(module_world: World, db: None, settings: Any) -> World:
    """The world of the module as it was made; what a test does to it is rolled back."""
    # Everybody has just shown who he is, however long the module takes.
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 86_400
    return module_world
