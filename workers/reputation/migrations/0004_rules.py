"""Quality rules judged: what fired on which evidence, what is wanted of other apps, and who is to be looked at."""

import django.contrib.postgres.functions
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GUARDS = """
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON reputation_firing FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON reputation_firing FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON reputation_withdrawal FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON reputation_withdrawal FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON reputation_platformrules FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON reputation_platformrules FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE reputation_firing ENABLE ALWAYS TRIGGER closed, ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE reputation_withdrawal ENABLE ALWAYS TRIGGER closed, ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE reputation_platformrules ENABLE ALWAYS TRIGGER closed, ENABLE ALWAYS TRIGGER closed_truncate;

-- What is wanted is done once; what it was does not change.
CREATE FUNCTION reputation_wanted_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.done_at IS NOT NULL
       OR (NEW.id, NEW.firing_id, NEW.position, NEW.action, NEW.kind, NEW.worker_id, NEW.batch_id, NEW.made_at)
          IS DISTINCT FROM
          (OLD.id, OLD.firing_id, OLD.position, OLD.action, OLD.kind, OLD.worker_id, OLD.batch_id, OLD.made_at) THEN
        RAISE EXCEPTION 'what a rule wanted is done once, and stays what it was'
            USING errcode = '23514', constraint = 'wanted_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wanted_step BEFORE UPDATE OR DELETE ON reputation_wanted
    FOR EACH ROW EXECUTE FUNCTION reputation_wanted_step();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON reputation_wanted FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE reputation_wanted ENABLE ALWAYS TRIGGER wanted_step, ENABLE ALWAYS TRIGGER closed_truncate;

-- Whatever is recorded of a worker in a batch with rules has him looked at: it is written down with the outcome, by
-- whatever program. Only appended, so that nobody who records waits for who judges.
CREATE FUNCTION reputation_note_new() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO reputation_toevaluate (worker_id, batch_id, undone)
    SELECT f.worker_id, f.batch_id, bool_or(f.kind = 'undo') FROM fresh f
     WHERE EXISTS (SELECT 1 FROM batches_batch b WHERE b.id = f.batch_id AND b.quality <> '{}')
        OR (SELECT p.quality <> '{}' FROM reputation_platformrules p ORDER BY p.id DESC LIMIT 1)
        OR f.kind = 'undo'
     GROUP BY f.worker_id, f.batch_id ORDER BY f.worker_id, f.batch_id;
    RETURN NULL;
END $$;
CREATE TRIGGER note_new AFTER INSERT ON reputation_outcome REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION reputation_note_new();
ALTER TABLE reputation_outcome ENABLE ALWAYS TRIGGER note_new;

-- The latest answers of a batch, by which its crowd is known.
CREATE INDEX outcome_answers_of_batch ON reputation_outcome (batch_id, id) WHERE kind = 'answer';

ALTER TABLE reputation_toevaluate SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
GRANT SELECT, INSERT ON reputation_firing, reputation_withdrawal, reputation_platformrules TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (done_at, outcome) ON reputation_wanted TO touchstone_runtime;
GRANT SELECT, DELETE ON reputation_toevaluate TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE ON reputation_crowdfacts TO touchstone_runtime;

CREATE VIEW inv_r40_firing AS
    SELECT s.id AS sanction_id, s.firing_id, s.user_id, w.user_id AS of_firing
      FROM accounts_sanction s
      LEFT JOIN reputation_firing f ON f.id = s.firing_id
      LEFT JOIN profiles_worker w ON w.id = f.worker_id
     WHERE s.firing_id IS NOT NULL
       AND (w.user_id IS DISTINCT FROM s.user_id
            OR s.lifted_at IS NULL AND EXISTS (SELECT 1 FROM reputation_withdrawal x WHERE x.firing_id = f.id));
COMMENT ON VIEW inv_r40_firing IS
    'A sanction by a rule rests on a firing for the same person, and none stays whose firing was withdrawn.';
GRANT SELECT ON inv_r40_firing TO touchstone_runtime;
"""

UNDO = """
DROP VIEW inv_r40_firing;
DROP INDEX outcome_answers_of_batch;
DROP TRIGGER note_new ON reputation_outcome;
DROP FUNCTION reputation_note_new();
DROP TRIGGER wanted_step ON reputation_wanted;
DROP FUNCTION reputation_wanted_step();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("batches", "0010_quality"),
        ("profiles", "0005_histories"),
        ("projects", "0002_published_is_final"),
        ("reputation", "0003_skills"),
        ("accounts", "0004_sanctions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CrowdFacts",
            fields=[
                (
                    "batch",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="batches.batch",
                    ),
                ),
                ("facts", models.JSONField()),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Firing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("rule", models.JSONField()),
                ("rule_key", models.TextField()),
                ("scope", models.CharField(max_length=8)),
                ("words", models.TextField()),
                ("evidence", models.JSONField()),
                ("told", models.JSONField()),
                ("in_doubt", models.BooleanField()),
                ("after_id", models.BigIntegerField()),
                ("upto_id", models.BigIntegerField()),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                ("ends_at", models.DateTimeField()),
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
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="projects.project",
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
            ],
        ),
        migrations.CreateModel(
            name="ToEvaluate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("worker_id", models.BigIntegerField()),
                ("batch_id", models.BigIntegerField()),
                ("undone", models.BooleanField()),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PlatformRules",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quality", models.JSONField()),
                ("note", models.TextField()),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Wanted",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField()),
                ("action", models.JSONField()),
                ("kind", models.CharField(max_length=20)),
                ("batch_id", models.BigIntegerField()),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                ("done_at", models.DateTimeField(null=True)),
                ("outcome", models.TextField(db_default="", default="")),
                (
                    "firing",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="wanted",
                        to="reputation.firing",
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
            ],
        ),
        migrations.CreateModel(
            name="Withdrawal",
            fields=[
                (
                    "firing",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="withdrawal",
                        serialize=False,
                        to="reputation.firing",
                    ),
                ),
                ("reason", models.TextField()),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("reason", ""), _negated=True), name="withdrawal_reason")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="firing",
            index=models.Index(fields=["worker", "id"], name="firing_of_worker"),
        ),
        migrations.AddIndex(
            model_name="firing",
            index=models.Index(fields=["batch", "id"], name="firing_in_batch"),
        ),
        migrations.AddConstraint(
            model_name="firing",
            constraint=models.UniqueConstraint(fields=("worker", "rule_key", "upto_id"), name="firing_once"),
        ),
        migrations.AddConstraint(
            model_name="firing",
            constraint=models.CheckConstraint(
                condition=models.Q(("scope__in", ["batch", "project", "platform"])), name="firing_scope"
            ),
        ),
        migrations.AddConstraint(
            model_name="firing",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("words", ""), _negated=True), models.Q(("evidence", {}), _negated=True)),
                name="firing_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="firing",
            constraint=models.CheckConstraint(
                condition=models.Q(("upto_id__gt", models.F("after_id"))), name="firing_evidence"
            ),
        ),
        migrations.AddConstraint(
            model_name="platformrules",
            constraint=models.CheckConstraint(
                condition=models.Q(("note", ""), _negated=True), name="platform_rules_note"
            ),
        ),
        migrations.AddIndex(
            model_name="wanted",
            index=models.Index(condition=models.Q(("done_at", None)), fields=["kind", "id"], name="wanted_due"),
        ),
        migrations.AddConstraint(
            model_name="wanted",
            constraint=models.UniqueConstraint(fields=("firing", "position"), name="wanted_position"),
        ),
        migrations.AddConstraint(
            model_name="wanted",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("done_at", None), ("outcome", "")),
                    models.Q(("done_at__isnull", False), models.Q(("outcome", ""), _negated=True)),
                    _connector="OR",
                ),
                name="wanted_done",
            ),
        ),
        migrations.RunSQL([GUARDS], UNDO),
    ]
