"""Figures of batches that look at their answers, kept as they were worked out last."""

import django.db.models.deletion
from django.db import migrations, models

RULES = """
ALTER TABLE results_figures SET (vacuum_truncate = off, toast.vacuum_truncate = off);
GRANT SELECT, INSERT, UPDATE ON results_figures TO touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("results", "0009_with_gold"), ("batches", "0015_told")]
    operations = [
        migrations.CreateModel(
            name="Figures",
            fields=[
                (
                    "batch",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="batches.batch",
                    ),
                ),
                ("body", models.JSONField(db_default={}, default=dict)),
                ("seen", models.JSONField(db_default={}, default=dict)),
                ("rests", models.BooleanField(db_default=False, default=False)),
                ("took_ms", models.PositiveIntegerField(db_default=0, default=0)),
                ("wanted_at", models.DateTimeField(db_index=True)),
                ("begun_at", models.DateTimeField(null=True)),
                ("made_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.RunSQL(RULES, migrations.RunSQL.noop),
    ]
