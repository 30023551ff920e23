from tests.api.conftest import market as market
from tests.api.conftest import module_market as module_market
