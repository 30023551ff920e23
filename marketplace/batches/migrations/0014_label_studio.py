"""Imports of Label Studio's tasks, and what an import leaves out."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("batches", "0013_gold_lane"),
    ]

    operations = [
        migrations.AlterField(
            model_name="import",
            name="kind",
            field=models.CharField(default="jsonl", max_length=12),
        ),
        migrations.AddField(
            model_name="import",
            name="left_out",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.RunSQL(
            "GRANT UPDATE (left_out) ON batches_import TO touchstone_runtime",
            "REVOKE UPDATE (left_out) ON batches_import FROM touchstone_runtime",
        ),
    ]
