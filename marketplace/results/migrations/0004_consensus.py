"""What the answers of a task say so far, and which tasks are to be looked at for it."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

RULES = """
ALTER TABLE results_consensus ALTER settled SET DEFAULT false, SET (fillfactor = 70);
ALTER TABLE results_toconsider ALTER failures SET DEFAULT 0;
ALTER TABLE results_toclose ALTER after_task_id SET DEFAULT 0;
GRANT SELECT, INSERT, UPDATE ON results_consensus TO touchstone_runtime;
-- It looks for tasks beyond doubt that are not gold.
GRANT SELECT ON results_consensus TO gold_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON results_toconsider, results_toclose TO touchstone_runtime;
-- Answers that came before are looked at once; and from now on events are kept until this reader has seen them.
INSERT INTO results_toconsider (batch_id, task_id)
SELECT DISTINCT a.batch_id, a.task_id FROM assignments_assignment a JOIN batches_batch b ON b.id = a.batch_id
 WHERE b.settled_at IS NULL AND a.state IN ('submitted', 'accepted', 'upheld');
INSERT INTO common_outboxcursor (reader, xid, last_id, moved_at) VALUES ('consensus', '0', 0, market_now())
ON CONFLICT DO NOTHING;
"""
UNDO = "DELETE FROM common_outboxcursor WHERE reader = 'consensus';"


class Migration(migrations.Migration):
    dependencies = [
        ("results", "0003_result_of_task"),
        ("assignments", "0012_money"),
        ("batches", "0009_money_terms"),
        ("common", "0003_second_chances"),
    ]
    operations = [
        migrations.CreateModel(
            name="Consensus",
            fields=[
                (
                    "task",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="batches.task",
                    ),
                ),
                ("batch_id", models.BigIntegerField()),
                ("values", models.JSONField()),
                ("posterior", models.FloatField()),
                ("answers", models.PositiveSmallIntegerField()),
                ("unclear", models.PositiveSmallIntegerField()),
                ("doubt", models.FloatField()),
                ("variance", models.FloatField()),
                ("sure", models.BooleanField()),
                ("made_at", models.DateTimeField()),
                ("settled", models.BooleanField(default=False)),
                ("judged_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["batch_id", "task"], name="consensus_of_batch"),
                    models.Index(
                        condition=Q(sure=True, settled=False, judged_at=None),
                        fields=["batch_id", "task"],
                        name="consensus_sure",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(posterior__gte=0, posterior__lte=1, doubt__gte=0, variance__gte=0),
                        name="consensus_range",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ToConsider",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "batch_id", "task_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("batch_id", models.BigIntegerField()),
                ("task_id", models.BigIntegerField()),
                ("failures", models.PositiveSmallIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="ToClose",
            fields=[
                ("batch_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("after_task_id", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.RunSQL([RULES], UNDO),
    ]
