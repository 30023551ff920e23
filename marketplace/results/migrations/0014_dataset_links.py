"""Addresses from which others may download a data set for a while."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

RULES = """
-- A link never changes but by being used, and by ending, once.
CREATE FUNCTION results_link_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL
       OR to_jsonb(NEW) - '{ended_at,used_at}'::text[] <> to_jsonb(OLD) - '{ended_at,used_at}'::text[]
       OR OLD.used_at IS NOT NULL AND (NEW.used_at IS NULL OR NEW.used_at < OLD.used_at) THEN
        RAISE EXCEPTION 'a link is used and ends, and changes in nothing else' USING errcode = '23514', constraint = 'link_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER link_step BEFORE UPDATE OR DELETE ON results_datasetlink
    FOR EACH ROW EXECUTE FUNCTION results_link_step();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON results_datasetlink
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE results_datasetlink ENABLE ALWAYS TRIGGER link_step;
ALTER TABLE results_datasetlink ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE results_datasetlink SET (vacuum_truncate = off, toast.vacuum_truncate = off);
GRANT SELECT, INSERT, UPDATE (ended_at, used_at) ON results_datasetlink TO touchstone_runtime;
"""
UNDO = "DROP TRIGGER link_step ON results_datasetlink; DROP FUNCTION results_link_step();"


class Migration(migrations.Migration):
    dependencies = [
        ("results", "0013_disputed_index"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="DatasetLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "of",
                    models.ForeignKey(
                        db_column="dataset_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="links",
                        to="results.dataset",
                    ),
                ),
            ],
        ),
        migrations.RunSQL([RULES], UNDO),
    ]
