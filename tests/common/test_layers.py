"""Foreign keys point down, as imports do; the runtime role can delete only what may go."""

import tomllib
from pathlib import Path

import pytest
from django.apps import apps

from marketplace.common.database import rows

ROOT = Path(__file__).resolve().parents[2]
OWN = ("marketplace.", "workers.")


def layers() -> dict[str, int]:
    """The layer of each app, 0 at the top, as the import contract says it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    lines = next(contract["layers"] for contract in contracts if contract["name"].startswith("Apps look down"))
    return {name.strip(" ()"): depth for depth, line in enumerate(lines) for name in line.split("|")}


def test_every_foreign_key_points_down_or_stays_in_its_app() -> None:
    depth = layers()
    walked = 0
    for config in apps.get_app_configs():
        if not config.name.startswith(OWN):
            continue
        for model in config.get_models():
            for field in model._meta.get_fields():
                target = getattr(field, "related_model", None)
                if not field.concrete or target is None or not target._meta.app_config.name.startswith(OWN):
                    continue
                walked += 1
                own, other = config.name, target._meta.app_config.name
                assert own == other or depth[own] < depth[other], f"{model.__name__}.{field.name} points up"
    assert walked > 30


@pytest.mark.django_db
def test_the_runtime_role_may_delete_these_rows_of_ours_and_no_others() -> None:
    own = {
        model._meta.db_table
        for config in apps.get_app_configs()
        if config.name.startswith(OWN)
        for model in config.get_models()
    }
    deletable = {
        row[0]
        for row in rows(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind = 'r'"
            " AND has_table_privilege('touchstone_runtime', c.oid, 'DELETE')"
        )
    }
    assert own & deletable == {
        "accounts_apikey",
        "accounts_member",
        "accounts_notice",
        "accounts_ticket",
        "accounts_usedcode",
        "assignments_draft",
        "assignments_waiting",
        "batches_importpart",
        "batches_progressdelta",
        "common_idempotency",
        "common_outbox",
        "common_outboxcursor",
        "common_sweeprun",
        "gold_attempt",
        "gold_toscore",
        "payouts_threshold",
        "reputation_toevaluate",
        "results_datasetpart",
        "results_reviewdue",
        "results_toclose",
        "results_toconsider",
        "streams_skipped",
        "webhooks_attempt",
        "webhooks_delivery",
        "webhooks_event",
    }


@pytest.mark.django_db
def test_the_runtime_role_owns_nothing_and_truncates_nothing() -> None:
    assert rows("SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = current_user") == []
    assert (
        rows(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'"
            " AND c.relkind = 'r' AND has_table_privilege(current_user, c.oid, 'TRUNCATE')"
        )
        == []
    )
