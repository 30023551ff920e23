"""The queue fills as tasks arrive, so that publishing touches no task; and the new terms are final like the others."""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("marketplace.batches.migrations.0002_guards")

DEFAULTS = """
ALTER TABLE batches_task ALTER attempts SET DEFAULT 0, ALTER refunded SET DEFAULT 0;
ALTER TABLE batches_tail ALTER last SET DEFAULT 1::bigint << 60, ALTER tasks SET DEFAULT 0, ALTER places SET DEFAULT 0;
ALTER TABLE batches_progressdelta ALTER quarantined SET DEFAULT 0;
ALTER TABLE batches_progress ALTER quarantined SET DEFAULT 0;
-- Rows leave the queue all the time: what is dead must not wait for a fifth of a million others.
ALTER TABLE batches_openplace SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
ALTER TABLE batches_progressdelta SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
"""

ARRIVAL = """
-- Tasks come while the batch is a draft, and never after: the hold is computed from them. Each is counted, and queued
-- at once; what turns out to be gold leaves the queue again by the next trigger.
CREATE OR REPLACE FUNCTION batches_task_of_draft() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM batches_batch WHERE state <> 'draft'
                AND id IN (SELECT DISTINCT batch_id FROM fresh)) THEN
        RAISE EXCEPTION 'tasks are added to draft batches only' USING errcode = '23514', constraint = 'task_of_draft';
    END IF;
    INSERT INTO batches_tail (batch_id, tasks, places)
    SELECT batch_id, count(*), sum(overlap) FROM fresh GROUP BY batch_id
    ON CONFLICT (batch_id) DO UPDATE
       SET tasks = batches_tail.tasks + excluded.tasks, places = batches_tail.places + excluded.places;
    -- Chance below 2^59 leaves the ranks above to tasks that open again; lots are drawn in order of id.
    INSERT INTO batches_openplace (task_id, batch_id, bucket, rank)
    SELECT t.id, t.batch_id,
           CASE b."order" WHEN 'spread' THEN floor(random() * 64)
                          WHEN 'priority' THEN t.priority WHEN 'uncertainty' THEN t.priority ELSE 0 END,
           CASE b."order" WHEN 'sequential' THEN t.id ELSE floor(random() * (1::bigint << 59)) END
      FROM (SELECT * FROM fresh ORDER BY id) t JOIN batches_batch b ON b.id = t.batch_id
     WHERE NOT t.reserved;
    RETURN NULL;
END $$;

CREATE FUNCTION batches_gold_unqueued() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM batches_openplace WHERE task_id IN (SELECT task_id FROM fresh);
    RETURN NULL;
END $$;
CREATE TRIGGER gold_unqueued AFTER INSERT ON batches_goldkey REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION batches_gold_unqueued();
ALTER TABLE batches_goldkey ENABLE ALWAYS TRIGGER gold_unqueued;

-- What is there already: totals of every batch, and the queue of drafts.
INSERT INTO batches_tail (batch_id) SELECT id FROM batches_batch ON CONFLICT DO NOTHING;
UPDATE batches_tail l SET tasks = t.tasks, places = t.places, last = greatest(last, 1::bigint << 60)
  FROM (SELECT batch_id, count(*) AS tasks, sum(overlap) AS places FROM batches_task GROUP BY batch_id) t
 WHERE t.batch_id = l.batch_id;
INSERT INTO batches_openplace (task_id, batch_id, bucket, rank)
SELECT t.id, t.batch_id, floor(random() * 64), floor(random() * (1::bigint << 59))
  FROM batches_task t JOIN batches_batch b ON b.id = t.batch_id AND b.state = 'draft'
 WHERE NOT t.reserved AND NOT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = t.id)
ON CONFLICT DO NOTHING;
DROP FUNCTION batches_open_queue(bigint);
"""

TERMS = """
CREATE OR REPLACE FUNCTION batches_batch_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a batch is never deleted' USING errcode = '23514', constraint = 'batch_step';
    END IF;
    IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('draft', 'published'), ('draft', 'cancelled'), ('published', 'paused'), ('published', 'closing'),
        ('published', 'cancelled'), ('paused', 'published'), ('paused', 'closing'), ('paused', 'cancelled'),
        ('closing', 'settled')) THEN
        RAISE EXCEPTION 'a batch does not go from % to %', OLD.state, NEW.state
            USING errcode = '23514', constraint = 'batch_step';
    END IF;
    IF OLD.state <> 'draft' AND
       (NEW.public_id, NEW.requester_id, NEW.project_id, NEW.version_id, NEW.currency, NEW.price_micros, NEW.fee_micros,
        NEW.overlap, NEW.time_limit_s, NEW.auto_accept_s, NEW.lease_cap, NEW.audience, NEW.gold_policy,
        NEW.published_at, NEW."order", NEW.lease_max_s, NEW.worker_limit, NEW.daily_limit, NEW.pair_limit,
        NEW.max_attempts, NEW.head_start_s)
       IS DISTINCT FROM
       (OLD.public_id, OLD.requester_id, OLD.project_id, OLD.version_id, OLD.currency, OLD.price_micros, OLD.fee_micros,
        OLD.overlap, OLD.time_limit_s, OLD.auto_accept_s, OLD.lease_cap, OLD.audience, OLD.gold_policy,
        OLD.published_at, OLD."order", OLD.lease_max_s, OLD.worker_limit, OLD.daily_limit, OLD.pair_limit,
        OLD.max_attempts, OLD.head_start_s) THEN
        RAISE EXCEPTION 'the terms of a published batch do not change'
            USING errcode = '23514', constraint = 'batch_terms_final';
    END IF;
    IF OLD."order" <> NEW."order" AND EXISTS (SELECT 1 FROM batches_tail WHERE batch_id = NEW.id AND tasks > 0) THEN
        RAISE EXCEPTION 'the tasks are queued in the order of their arrival'
            USING errcode = '23514', constraint = 'batch_order_final';
    END IF;
    IF OLD.settled_at IS NOT NULL AND NEW.settled_at IS DISTINCT FROM OLD.settled_at THEN
        RAISE EXCEPTION 'a batch settles once' USING errcode = '23514', constraint = 'batch_settles_once';
    END IF;
    RETURN NEW;
END $$;
"""

RIGHTS = """
GRANT SELECT ON batches_tail TO touchstone_runtime;
"""

UNDO = f"""
REVOKE SELECT ON batches_tail FROM touchstone_runtime;
DROP TRIGGER gold_unqueued ON batches_goldkey;
DROP FUNCTION batches_gold_unqueued();
{BEFORE.LIFE[: BEFORE.LIFE.index("CREATE TRIGGER batch_step")].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")}
CREATE OR REPLACE FUNCTION batches_task_of_draft() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM batches_batch WHERE state <> 'draft'
                AND id IN (SELECT DISTINCT batch_id FROM fresh)) THEN
        RAISE EXCEPTION 'tasks are added to draft batches only' USING errcode = '23514', constraint = 'task_of_draft';
    END IF;
    RETURN NULL;
END $$;
ALTER FUNCTION batches_task_of_draft() RESET ALL;
-- The queue of a draft was filled by its publication.
DELETE FROM batches_openplace WHERE batch_id IN (SELECT id FROM batches_batch WHERE state = 'draft');
{BEFORE.QUEUE}
"""


class Migration(migrations.Migration):
    dependencies = [("batches", "0003_terms")]
    operations = [migrations.RunSQL([DEFAULTS, ARRIVAL, TERMS, RIGHTS], UNDO)]
