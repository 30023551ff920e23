"""On which answers results rest. Runs that were made before this do not say."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

RULES = """
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON results_provenance FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON results_provenance FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE results_provenance ENABLE ALWAYS TRIGGER closed;
ALTER TABLE results_provenance ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE results_provenance ADD CONSTRAINT provenance_of_answers
    CHECK (cardinality(assignments) > 0 AND cardinality(assignments) = cardinality(revisions));
GRANT SELECT, INSERT ON results_provenance TO touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("results", "0006_judged_early"), ("batches", "0013_gold_lane")]
    operations = [
        migrations.CreateModel(
            name="Provenance",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "run_id", "task_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "assignments",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "revisions",
                    django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="results.run",
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="batches.task",
                    ),
                ),
            ],
        ),
        migrations.RunSQL([RULES], migrations.RunSQL.noop),
    ]
