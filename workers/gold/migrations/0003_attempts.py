"""Which answers the scoring step has in hand, written down before it looks at them (R19)."""

from django.db import migrations, models

TAKE = """
ALTER TABLE gold_attempt ALTER attempts SET DEFAULT 1, SET (fillfactor = 70);
GRANT SELECT, INSERT, UPDATE, DELETE ON gold_attempt TO touchstone_runtime;

-- Take answers for a run of the scoring step, in a transaction of its own before they are looked at: one that an earlier
-- run died over, alone; or up to p_limit that nobody has tried. One that three runs died over becomes a dead letter.
CREATE FUNCTION gold_take(p_run uuid, p_task uuid, p_name text, p_worker text, p_life uuid, p_limit integer,
                          OUT taken integer, OUT parked integer)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    PERFORM common_bury_runs(p_worker, p_life);
    WITH doomed AS (
        UPDATE gold_attempt x SET parked_at = market_now()
         WHERE x.attempts >= 3 AND x.parked_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM common_sweeprun r WHERE r.id = x.run AND r.died_at IS NULL)
        RETURNING x.*
    )
    INSERT INTO common_deadletter (public_id, kind, subject, error, times, first_at, parked_at)
    SELECT gen_random_uuid(), 'answer', d.assignment_id || ':' || d.revision,
           coalesce((SELECT r.error FROM common_sweeprun r WHERE r.id = d.run), 'unknown'), d.attempts, d.first_at,
           d.parked_at FROM doomed d
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS parked = ROW_COUNT;

    UPDATE gold_attempt x SET attempts = x.attempts + 1, run = p_run
     WHERE (x.assignment_id, x.revision) = (
        SELECT s.assignment_id, s.revision FROM gold_attempt s
         WHERE s.attempts < 3 AND s.parked_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM common_sweeprun r WHERE r.id = s.run AND r.died_at IS NULL)
         ORDER BY s.attempts, s.first_at, s.assignment_id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED);
    GET DIAGNOSTICS taken = ROW_COUNT;
    IF taken = 0 THEN
        INSERT INTO gold_attempt (assignment_id, revision, run, first_at)
        SELECT t.assignment_id, t.revision, p_run, market_now() FROM gold_toscore t
         WHERE NOT EXISTS (SELECT 1 FROM gold_attempt x
                            WHERE x.assignment_id = t.assignment_id AND x.revision = t.revision)
         ORDER BY t.made_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS taken = ROW_COUNT;
    END IF;
    IF taken > 0 THEN
        INSERT INTO common_sweeprun (id, task, name, worker, life, started_at, on_items)
        VALUES (p_run, p_task, p_name, p_worker, p_life, market_now(), true);
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("gold", "0002_rights"), ("common", "0002_dead_letters")]
    operations = [
        migrations.CreateModel(
            name="Attempt",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "assignment_id", "revision", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("assignment_id", models.BigIntegerField()),
                ("revision", models.PositiveSmallIntegerField()),
                ("run", models.UUIDField()),
                ("attempts", models.PositiveSmallIntegerField(default=1)),
                ("first_at", models.DateTimeField()),
                ("parked_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.RunSQL([TAKE], "DROP FUNCTION gold_take(uuid, uuid, text, text, uuid, integer);"),
    ]
