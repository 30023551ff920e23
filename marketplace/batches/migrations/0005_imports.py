"""Imports become operations with a cursor; their bodies are kept in parts until their rows are tasks."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

STATES = [
    ("receiving", "Receiving"),
    ("running", "Running"),
    ("done", "Done"),
    ("failed", "Failed"),
    ("cancelled", "Cancelled"),
]


class Migration(migrations.Migration):
    dependencies = [("batches", "0004_arrival")]

    operations = [
        # What is there was done at once; each row needs an id of its own.
        migrations.AddField("import", "public_id", models.UUIDField(null=True, editable=False)),
        migrations.RunSQL("UPDATE batches_import SET public_id = gen_random_uuid()", migrations.RunSQL.noop),
        migrations.AlterField("import", "public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
        migrations.AddField(
            "import", "state", models.CharField(choices=STATES, default="done", max_length=9), preserve_default=False
        ),
        migrations.AddField("import", "kind", models.CharField(default="jsonl", max_length=5)),
        migrations.AddField("import", "principal", models.TextField(default="")),
        migrations.AddField("import", "key", models.TextField(default="")),
        migrations.AddField("import", "attempt", models.PositiveSmallIntegerField(default=1)),
        migrations.AddField("import", "bytes_total", models.BigIntegerField(default=0)),
        migrations.AddField("import", "bytes_done", models.BigIntegerField(default=0)),
        migrations.AddField("import", "rows_read", models.PositiveIntegerField(default=0)),
        migrations.AddField("import", "header", models.JSONField(null=True)),
        migrations.AddField("import", "errors", models.JSONField(default=list)),
        migrations.AddField("import", "error_count", models.PositiveIntegerField(default=0)),
        migrations.AddField("import", "after_task_id", models.BigIntegerField(default=0)),
        migrations.AddField("import", "finished_at", models.DateTimeField(null=True)),
        migrations.AddField("import", "touched_at", models.DateTimeField(null=True)),
        # Before what follows: on the way back, rows without a digest must be gone when it is asked for again.
        migrations.AlterField("import", "body_sha256", models.BinaryField(null=True)),
        migrations.RunSQL(
            "UPDATE batches_import SET finished_at = made_at, touched_at = made_at, rows_read = tasks",
            # What was not done when this is taken back brought nothing that counts; its tasks stay in their draft.
            "DELETE FROM batches_import WHERE body_sha256 IS NULL OR state <> 'done'",
        ),
        migrations.AlterField("import", "touched_at", models.DateTimeField()),
        *(
            migrations.AlterField("import", name, models.PositiveIntegerField(default=0))
            for name in ("tasks", "gold_tasks", "reserved_tasks")
        ),
        migrations.AlterField("import", "places", models.PositiveBigIntegerField(default=0)),
        migrations.AddConstraint(
            "import",
            models.UniqueConstraint(
                condition=models.Q(("finished_at", None)), fields=("batch",), name="one_import_at_a_time"
            ),
        ),
        migrations.AddConstraint(
            "import",
            models.CheckConstraint(
                condition=models.Q(("state__in", [name for name, _ in STATES])), name="import_state"
            ),
        ),
        migrations.AddConstraint(
            "import",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at", None), models.Q(("state", "done"), _negated=True)),
                    models.Q(
                        models.Q(("finished_at", None), _negated=True),
                        models.Q(
                            ("state", "done"),
                            models.Q(("places", 0), ("state__in", ["failed", "cancelled"]), ("tasks", 0)),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
                name="import_finished",
            ),
        ),
        migrations.CreateModel(
            name="ImportPart",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "of_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("body", models.BinaryField()),
                (
                    "of",
                    models.ForeignKey(
                        db_column="import_id",
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="parts",
                        to="batches.import",
                    ),
                ),
            ],
        ),
        # Looked at for each statement instead of for each row: see the next migration.
        migrations.AlterField(
            "task",
            "batch",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tasks",
                to="batches.batch",
            ),
        ),
        migrations.AlterField(
            "payload",
            "task",
            models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                primary_key=True,
                related_name="payload",
                serialize=False,
                to="batches.task",
            ),
        ),
        migrations.AlterField(
            "openplace",
            "task",
            models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                primary_key=True,
                related_name="+",
                serialize=False,
                to="batches.task",
            ),
        ),
    ]
