"""Migrations go back and forth again, and say all that the models say."""

from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command

from tests.conftest import owner_connection

OWN = ("marketplace.", "workers.")


def tables(database: str) -> set[str]:
    with owner_connection(database) as owner:
        found = owner.execute(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND relkind IN ('r', 'v')"
        ).fetchall()
    return {row[0] for row in found}


def test_every_migration_of_ours_can_be_taken_back_and_made_again(committed: str, migrator: Any) -> None:
    before = tables(committed)
    labels = [config.label for config in apps.get_app_configs() if config.name.startswith(OWN) and config.models]
    for label in reversed(labels):
        call_command("migrate", label, "zero", database="owner", verbosity=0)
    left = tables(committed)
    assert not {name for name in left if name.split("_")[0] in labels and name.split("_")[0] != "accounts"}
    assert not {name for name in left if name.startswith("inv_")}
    call_command("migrate", database="owner", verbosity=0)
    assert tables(committed) == before


@pytest.mark.django_db
def test_the_migrations_say_all_that_the_models_say() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
