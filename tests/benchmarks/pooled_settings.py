"""The product's settings with psycopg's pool in place of persistent connections, for `bench servers`."""

from marketplace.settings.dev import *  # noqa: F403
from marketplace.settings.dev import DATABASES as PERSISTENT

_default = PERSISTENT["default"]
DATABASES = {
    **PERSISTENT,
    "default": {
        **_default,
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
        "OPTIONS": {**_default["OPTIONS"], "pool": {"min_size": 4, "max_size": 8, "timeout": 30}},
    },
}
