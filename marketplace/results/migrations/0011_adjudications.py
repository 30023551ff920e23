"""Labels that somebody of the requester settled, and which tasks need that."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

RULES = """
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON results_adjudication FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON results_adjudication
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
-- A task is of the batch, and an answer that is chosen is of the task and is paid or may yet be (R42).
CREATE FUNCTION results_adjudication_fits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM batches_task t WHERE t.id = NEW.task_id AND t.batch_id = NEW.batch_id) THEN
        RAISE EXCEPTION 'the task is of another batch' USING errcode = '23514', constraint = 'adjudication_task';
    END IF;
    IF NEW.answer_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM assignments_assignment a WHERE a.id = NEW.answer_id AND a.task_id = NEW.task_id
               AND a.state IN ('submitted', 'accepted', 'upheld')) THEN
        RAISE EXCEPTION 'the answer is of another task or is not to be paid'
            USING errcode = '23514', constraint = 'adjudication_answer';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER adjudication_fits BEFORE INSERT ON results_adjudication
    FOR EACH ROW EXECUTE FUNCTION results_adjudication_fits();
ALTER TABLE results_adjudication ENABLE ALWAYS TRIGGER closed;
ALTER TABLE results_adjudication ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE results_adjudication ENABLE ALWAYS TRIGGER adjudication_fits;
ALTER TABLE results_adjudication SET (vacuum_truncate = off, toast.vacuum_truncate = off);
GRANT SELECT, INSERT ON results_adjudication TO touchstone_runtime;
"""
UNDO = """
DROP TRIGGER adjudication_fits ON results_adjudication;
DROP FUNCTION results_adjudication_fits();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("results", "0010_figures"),
        ("assignments", "0016_wanted"),
        ("batches", "0013_gold_lane"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField("consensus", "disputed", models.BooleanField(db_default=False, default=False)),
        migrations.CreateModel(
            name="Adjudication",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("number", models.PositiveSmallIntegerField()),
                ("values", models.JSONField()),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("instructions", "The instructions settle it"),
                            ("plain", "It is plain to see in the item"),
                            ("best", "Doubtful; this is the best reading"),
                            ("other", "Another reason, in words"),
                        ],
                        max_length=12,
                    ),
                ),
                ("words", models.TextField(blank=True)),
                ("sampled", models.BooleanField(default=False)),
                ("standing", models.JSONField(null=True)),
                ("agrees", models.BooleanField(null=True)),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "answer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="assignments.assignment",
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
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="batches.task",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["batch", "id"], name="adjudication_of_batch")],
                "constraints": [
                    models.UniqueConstraint(fields=("task", "number"), name="adjudication_number"),
                    models.CheckConstraint(
                        condition=Q(
                            ("reason__in", ["instructions", "plain", "best", "other"]),
                            Q(Q(("reason", "other"), _negated=True), ("words__regex", "\\S"), _connector="OR"),
                        ),
                        name="adjudication_reason",
                    ),
                    models.CheckConstraint(
                        condition=Q(("sampled", False), ("agrees__isnull", False), _connector="OR"),
                        name="adjudication_sampled",
                    ),
                ],
            },
        ),
        migrations.RunSQL([RULES], UNDO),
    ]
