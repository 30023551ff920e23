"""Nobody lets his own money go by another account of his: persons are compared, and not accounts."""

from importlib import import_module

from django.db import migrations

from marketplace.common.rewriting import changed

STEPS = import_module("marketplace.payouts.migrations.0002_guards").STEPS
RELEASES = import_module("marketplace.payouts.migrations.0003_run_release").GUARDS


def function(sql: str, name: str) -> str:
    """One function of an earlier migration, to be made anew."""
    begin = sql.index(f"CREATE FUNCTION {name}(")
    return sql[begin : sql.index("END $$;", begin) + len("END $$;")].replace(
        "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
    )


STEP_BEFORE = function(STEPS, "payouts_step")
STEP = changed(STEP_BEFORE, ("NEW.decided_by_id = NEW.user_id", "accounts_same_person(NEW.decided_by_id, NEW.user_id)"))
RELEASE_BEFORE = function(RELEASES, "payouts_release_begin")
RELEASE = changed(
    RELEASE_BEFORE,
    ("r.made_by_id = NEW.made_by_id", "accounts_same_person(r.made_by_id, NEW.made_by_id)"),
    # Each account is looked at once: a run may have thousands of payouts.
    (
        "SELECT 1 FROM payouts_payout p WHERE p.run_id = NEW.run_id AND p.user_id = NEW.made_by_id",
        "SELECT 1 FROM (SELECT DISTINCT p.user_id FROM payouts_payout p WHERE p.run_id = NEW.run_id) paid\n"
        "                  WHERE accounts_same_person(paid.user_id, NEW.made_by_id)",
    ),
)


class Migration(migrations.Migration):
    dependencies = [("payouts", "0003_run_release"), ("accounts", "0011_parts")]
    operations = [migrations.RunSQL([STEP, RELEASE], [RELEASE_BEFORE, STEP_BEFORE])]
