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
VIEW = """
CREATE VIEW inv_r40_agreement AS
    WITH agreed AS (
        SELECT o.assignment_id, o.task_id FROM reputation_outcome o WHERE o.kind = 'agreement'
           AND NOT EXISTS (SELECT 1 FROM reputation_outcome u WHERE u.undoes_id = o.id)
    )
    SELECT assignment_id, 'is judged twice' AS what FROM agreed GROUP BY assignment_id HAVING count(*) > 1
    UNION ALL
    SELECT a.assignment_id, 'has no consensus' FROM agreed a
     WHERE NOT EXISTS (SELECT 1 FROM results_consensus c WHERE c.task_id = a.task_id AND c.judged_at IS NOT NULL)
    UNION ALL
    SELECT a.assignment_id, 'is of a gold task' FROM agreed a JOIN batches_goldkey g ON g.task_id = a.task_id
     WHERE g.origin = 'requester'
    UNION ALL
    SELECT a.assignment_id, 'is judged by a key too' FROM agreed a
      JOIN reputation_outcome o ON o.assignment_id = a.assignment_id AND o.kind = 'gold'
     WHERE NOT EXISTS (SELECT 1 FROM reputation_outcome u WHERE u.undoes_id = o.id);
COMMENT ON VIEW inv_r40_agreement IS 'An answer is judged by the others at most once, and never where its task has a key.';
GRANT SELECT ON inv_r40_agreement TO touchstone_runtime;
"""
UNDO = "DROP VIEW inv_r40_agreement; DELETE FROM common_outboxcursor WHERE reader = 'consensus';"


class Migration(migrations.Migration):
    dependencies = [
        ("results", "0003_result_of_task"),
        ("assignments", "0016_wanted"),
        ("common", "0003_second_chances"),
        ("reputation", "0003_skills"),
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
                        fields=["batch_id", "made_at"],
                        name="consensus_sure",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(condition=Q(posterior__gte=0, posterior__lte=1), name="consensus_range")
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
        migrations.RunSQL([RULES, VIEW], UNDO),
    ]
