"""Who waits for places of a batch, in the order in which they are served."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

RIGHTS = """
-- Heartbeats and looks rewrite rows and touch no index: room for that on each page, and vacuum before there are many.
ALTER TABLE assignments_waiting SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02,
                                     autovacuum_vacuum_threshold = 1000);
GRANT SELECT, INSERT, UPDATE, DELETE ON assignments_waiting TO touchstone_runtime;

-- Whether a place of an ordinary task of the batch is open; no more than anybody learns who asks for one.
CREATE FUNCTION assignments_has_open(p_batch bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM batches_openplace WHERE batch_id = p_batch)
$$;
REVOKE EXECUTE ON FUNCTION assignments_has_open(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assignments_has_open(bigint) TO touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0019_lanes"),
        ("batches", "0014_label_studio"),
        ("profiles", "0005_histories"),
    ]
    operations = [
        migrations.CreateModel(
            name="Waiting",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "worker_id", "batch_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "worker",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="profiles.worker",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="batches.batch",
                    ),
                ),
                ("window", models.SmallIntegerField()),
                ("turn", models.BigIntegerField()),
                ("score", models.FloatField()),
                ("since", models.DateTimeField()),
                ("alive_until", models.DateTimeField()),
                ("retry_at", models.DateTimeField()),
                ("refused", models.CharField(blank=True, default="", max_length=40)),
                ("seen", models.BigIntegerField(default=0)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["batch", "turn", "-score", "since", "worker"], name="waiting_line"),
                ],
                "constraints": [
                    models.CheckConstraint(condition=Q(window__gte=1, window__lte=20), name="waiting_window"),
                    models.CheckConstraint(condition=Q(score__gte=0, score__lte=1), name="waiting_score"),
                ],
            },
        ),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunSQL([RIGHTS], ["DROP FUNCTION assignments_has_open(bigint);"]),
    ]
