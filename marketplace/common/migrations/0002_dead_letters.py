"""Runs of sweeps, written down before they begin; and what was put aside because it kept killing them (R19)."""

from uuid import uuid4

from django.db import migrations, models

RUNS = """
ALTER TABLE common_sweeprun ALTER on_items SET DEFAULT false, ALTER error SET DEFAULT '';
GRANT SELECT, INSERT, UPDATE (died_at, error), DELETE ON common_sweeprun TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (retried_at) ON common_deadletter TO touchstone_runtime;

-- Declare dead what is: runs of an earlier life of this worker, and those that have been silent for longer than any may
-- last. What a transaction writes here is worth no wait for the disk: a note that is lost costs one more try.
CREATE FUNCTION common_bury_runs(p_worker text, p_life uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE common_sweeprun SET died_at = market_now(), error = 'its worker ended' WHERE id IN (
        SELECT id FROM common_sweeprun
         WHERE died_at IS NULL AND (p_worker <> '' AND worker = p_worker AND life <> p_life
                                    OR started_at < market_now() - interval '75 s') FOR NO KEY UPDATE SKIP LOCKED);
END $$;

-- Note that a run begins: 'go'; or do not: 'parked' after three runs in a row that killed their process, 'busy' while as
-- many as would make it three are not known to have ended.
CREATE FUNCTION common_begin_run(p_id uuid, p_task uuid, p_name text, p_worker text, p_life uuid) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    known record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('sweep:' || p_name, 0));
    PERFORM common_bury_runs(p_worker, p_life);
    IF EXISTS (SELECT 1 FROM common_deadletter d WHERE d.kind = 'sweep' AND d.subject = p_name AND d.retried_at IS NULL)
    THEN
        RETURN 'parked';
    END IF;
    SELECT count(*) AS total, count(r.died_at) AS dead, min(r.started_at) AS first_at,
           (array_agg(r.error ORDER BY r.died_at DESC NULLS LAST))[1] AS error INTO known
      FROM common_sweeprun r WHERE r.name = p_name AND NOT r.on_items;
    IF known.dead >= 3 THEN
        INSERT INTO common_deadletter (public_id, kind, subject, error, times, first_at, parked_at)
        VALUES (gen_random_uuid(), 'sweep', p_name, known.error, known.dead, known.first_at, market_now());
        DELETE FROM common_sweeprun WHERE name = p_name AND NOT on_items AND died_at IS NOT NULL;
        RETURN 'parked';
    END IF;
    IF known.total >= 3 THEN
        RETURN 'busy';
    END IF;
    INSERT INTO common_sweeprun (id, task, name, worker, life, started_at)
    VALUES (p_id, p_task, p_name, p_worker, p_life, market_now());
    RETURN 'go';
END $$;

-- Note that a run ended. A good one forgives the deaths before its beginning: only those in a row count.
CREATE FUNCTION common_end_run(p_id uuid, p_good boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    mine record;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    DELETE FROM common_sweeprun WHERE id = p_id RETURNING name, started_at INTO mine;
    IF FOUND AND p_good THEN
        DELETE FROM common_sweeprun WHERE name = mine.name AND NOT on_items AND died_at < mine.started_at;
    END IF;
END $$;
"""

UNDO = """
DROP FUNCTION common_end_run(uuid, boolean);
DROP FUNCTION common_begin_run(uuid, uuid, text, text, uuid);
DROP FUNCTION common_bury_runs(text, uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("common", "0001_foundations")]
    operations = [
        migrations.CreateModel(
            name="SweepRun",
            fields=[
                ("id", models.UUIDField(default=uuid4, primary_key=True, serialize=False)),
                ("task", models.UUIDField(db_index=True)),
                ("name", models.TextField()),
                ("worker", models.TextField()),
                ("life", models.UUIDField()),
                ("started_at", models.DateTimeField()),
                ("on_items", models.BooleanField(default=False)),
                ("died_at", models.DateTimeField(null=True)),
                ("error", models.TextField(blank=True)),
            ],
            options={"db_table": "common_sweeprun"},
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid4, editable=False, unique=True)),
                ("kind", models.TextField()),
                ("subject", models.TextField()),
                ("error", models.TextField()),
                ("times", models.PositiveSmallIntegerField()),
                ("first_at", models.DateTimeField()),
                ("parked_at", models.DateTimeField()),
                ("retried_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "common_deadletter",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("retried_at", None)), fields=("kind", "subject"), name="one_dead_letter"
                    )
                ],
            },
        ),
        migrations.RunSQL([RUNS], UNDO),
    ]
