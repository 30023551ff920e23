"""The embedded default of `./run`: one machine, loopback, mail on the console."""

from marketplace.settings.base import *

# One person tries things out here, all from one address.
THROTTLES = {**THROTTLES, "sign-up": "100/hour"}
