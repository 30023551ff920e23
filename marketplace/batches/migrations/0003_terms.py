"""More terms of a batch: order, limits, leases; and what a task and its queue keep for them."""

import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_rights"),
        ("batches", "0002_guards"),
        ("profiles", "0003_persons"),
        ("projects", "0002_published_is_final"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="task",
            name="task_taken",
        ),
        migrations.AddField(
            model_name="batch",
            name="daily_limit",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="batch",
            name="head_start_s",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="batch",
            name="lease_max_s",
            field=models.PositiveIntegerField(default=3600),
        ),
        migrations.AddField(
            model_name="batch",
            name="max_attempts",
            field=models.PositiveSmallIntegerField(default=5),
        ),
        migrations.AddField(
            model_name="batch",
            name="order",
            field=models.CharField(
                choices=[
                    ("spread", "Spread"),
                    ("sequential", "Sequential"),
                    ("depth_first", "Depth First"),
                    ("priority", "Priority"),
                    ("uncertainty", "Uncertainty"),
                ],
                default="spread",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="batch",
            name="pair_limit",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="batch",
            name="worker_limit",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="progress",
            name="quarantined",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="progressdelta",
            name="quarantined",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="tail",
            name="places",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="tail",
            name="tasks",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="task",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="task",
            name="quarantined_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="task",
            name="refunded",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="tail",
            name="last",
            field=models.BigIntegerField(default=1152921504606846976),
        ),
        migrations.AlterField(
            model_name="task",
            name="priority",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        # Rows that are there already: leases may be extended as far as new ones by default.
        migrations.RunSQL(
            "UPDATE batches_batch SET lease_max_s = least(604800, time_limit_s * 4)", migrations.RunSQL.noop
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(condition=models.Q(("reserved", True)), fields=["batch"], name="task_reserved"),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("quarantined_at", None), _negated=True),
                fields=["batch", "id"],
                name="task_quarantined",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(("lease_max_s__gte", models.F("time_limit_s")), ("lease_max_s__lte", 604800)),
                name="batch_lease_max",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(("order__in", ["spread", "sequential", "depth_first", "priority", "uncertainty"])),
                name="batch_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("worker_limit", None), ("worker_limit__gte", 1), _connector="OR"),
                    models.Q(("daily_limit", None), ("daily_limit__gte", 1), _connector="OR"),
                    models.Q(("pair_limit", None), ("pair_limit__gte", 1), _connector="OR"),
                ),
                name="batch_limits",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_attempts__gte", 1), ("max_attempts__lte", 100)), name="batch_max_attempts"
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(("head_start_s__lte", 604800)), name="batch_head_start"
            ),
        ),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("taken__gte", 0),
                    (
                        "taken__lte",
                        django.db.models.expressions.CombinedExpression(models.F("overlap"), "-", models.F("refunded")),
                    ),
                ),
                name="task_taken",
            ),
        ),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(condition=models.Q(("priority__lt", 64)), name="task_priority"),
        ),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(
                condition=models.Q(("refunded", 0), models.Q(("quarantined_at", None), _negated=True), _connector="OR"),
                name="task_refunded",
            ),
        ),
    ]
