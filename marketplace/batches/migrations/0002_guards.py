"""The life of a batch, the open-place queue and the rights on both, held by the database."""

from django.db import migrations

DEFAULTS = """
ALTER TABLE batches_task ALTER taken SET DEFAULT 0, ALTER reserved SET DEFAULT false, ALTER priority SET DEFAULT 0,
    SET (fillfactor = 70);
ALTER TABLE batches_goldkey ALTER shown SET DEFAULT 0,
    ALTER rank SET DEFAULT floor(random() * 1e15)::bigint, SET (fillfactor = 70);
ALTER TABLE batches_reservation ALTER open SET DEFAULT true, SET (fillfactor = 70);
ALTER TABLE batches_tail ALTER last SET DEFAULT 0;
ALTER TABLE batches_progressdelta
    ALTER leased SET DEFAULT 0, ALTER submitted SET DEFAULT 0, ALTER accepted SET DEFAULT 0,
    ALTER rejected SET DEFAULT 0, ALTER returned SET DEFAULT 0, ALTER expired SET DEFAULT 0;
CREATE INDEX batch_unsettled ON batches_batch (state) WHERE settled_at IS NULL;
"""

LIFE = """
CREATE FUNCTION batches_batch_step() RETURNS trigger LANGUAGE plpgsql AS $$
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
        NEW.published_at)
       IS DISTINCT FROM
       (OLD.public_id, OLD.requester_id, OLD.project_id, OLD.version_id, OLD.currency, OLD.price_micros, OLD.fee_micros,
        OLD.overlap, OLD.time_limit_s, OLD.auto_accept_s, OLD.lease_cap, OLD.audience, OLD.gold_policy,
        OLD.published_at) THEN
        RAISE EXCEPTION 'the terms of a published batch do not change'
            USING errcode = '23514', constraint = 'batch_terms_final';
    END IF;
    IF OLD.settled_at IS NOT NULL AND NEW.settled_at IS DISTINCT FROM OLD.settled_at THEN
        RAISE EXCEPTION 'a batch settles once' USING errcode = '23514', constraint = 'batch_settles_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER batch_step BEFORE UPDATE OR DELETE ON batches_batch
    FOR EACH ROW EXECUTE FUNCTION batches_batch_step();
ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER batch_step;

-- Tasks come while the batch is a draft, and never after: the hold was computed from them.
CREATE FUNCTION batches_task_of_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM batches_batch WHERE state <> 'draft'
                AND id IN (SELECT DISTINCT batch_id FROM fresh)) THEN
        RAISE EXCEPTION 'tasks are added to draft batches only' USING errcode = '23514', constraint = 'task_of_draft';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER task_of_draft AFTER INSERT ON batches_task REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION batches_task_of_draft();
ALTER TABLE batches_task ENABLE ALWAYS TRIGGER task_of_draft;
"""

QUEUE = """
-- Fill the queue of open places. Gold and reserved tasks are not in it; only this function, with its owner's rights,
-- can tell them from the others. 64 buckets: each worker visits them in an order of his own.
CREATE FUNCTION batches_open_queue(p_batch bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    opened bigint;
BEGIN
    IF (SELECT state FROM batches_batch WHERE id = p_batch) IS DISTINCT FROM 'published' THEN
        RAISE EXCEPTION 'the batch is not published' USING errcode = '23514', constraint = 'queue_of_published';
    END IF;
    INSERT INTO batches_tail (batch_id) VALUES (p_batch) ON CONFLICT DO NOTHING;
    INSERT INTO batches_openplace (task_id, batch_id, bucket, rank)
    SELECT id, p_batch, place % 64, place
      FROM (SELECT id, row_number() OVER (ORDER BY lot, id) AS place
              -- Lots are drawn in order of id, so that a fixed seed gives a fixed order.
              FROM (SELECT ordered.id, random() AS lot
                      FROM (SELECT t.id FROM batches_task t
                             WHERE t.batch_id = p_batch AND NOT t.reserved AND t.taken < t.overlap
                               AND NOT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = t.id)
                             ORDER BY t.id) ordered) drawn) shuffled
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS opened = ROW_COUNT;
    RETURN opened;
END $$;
REVOKE EXECUTE ON FUNCTION batches_open_queue(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION batches_open_queue(bigint) TO touchstone_runtime;
"""

RIGHTS = """
GRANT SELECT, INSERT ON batches_batch TO touchstone_runtime;
GRANT UPDATE (name, state, pause_reason, published_at, closed_at, settled_at) ON batches_batch TO touchstone_runtime;
GRANT SELECT, INSERT ON batches_import, batches_payload TO touchstone_runtime;
GRANT SELECT, INSERT (id, batch_id, external_id, overlap, reserved, priority), UPDATE (priority)
    ON batches_task TO touchstone_runtime;
GRANT USAGE ON SEQUENCE batches_task_id_seq TO touchstone_runtime;
GRANT SELECT ON batches_openplace, batches_reservation TO touchstone_runtime;
GRANT INSERT (task_id, worker_id, batch_id) ON batches_reservation TO touchstone_runtime;
GRANT SELECT ON batches_progress TO touchstone_runtime;
GRANT INSERT, UPDATE ON batches_progress TO touchstone_runtime;
GRANT SELECT, DELETE ON batches_progressdelta TO touchstone_runtime;
-- Gold keys: written by imports, read by the gold reader alone.
GRANT INSERT (task_id, batch_id, key, cap) ON batches_goldkey TO touchstone_runtime;
GRANT SELECT (task_id, batch_id, key, cap, shown) ON batches_goldkey TO gold_reader;
"""

UNDO = """
DROP FUNCTION batches_open_queue(bigint);
DROP TRIGGER task_of_draft ON batches_task;
DROP FUNCTION batches_task_of_draft();
DROP TRIGGER batch_step ON batches_batch;
DROP FUNCTION batches_batch_step();
DROP INDEX batch_unsettled;
"""


class Migration(migrations.Migration):
    dependencies = [("batches", "0001_batches"), ("common", "0001_foundations")]
    operations = [migrations.RunSQL([DEFAULTS, LIFE, QUEUE, RIGHTS], UNDO)]
