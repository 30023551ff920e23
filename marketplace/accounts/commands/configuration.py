"""Keeping what the site is set to, so that nobody changes it without a trace."""

from psycopg.types.json import Jsonb

from marketplace.accounts.commands.acts import record
from marketplace.accounts.configuration import Settings, changes
from marketplace.accounts.queries import configurations
from marketplace.common.database import value, wait_sweep_lock
from marketplace.common.transactions import require_transaction


def keep_configuration(settings: Settings) -> bool:
    """Add what the site is set to now to the history, if it is not what stands there last; whether it was added.

    Processes that start together wait for each other, so that a change is written once.
    """
    require_transaction()
    wait_sweep_lock("configuration")
    last = configurations().order_by("-pk").first()
    if last is not None and last.settings == settings:
        return False
    number = value("INSERT INTO accounts_configuration (settings) VALUES (%s) RETURNING id", [Jsonb(settings)])
    changed = changes(last.settings, settings) if last is not None else []
    record("configuration.deployed", subject="configuration", subject_id=number, after={"changes": len(changed)})
    return True
