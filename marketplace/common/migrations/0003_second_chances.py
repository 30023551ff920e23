"""A parked sweep is tried again after a while, and what dies together counts as one death (R19).

A kill from outside takes every run of a worker with it, and three such kills in a bad minute say nothing of the sweep. If
it is to blame, each try costs one process, and the tries become rare.
"""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("marketplace.common.migrations.0002_dead_letters").RUNS

RUNS = """
GRANT UPDATE (error, times, parked_at) ON common_deadletter TO touchstone_runtime;

-- Declare dead what is: runs of an earlier life of this worker, and those that have been silent for longer than any may
-- last. What a transaction writes here is worth no wait for the disk: a note that is lost costs one more try.
CREATE OR REPLACE FUNCTION common_bury_runs(p_worker text, p_life uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE common_sweeprun
       SET died_at = market_now(),
           error = CASE WHEN p_worker <> '' AND worker = p_worker AND life <> p_life THEN 'its worker ended'
                        ELSE 'nothing more was heard of it' END
     WHERE id IN (
        SELECT id FROM common_sweeprun
         WHERE died_at IS NULL AND (p_worker <> '' AND worker = p_worker AND life <> p_life
                                    OR started_at < market_now() - interval '75 s') FOR NO KEY UPDATE SKIP LOCKED);
END $$;

-- Note that a run begins: 'go'; or do not: 'parked' after three runs in a row that killed their process, 'busy' while as
-- many as would make it three are not known to have ended. Runs that ended with their worker count as one death. What is
-- parked gets one try after 15 s, and after each death of a try twice as long, up to an hour.
CREATE OR REPLACE FUNCTION common_begin_run(p_id uuid, p_task uuid, p_name text, p_worker text, p_life uuid) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    known record;
    parked record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('sweep:' || p_name, 0));
    PERFORM common_bury_runs(p_worker, p_life);
    SELECT count(*) FILTER (WHERE r.died_at IS NULL) AS alive,
           count(DISTINCT CASE WHEN r.error = 'its worker ended' THEN r.life ELSE r.id END)
               FILTER (WHERE r.died_at IS NOT NULL) AS dead,
           min(r.started_at) AS first_at,
           (array_agg(r.error ORDER BY r.died_at DESC NULLS LAST))[1] AS error INTO known
      FROM common_sweeprun r WHERE r.name = p_name AND NOT r.on_items;
    SELECT d.id, d.times, d.parked_at INTO parked
      FROM common_deadletter d WHERE d.kind = 'sweep' AND d.subject = p_name AND d.retried_at IS NULL;
    IF parked.id IS NOT NULL THEN
        IF known.dead > 0 THEN
            UPDATE common_deadletter SET times = least(times + known.dead, 32767), error = known.error, parked_at = market_now()
             WHERE id = parked.id;
            DELETE FROM common_sweeprun WHERE name = p_name AND NOT on_items AND died_at IS NOT NULL;
            RETURN 'parked';
        END IF;
        IF known.alive > 0 OR market_now() < parked.parked_at + least(
            interval '15 s' * 2 ^ least(parked.times - 3, 10), interval '1 hour') THEN
            RETURN 'parked';
        END IF;
    ELSIF known.dead >= 3 THEN
        INSERT INTO common_deadletter (public_id, kind, subject, error, times, first_at, parked_at)
        VALUES (gen_random_uuid(), 'sweep', p_name, known.error, known.dead, known.first_at, market_now());
        DELETE FROM common_sweeprun WHERE name = p_name AND NOT on_items AND died_at IS NOT NULL;
        RETURN 'parked';
    ELSIF known.alive + known.dead >= 3 THEN
        RETURN 'busy';
    END IF;
    INSERT INTO common_sweeprun (id, task, name, worker, life, started_at)
    VALUES (p_id, p_task, p_name, p_worker, p_life, market_now());
    RETURN 'go';
END $$;

-- What a run that ends well, or gets on, makes good: the deaths before its beginning, for only those in a row count, and
-- that its sweep was parked.
CREATE FUNCTION common_forgive_run(p_name text, p_started_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM common_sweeprun WHERE name = p_name AND NOT on_items AND died_at < p_started_at;
    UPDATE common_deadletter SET retried_at = market_now() WHERE kind = 'sweep' AND subject = p_name AND retried_at IS NULL;
END $$;

-- Note that a run ended.
CREATE OR REPLACE FUNCTION common_end_run(p_id uuid, p_good boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    mine record;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    DELETE FROM common_sweeprun WHERE id = p_id RETURNING name, started_at INTO mine;
    IF FOUND AND p_good THEN
        PERFORM common_forgive_run(mine.name, mine.started_at);
    END IF;
END $$;
"""

FUNCTIONS = BEFORE[BEFORE.index("CREATE FUNCTION common_bury_runs") :].replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
)
UNDO = f"""
{FUNCTIONS}
DROP FUNCTION common_forgive_run(text, timestamptz);
REVOKE UPDATE (error, times, parked_at) ON common_deadletter FROM touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("common", "0002_dead_letters")]
    operations = [migrations.RunSQL(RUNS, UNDO)]
