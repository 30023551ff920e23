"""Quality rules are a term of a batch, final like the others."""

from importlib import import_module

from django.db import migrations, models

from marketplace.common.rewriting import changed

MONEY = import_module("marketplace.batches.migrations.0009_money_terms")
TERMS_BEFORE = MONEY.with_more(MONEY.TERMS_BEFORE)


TERMS = changed(
    TERMS_BEFORE,
    ("NEW.topup_basis_points)", "NEW.topup_basis_points, NEW.quality)"),
    ("OLD.topup_basis_points)", "OLD.topup_basis_points, OLD.quality)"),
)


class Migration(migrations.Migration):
    dependencies = [("batches", "0009_money_terms")]
    operations = [
        migrations.AddField("batch", "quality", models.JSONField(default=dict, db_default={})),
        migrations.AddConstraint(
            "batch",
            models.CheckConstraint(
                condition=models.Q(quality={}) | models.Q(quality__has_any_keys=["preset", "rules"]),
                name="batch_quality",
            ),
        ),
        migrations.RunSQL(TERMS, TERMS_BEFORE),
    ]
