"""Persons, limits and missed places of assignments."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0004_promises"),
        ("batches", "0004_arrival"),
        ("profiles", "0003_persons"),
        ("projects", "0002_published_is_final"),
    ]

    operations = [
        migrations.CreateModel(
            name="Pair",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "batch_id", "low_id", "high_id", blank=True, editable=False, primary_key=True, serialize=False
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
                    "low",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="profiles.worker",
                    ),
                ),
                (
                    "high",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="profiles.worker",
                    ),
                ),
                ("shared", models.PositiveSmallIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Quota",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "person_id", "batch_id", "day", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "person",
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
                ("day", models.DateField()),
                ("used", models.PositiveIntegerField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="assignment",
            name="lease_numbers",
        ),
        migrations.RemoveIndex(
            model_name="assignment",
            name="revivable",
        ),
        migrations.RemoveIndex(
            model_name="assignment",
            name="lease_due",
        ),
        # What is past its end is little, in whichever batch, so one index serves sweeps and claims.
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                condition=models.Q(("state", "leased")), fields=["lease_until", "batch"], name="lease_due"
            ),
        ),
        migrations.AddField(
            model_name="assignment",
            name="person",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="profiles.worker",
            ),
        ),
        # Past assignments: each account stood for itself. The guards would refuse to touch what is finished.
        migrations.RunSQL(
            """
            ALTER TABLE assignments_assignment DISABLE TRIGGER assignment_step, DISABLE TRIGGER assignment_effects;
            UPDATE assignments_assignment SET person_id = worker_id;
            SET CONSTRAINTS ALL IMMEDIATE;
            ALTER TABLE assignments_assignment ALTER person_id SET NOT NULL,
                ENABLE ALWAYS TRIGGER assignment_step, ENABLE ALWAYS TRIGGER assignment_effects;
            """,
            migrations.RunSQL.noop,
        ),
        migrations.AddField(
            model_name="missed",
            name="revival",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="walk",
            name="ranks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(null=True), default=list, size=None
            ),
        ),
        migrations.AlterField(
            model_name="walk",
            name="rank",
            field=models.BigIntegerField(default=-1),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                condition=models.Q(("state", "leased")), fields=["worker", "batch"], name="leases_of_worker"
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.UniqueConstraint(fields=("task", "person"), name="one_assignment_per_person"),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "leased")), fields=("person", "batch", "lease_no"), name="lease_numbers"
            ),
        ),
    ]
