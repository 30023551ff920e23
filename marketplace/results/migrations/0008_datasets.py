"""Numbered versions of data sets, which never change once they are finished."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

RULES = """
ALTER TABLE results_dataset ALTER state SET DEFAULT 'gathering', ALTER error SET DEFAULT '', ALTER attempts SET DEFAULT 0;
-- Parts are compressed already.
ALTER TABLE results_datasetpart ALTER body SET STORAGE EXTERNAL;
CREATE FUNCTION results_dataset_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a data set is never deleted' USING errcode = '23514', constraint = 'dataset_step';
    END IF;
    IF OLD.finished_at IS NOT NULL THEN
        RAISE EXCEPTION 'a finished data set does not change' USING errcode = '23514', constraint = 'dataset_step';
    END IF;
    IF OLD.state <> NEW.state AND NEW.state <> 'failed' AND (OLD.state, NEW.state) NOT IN (
        ('gathering', 'arranging'), ('arranging', 'writing'), ('writing', 'sealing'), ('sealing', 'done')) THEN
        RAISE EXCEPTION 'a data set does not go from % to %', OLD.state, NEW.state
            USING errcode = '23514', constraint = 'dataset_step';
    END IF;
    IF (NEW.id, NEW.public_id, NEW.batch_id, NEW.run_id, NEW.number, NEW.format, NEW.options, NEW.plan)
           IS DISTINCT FROM (OLD.id, OLD.public_id, OLD.batch_id, OLD.run_id, OLD.number, OLD.format, OLD.options, OLD.plan)
       OR NEW.after_task_id < OLD.after_task_id OR NEW.stretch < OLD.stretch THEN
        RAISE EXCEPTION 'a data set stays what was asked for and goes forward'
            USING errcode = '23514', constraint = 'dataset_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dataset_step BEFORE UPDATE OR DELETE ON results_dataset
    FOR EACH ROW EXECUTE FUNCTION results_dataset_step();
CREATE FUNCTION results_dataset_part() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    of_set bigint := CASE TG_OP WHEN 'DELETE' THEN OLD.dataset_id ELSE NEW.dataset_id END;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.dataset_id <> OLD.dataset_id
       OR NOT EXISTS (SELECT 1 FROM results_dataset WHERE id = of_set AND finished_at IS NULL) THEN
        RAISE EXCEPTION 'a finished data set does not change' USING errcode = '23514', constraint = 'dataset_part';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dataset_part BEFORE INSERT OR UPDATE OR DELETE ON results_datasetpart
    FOR EACH ROW EXECUTE FUNCTION results_dataset_part();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON results_dataset
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON results_datasetpart
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE results_dataset ENABLE ALWAYS TRIGGER dataset_step;
ALTER TABLE results_dataset ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE results_datasetpart ENABLE ALWAYS TRIGGER dataset_part;
ALTER TABLE results_datasetpart ENABLE ALWAYS TRIGGER closed_truncate;
GRANT SELECT, INSERT, UPDATE ON results_dataset TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON results_datasetpart TO touchstone_runtime;
"""
UNDO = """
DROP TRIGGER dataset_part ON results_datasetpart; DROP TRIGGER closed_truncate ON results_datasetpart;
DROP TRIGGER dataset_step ON results_dataset; DROP TRIGGER closed_truncate ON results_dataset;
DROP FUNCTION results_dataset_part(); DROP FUNCTION results_dataset_step();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("batches", "0013_gold_lane"),
        ("results", "0007_provenance"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Dataset",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("number", models.PositiveIntegerField()),
                ("format", models.CharField(max_length=40)),
                ("options", models.JSONField()),
                ("plan", models.JSONField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("gathering", "Gathering"),
                            ("arranging", "Arranging"),
                            ("writing", "Writing"),
                            ("sealing", "Sealing"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="gathering",
                        max_length=9,
                    ),
                ),
                ("error", models.TextField(blank=True, default="")),
                ("made_at", models.DateTimeField()),
                ("touched_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("token", models.UUIDField(null=True)),
                ("held_until", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("after_task_id", models.BigIntegerField(default=0)),
                ("items", models.PositiveIntegerField(default=0)),
                ("answers", models.PositiveBigIntegerField(default=0)),
                ("items_written", models.PositiveIntegerField(default=0)),
                ("stretch", models.PositiveIntegerField(default=0)),
                ("tally", models.JSONField(default=dict)),
                ("losses", models.JSONField(default=list)),
                ("validation", models.JSONField(null=True)),
                ("manifest", models.JSONField(null=True)),
                ("content_sha256", models.BinaryField(null=True)),
                ("archive_sha256", models.BinaryField(null=True)),
                ("size", models.PositiveBigIntegerField(default=0)),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="datasets",
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
                    "run",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="results.run"),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DatasetPart",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "of_id",
                        "kind",
                        "path",
                        "stretch",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("rows", "Rows"),
                            ("signs", "Signs"),
                            ("splits", "Splits"),
                            ("index", "Index"),
                            ("grown", "Grown"),
                            ("whole", "Whole"),
                            ("frame", "Frame"),
                        ],
                        max_length=6,
                    ),
                ),
                ("path", models.CharField(blank=True, default="", max_length=400)),
                ("stretch", models.PositiveIntegerField(default=0)),
                ("number", models.PositiveIntegerField(default=0)),
                ("at", models.BigIntegerField(null=True)),
                ("body", models.BinaryField()),
                (
                    "of",
                    models.ForeignKey(
                        db_column="dataset_id",
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="parts",
                        to="results.dataset",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="dataset",
            index=models.Index(
                condition=models.Q(("finished_at", None)), fields=["touched_at"], name="dataset_unfinished"
            ),
        ),
        migrations.AddConstraint(
            model_name="dataset",
            constraint=models.UniqueConstraint(fields=("batch", "number"), name="dataset_number"),
        ),
        migrations.AddConstraint(
            model_name="dataset",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("number__gte", 1),
                    ("state__in", ["gathering", "arranging", "writing", "sealing", "done", "failed"]),
                ),
                name="dataset_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="dataset",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at", None), models.Q(("state__in", ["done", "failed"]), _negated=True)),
                    models.Q(("archive_sha256", None), ("finished_at__isnull", False), ("state", "failed")),
                    models.Q(
                        ("archive_sha256__isnull", False),
                        ("content_sha256__isnull", False),
                        ("finished_at__isnull", False),
                        ("manifest__isnull", False),
                        ("state", "done"),
                    ),
                    _connector="OR",
                ),
                name="dataset_finished",
            ),
        ),
        migrations.AddConstraint(
            model_name="datasetpart",
            constraint=models.UniqueConstraint(
                condition=models.Q(("at", None), _negated=True), fields=("of", "at"), name="dataset_part_at"
            ),
        ),
        migrations.RunSQL([RULES], UNDO),
    ]
