"""The embedded default of `./run`: one machine, loopback, mail on the console."""

from pathlib import Path

from marketplace.settings.base import *

# One person tries things out here, all from one address.
THROTTLES = {**THROTTLES, "sign-up": "100/hour"}

if EMAIL_CONFIG["EMAIL_BACKEND"].endswith(".console.EmailBackend"):
    _log = Path(env.str("TOUCHSTONE_DATA", default=".data/up")) / "logs" / "web.log"
    MAIL_PLACE = str(_log.relative_to(BASE_DIR) if _log.is_relative_to(BASE_DIR) else _log)
DESIGN_PAGE = True
