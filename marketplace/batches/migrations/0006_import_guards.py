"""What keeps unfinished imports hidden, tasks together with what belongs to them, and priorities in their order."""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("marketplace.batches.migrations.0004_arrival")

DEFAULTS = """
ALTER TABLE batches_import ALTER attempt SET DEFAULT 1, ALTER error_count SET DEFAULT 0;
-- Bodies are read once and are gone soon: to compress them would cost more than it saves.
ALTER TABLE batches_importpart ALTER body SET STORAGE EXTERNAL;
ALTER TABLE batches_importpart SET (autovacuum_vacuum_threshold = 100, autovacuum_vacuum_scale_factor = 0);
CREATE INDEX import_unfinished ON batches_import (touched_at) WHERE finished_at IS NULL;
"""

IMPORTS = """
CREATE FUNCTION batches_import_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'an import is never deleted' USING errcode = '23514', constraint = 'import_step';
    END IF;
    IF OLD.finished_at IS NOT NULL THEN
        RAISE EXCEPTION 'a finished import does not change' USING errcode = '23514', constraint = 'import_step';
    END IF;
    IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('receiving', 'running'), ('receiving', 'cancelled'),
        ('running', 'done'), ('running', 'failed'), ('running', 'cancelled')) THEN
        RAISE EXCEPTION 'an import does not go from % to %', OLD.state, NEW.state
            USING errcode = '23514', constraint = 'import_step';
    END IF;
    IF (NEW.id, NEW.public_id, NEW.batch_id) IS DISTINCT FROM (OLD.id, OLD.public_id, OLD.batch_id)
       OR NEW.bytes_done < OLD.bytes_done OR NEW.rows_read < OLD.rows_read THEN
        RAISE EXCEPTION 'an import keeps its batch and goes forward'
            USING errcode = '23514', constraint = 'import_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER import_step BEFORE UPDATE OR DELETE ON batches_import
    FOR EACH ROW EXECUTE FUNCTION batches_import_step();
ALTER TABLE batches_import ENABLE ALWAYS TRIGGER import_step;

-- An import begins in a draft; the lock that its foreign key takes lasts until the end of the transaction.
CREATE FUNCTION batches_import_of_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM batches_batch WHERE id = NEW.batch_id AND state = 'draft' FOR KEY SHARE) THEN
        RAISE EXCEPTION 'tasks are added to draft batches only' USING errcode = '23514', constraint = 'import_of_draft';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER import_of_draft BEFORE INSERT ON batches_import
    FOR EACH ROW EXECUTE FUNCTION batches_import_of_draft();
ALTER TABLE batches_import ENABLE ALWAYS TRIGGER import_of_draft;

CREATE FUNCTION batches_imports_finished() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM batches_import WHERE batch_id = NEW.id AND finished_at IS NULL) THEN
        RAISE EXCEPTION 'an import is not finished' USING errcode = '23514', constraint = 'imports_finished';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER imports_finished BEFORE UPDATE OF state ON batches_batch FOR EACH ROW
    WHEN (OLD.state = 'draft' AND NEW.state = 'published') EXECUTE FUNCTION batches_imports_finished();
ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER imports_finished;

-- Take away some of the tasks of an import that failed or was cancelled; how many. Nothing else ever deletes a task.
CREATE FUNCTION batches_discard_import(p_import bigint, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    b bigint := (SELECT batch_id FROM batches_import WHERE id = p_import);
    it record;
    gone bigint[];
    gone_places bigint;
BEGIN
    PERFORM 1 FROM batches_batch WHERE id = b AND published_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the batch was published' USING errcode = '23514', constraint = 'discard_of_draft';
    END IF;
    SELECT * INTO it FROM batches_import
     WHERE id = p_import AND state IN ('failed', 'cancelled') AND finished_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the import stays' USING errcode = '23514', constraint = 'discard_of_unfinished';
    END IF;
    SELECT array_agg(id), sum(overlap) INTO gone, gone_places
      FROM (SELECT id, overlap FROM batches_task WHERE id > it.after_task_id AND batch_id = b ORDER BY id LIMIT p_limit) t;
    IF gone IS NULL THEN
        RETURN 0;
    END IF;
    DELETE FROM batches_reservation WHERE task_id = ANY(gone);
    DELETE FROM batches_goldkey WHERE task_id = ANY(gone);
    DELETE FROM batches_openplace WHERE task_id = ANY(gone);
    DELETE FROM batches_payload WHERE task_id = ANY(gone);
    DELETE FROM batches_task WHERE id = ANY(gone);
    UPDATE batches_tail SET tasks = tasks - cardinality(gone), places = places - gone_places WHERE batch_id = b;
    UPDATE batches_import SET tasks = tasks - cardinality(gone), places = places - gone_places,
           gold_tasks = 0, reserved_tasks = 0, after_task_id = gone[cardinality(gone)], touched_at = market_now()
     WHERE id = p_import;
    RETURN cardinality(gone);
END $$;
REVOKE EXECUTE ON FUNCTION batches_discard_import(bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION batches_discard_import(bigint, integer) TO touchstone_runtime;
"""

TOGETHER = """
-- Tasks come while the batch is a draft, and never after: the hold is computed from them. Each is counted, and queued
-- at once; what turns out to be gold leaves the queue again by the next trigger. One look for each statement stands for
-- a foreign key: the batch is there, held as a foreign key would hold it, and no batch is ever deleted (`batch_step`).
CREATE OR REPLACE FUNCTION batches_task_of_draft() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    came record;
    of_batch text;
BEGIN
    FOR came IN SELECT batch_id, count(*) AS tasks, sum(overlap) AS places FROM fresh GROUP BY batch_id ORDER BY batch_id
    LOOP
        SELECT "order" INTO of_batch FROM batches_batch WHERE id = came.batch_id AND state = 'draft' FOR KEY SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'tasks are added to draft batches only'
                USING errcode = '23514', constraint = 'task_of_draft';
        END IF;
        INSERT INTO batches_tail (batch_id, tasks, places) VALUES (came.batch_id, came.tasks, came.places)
        ON CONFLICT (batch_id) DO UPDATE
           SET tasks = batches_tail.tasks + excluded.tasks, places = batches_tail.places + excluded.places;
        -- Chance below 2^59 leaves the ranks above to tasks that open again; lots are drawn in order of id.
        INSERT INTO batches_openplace (task_id, batch_id, bucket, rank)
        SELECT t.id, t.batch_id,
               CASE of_batch WHEN 'spread' THEN floor(random() * 64)
                             WHEN 'priority' THEN t.priority WHEN 'uncertainty' THEN t.priority ELSE 0 END,
               CASE of_batch WHEN 'sequential' THEN t.id ELSE floor(random() * (1::bigint << 59)) END
          FROM (SELECT id, batch_id, priority FROM fresh WHERE batch_id = came.batch_id AND NOT reserved ORDER BY id) t;
    END LOOP;
    RETURN NULL;
END $$;

-- The same for what belongs to a task. A task is deleted only while its batch is held against this look.
CREATE FUNCTION batches_payload_of_task() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM 1 FROM batches_batch WHERE id IN (SELECT DISTINCT batch_id FROM fresh) ORDER BY id FOR KEY SHARE;
    IF EXISTS (SELECT 1 FROM fresh f LEFT JOIN batches_task t ON t.id = f.task_id
                WHERE t.batch_id IS DISTINCT FROM f.batch_id) THEN
        RAISE EXCEPTION 'what is shown belongs to a task of its batch'
            USING errcode = '23503', constraint = 'payload_of_task';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payload_of_task AFTER INSERT ON batches_payload REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION batches_payload_of_task();
ALTER TABLE batches_payload ENABLE ALWAYS TRIGGER payload_of_task;

CREATE FUNCTION batches_keeps_its_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a task and what belongs to it stay together'
        USING errcode = '23514', constraint = 'task_stays';
END $$;
CREATE TRIGGER task_stays BEFORE UPDATE OF id, batch_id ON batches_task
    FOR EACH ROW EXECUTE FUNCTION batches_keeps_its_place();
CREATE TRIGGER task_stays BEFORE UPDATE OF task_id, batch_id ON batches_payload
    FOR EACH ROW EXECUTE FUNCTION batches_keeps_its_place();
CREATE TRIGGER task_stays BEFORE UPDATE OF task_id, batch_id ON batches_openplace
    FOR EACH ROW EXECUTE FUNCTION batches_keeps_its_place();
ALTER TABLE batches_task ENABLE ALWAYS TRIGGER task_stays;
ALTER TABLE batches_payload ENABLE ALWAYS TRIGGER task_stays;
ALTER TABLE batches_openplace ENABLE ALWAYS TRIGGER task_stays;

CREATE FUNCTION batches_task_gone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM 1 FROM batches_batch WHERE id IN (SELECT DISTINCT batch_id FROM gone) ORDER BY id FOR UPDATE;
    IF EXISTS (SELECT 1 FROM gone g JOIN batches_payload p ON p.task_id = g.id)
       OR EXISTS (SELECT 1 FROM gone g JOIN batches_openplace o ON o.task_id = g.id) THEN
        RAISE EXCEPTION 'something still belongs to the task' USING errcode = '23503', constraint = 'task_gone';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER task_gone AFTER DELETE ON batches_task REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION batches_task_gone();
ALTER TABLE batches_task ENABLE ALWAYS TRIGGER task_gone;
"""

PRIORITIES = """
-- Give tasks other levels. One that is queued goes to the end of its new level, under the next numbers of the tail: its
-- row lock lasts until commit, so no walk passes a number that appears later.
CREATE FUNCTION batches_set_priorities(p_batch bigint, p_tasks bigint[], p_levels integer[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    changed bigint[];
    moved bigint[];
    number bigint;
BEGIN
    PERFORM 1 FROM batches_batch WHERE id = p_batch AND "order" IN ('priority', 'uncertainty')
        AND state IN ('draft', 'published', 'paused') FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the batch gives its tasks in another order, or no more'
            USING errcode = '23514', constraint = 'priorities_of_batch';
    END IF;
    PERFORM 1 FROM batches_task WHERE id = ANY(p_tasks) ORDER BY id FOR NO KEY UPDATE;
    WITH wanted AS (SELECT * FROM unnest(p_tasks, p_levels) AS w(id, level)),
         done AS (UPDATE batches_task t SET priority = w.level FROM wanted w
                   WHERE t.id = w.id AND t.batch_id = p_batch AND t.priority <> w.level RETURNING t.id)
    SELECT coalesce(array_agg(id), '{}') INTO changed FROM done;
    SELECT coalesce(array_agg(task_id ORDER BY place), '{}') INTO moved
      FROM batches_openplace o JOIN unnest(p_tasks) WITH ORDINALITY AS w(id, place) ON w.id = o.task_id
     WHERE o.task_id = ANY(changed);
    IF cardinality(moved) > 0 THEN
        UPDATE batches_tail SET last = last + cardinality(moved) WHERE batch_id = p_batch
        RETURNING last - cardinality(moved) INTO number;
        UPDATE batches_openplace o SET bucket = t.priority, rank = number + m.place
          FROM unnest(moved) WITH ORDINALITY AS m(id, place) JOIN batches_task t ON t.id = m.id
         WHERE o.task_id = m.id;
    END IF;
    RETURN cardinality(changed);
END $$;
REVOKE EXECUTE ON FUNCTION batches_set_priorities(bigint, bigint[], integer[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION batches_set_priorities(bigint, bigint[], integer[]) TO touchstone_runtime;
"""

RIGHTS = """
GRANT UPDATE (state, attempt, bytes_total, bytes_done, rows_read, header, errors, error_count, tasks, gold_tasks,
              reserved_tasks, places, body_sha256, touched_at, finished_at) ON batches_import TO touchstone_runtime;
GRANT SELECT, INSERT, DELETE ON batches_importpart TO touchstone_runtime;
"""

VIEWS = {
    "inv_r32": (
        "Nothing of a body is kept once its import is finished.",
        """
        SELECT p.import_id, count(*) AS parts FROM batches_importpart p JOIN batches_import i ON i.id = p.import_id
         WHERE i.finished_at IS NOT NULL GROUP BY p.import_id
        """,
    ),
    "inv_r32_drafts": (
        "Tasks of an import that is not finished are in batches only that were never published.",
        """
        SELECT i.id AS import_id, i.batch_id, i.state FROM batches_import i JOIN batches_batch b ON b.id = i.batch_id
         WHERE i.finished_at IS NULL AND b.published_at IS NOT NULL
        """,
    ),
    "inv_r32_counts": (
        "An import that is not finished counts the tasks and places that it has brought so far.",
        """
        SELECT i.id AS import_id, i.tasks, i.places, t.tasks AS tasks_now, t.places AS places_now
          FROM batches_import i
          CROSS JOIN LATERAL (SELECT count(*) AS tasks, coalesce(sum(overlap), 0) AS places FROM batches_task
                               WHERE batch_id = i.batch_id AND id > i.after_task_id) t
         WHERE i.finished_at IS NULL AND (i.tasks, i.places) IS DISTINCT FROM (t.tasks, t.places)
        """,
    ),
    "inv_r17_tasks": (
        "Every payload and every queued place belongs to a task of its batch, every task to a batch, and what keeps them "
        "so is always on.",
        """
        SELECT 'batches_payload' AS what, p.task_id FROM batches_payload p
          LEFT JOIN batches_task t ON t.id = p.task_id WHERE t.batch_id IS DISTINCT FROM p.batch_id
        UNION ALL
        SELECT 'batches_openplace', o.task_id FROM batches_openplace o
          LEFT JOIN batches_task t ON t.id = o.task_id WHERE t.batch_id IS DISTINCT FROM o.batch_id
        UNION ALL
        SELECT 'batches_task', t.id FROM batches_task t
         WHERE NOT EXISTS (SELECT 1 FROM batches_batch b WHERE b.id = t.batch_id)
        UNION ALL
        SELECT wanted.relname || '.' || wanted.tgname, NULL
          FROM (VALUES ('batches_task', 'task_stays'), ('batches_payload', 'task_stays'),
                       ('batches_openplace', 'task_stays'), ('batches_task', 'task_gone'),
                       ('batches_payload', 'payload_of_task'), ('batches_import', 'import_step'),
                       ('batches_import', 'import_of_draft'), ('batches_batch', 'imports_finished'))
               AS wanted(relname, tgname)
         WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                            WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A')
        """,
    ),
}
MADE = [
    f"CREATE VIEW {name} AS {body}; COMMENT ON VIEW {name} IS $${sentence}$$;"
    f" GRANT SELECT ON {name} TO touchstone_runtime;"
    for name, (sentence, body) in VIEWS.items()
]

UNDO = f"""
{"".join(f"DROP VIEW {name};" for name in VIEWS)}
DROP FUNCTION batches_set_priorities(bigint, bigint[], integer[]);
DROP TRIGGER task_gone ON batches_task;
DROP FUNCTION batches_task_gone();
DROP TRIGGER task_stays ON batches_task;
DROP TRIGGER task_stays ON batches_payload;
DROP TRIGGER task_stays ON batches_openplace;
DROP FUNCTION batches_keeps_its_place();
DROP TRIGGER payload_of_task ON batches_payload;
DROP FUNCTION batches_payload_of_task();
{BEFORE.ARRIVAL[: BEFORE.ARRIVAL.index("CREATE FUNCTION batches_gold_unqueued")]}
DROP FUNCTION batches_discard_import(bigint, integer);
DROP TRIGGER imports_finished ON batches_batch;
DROP FUNCTION batches_imports_finished();
DROP TRIGGER import_of_draft ON batches_import;
DROP FUNCTION batches_import_of_draft();
DROP TRIGGER import_step ON batches_import;
DROP FUNCTION batches_import_step();
DROP INDEX import_unfinished;
"""


class Migration(migrations.Migration):
    dependencies = [("batches", "0005_imports")]
    operations = [migrations.RunSQL([DEFAULTS, IMPORTS, TOGETHER, PRIORITIES, RIGHTS, *MADE], UNDO)]
