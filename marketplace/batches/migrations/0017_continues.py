"""A batch that goes on where another was stopped: what the other leaves undone, counted and brought over by the database,
which alone knows what is gold."""

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

from marketplace.common.rewriting import changed

KEYS = import_module("marketplace.batches.migrations.0011_gold_keys")
DRAFTS = import_module("marketplace.batches.migrations.0016_drafts")
STEP_BEFORE = DRAFTS.STEP
STEP = changed(
    STEP_BEFORE, *((f"{row}.expected_s)", f"{row}.expected_s, {row}.continues_id)") for row in ("NEW", "OLD"))
)
ALIKE_BEFORE = KEYS.ALIKE[
    KEYS.ALIKE.index("CREATE FUNCTION batches_alike(") : KEYS.ALIKE.index("-- Before a batch opens")
]
ALIKE_BEFORE = ALIKE_BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
# Of a batch that takes no more work nobody meets a key that nobody has met yet: it may be used again.
ALIKE = changed(
    ALIKE_BEFORE,
    ("g.state = 'live' AND b.published_at IS NOT NULL", "g.state = 'live' AND b.state IN ('published', 'paused')"),
)

FUNCTIONS = """
-- What batches that go on with this one have taken over, by the names of the tasks. Whoever published one goes on from
-- there, whatever becomes of it; a draft that was given up has taken nothing.
CREATE FUNCTION batches_taken_over(p_batch bigint) RETURNS TABLE (external_id varchar, places integer)
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    SELECT n.external_id, sum(n.overlap)::integer
      FROM batches_batch f JOIN batches_task n ON n.batch_id = f.id
     WHERE f.continues_id = p_batch AND (f.state <> 'cancelled' OR f.published_at IS NOT NULL)
     GROUP BY n.external_id
$$;

-- The tasks with places that nobody has and nobody has taken over. Gold is no work; nor is, while its key is in use, a
-- task of which the crowd is sure.
CREATE FUNCTION batches_lacking(p_batch bigint)
RETURNS TABLE (task_id bigint, external_id varchar, priority smallint, places integer, begun boolean, reserved boolean,
               quarantined boolean)
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    SELECT t.id, t.external_id, t.priority, t.overlap - t.taken - coalesce(o.places, 0), t.taken > 0, t.reserved,
           t.quarantined_at IS NOT NULL
      FROM batches_task t LEFT JOIN batches_taken_over(p_batch) o ON o.external_id = t.external_id
     WHERE t.batch_id = p_batch AND t.taken + coalesce(o.places, 0) < t.overlap
       AND NOT EXISTS (SELECT 1 FROM batches_goldkey g
                        WHERE g.task_id = t.id AND (g.origin = 'requester' OR g.state = 'live'))
$$;

-- The requester's keys that are in use and that nobody has been shown: one that was shown is used in no other batch.
CREATE FUNCTION batches_fresh_keys(p_batch bigint)
RETURNS TABLE (task_id bigint, external_id varchar, priority smallint, places integer, rank bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    SELECT t.id, t.external_id, t.priority, t.overlap::integer, g.rank
      FROM batches_goldkey g JOIN batches_task t ON t.id = g.task_id
     WHERE g.batch_id = p_batch AND g.origin = 'requester' AND g.state = 'live' AND g.shown = 0
       AND t.taken = 0 AND t.quarantined_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM batches_taken_over(p_batch) o WHERE o.external_id = t.external_id)
$$;

-- How much that is: numbers, which say of no task that it is gold.
CREATE FUNCTION batches_lacks(p_batch bigint)
RETURNS TABLE (tasks bigint, places bigint, begun bigint, quarantined bigint, quarantined_places bigint,
               quarantined_begun bigint, reserved bigint, gold bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*) FILTER (WHERE NOT l.reserved AND NOT l.quarantined),
           coalesce(sum(l.places) FILTER (WHERE NOT l.reserved AND NOT l.quarantined), 0),
           count(*) FILTER (WHERE NOT l.reserved AND NOT l.quarantined AND l.begun),
           count(*) FILTER (WHERE NOT l.reserved AND l.quarantined),
           coalesce(sum(l.places) FILTER (WHERE NOT l.reserved AND l.quarantined), 0),
           count(*) FILTER (WHERE NOT l.reserved AND l.quarantined AND l.begun),
           count(*) FILTER (WHERE l.reserved),
           (SELECT count(*) FROM batches_fresh_keys(p_batch))
      FROM batches_lacking(p_batch) l
$$;

-- Copy what is lacking, up to p_limit tasks and p_gold keys drawn by chance, into the empty draft that goes on with the
-- batch; those in quarantine with p_quarantined only. The caller holds the batch FOR UPDATE, and it takes no more work:
-- places only fall free there from now on.
CREATE FUNCTION batches_bring_over(p_from bigint, p_to bigint, p_quarantined boolean, p_gold bigint, p_limit integer)
RETURNS TABLE (tasks integer, gold_tasks integer, places bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    came integer;
    known integer;
BEGIN
    PERFORM 1 FROM batches_batch f
      JOIN batches_batch n ON n.continues_id = f.id AND n.project_id = f.project_id AND n.version_id = f.version_id
     WHERE f.id = p_from AND n.id = p_to AND f.published_at IS NOT NULL AND f.state NOT IN ('published', 'paused')
       AND n.state = 'draft' AND NOT EXISTS (SELECT 1 FROM batches_task t WHERE t.batch_id = n.id);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tasks go from a batch that takes no more work into the empty draft that goes on with it'
            USING errcode = '23514', constraint = 'brought_over';
    END IF;
    INSERT INTO batches_task (id, batch_id, external_id, overlap, reserved, priority)
    SELECT nextval('batches_task_id_seq'), p_to, w.external_id, w.places, false, w.priority
      FROM (SELECT u.external_id, u.places, u.priority FROM (
                (SELECT l.task_id, l.external_id, l.places, l.priority FROM batches_lacking(p_from) l
                  WHERE NOT l.reserved AND (p_quarantined OR NOT l.quarantined) ORDER BY l.task_id LIMIT p_limit)
                UNION ALL
                (SELECT k.task_id, k.external_id, k.places, k.priority FROM batches_fresh_keys(p_from) k
                  ORDER BY k.rank, k.task_id LIMIT p_gold)) u
             ORDER BY u.task_id) w;
    GET DIAGNOSTICS came = ROW_COUNT;
    INSERT INTO batches_payload (task_id, batch_id, data)
    SELECT n.id, p_to, p.data
      FROM batches_task n JOIN batches_task o ON o.batch_id = p_from AND o.external_id = n.external_id
      JOIN batches_payload p ON p.task_id = o.id
     WHERE n.batch_id = p_to ORDER BY n.id;
    INSERT INTO batches_goldkey (task_id, batch_id, key, cap, simhash)
    SELECT n.id, p_to, g.key, n.overlap, g.simhash
      FROM batches_task n JOIN batches_task o ON o.batch_id = p_from AND o.external_id = n.external_id
      JOIN batches_goldkey g ON g.task_id = o.id AND g.origin = 'requester'
     WHERE n.batch_id = p_to ORDER BY n.id;
    GET DIAGNOSTICS known = ROW_COUNT;
    RETURN QUERY SELECT came, known, coalesce(sum(t.overlap), 0)::bigint FROM batches_task t WHERE t.batch_id = p_to;
END $$;
REVOKE EXECUTE ON FUNCTION batches_taken_over(bigint), batches_lacking(bigint), batches_fresh_keys(bigint),
    batches_lacks(bigint), batches_bring_over(bigint, bigint, boolean, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION batches_lacks(bigint), batches_bring_over(bigint, bigint, boolean, bigint, integer)
    TO touchstone_runtime;
"""

GONE = """
DROP FUNCTION batches_bring_over(bigint, bigint, boolean, bigint, integer);
DROP FUNCTION batches_lacks(bigint);
DROP FUNCTION batches_fresh_keys(bigint);
DROP FUNCTION batches_lacking(bigint);
DROP FUNCTION batches_taken_over(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("batches", "0016_drafts")]
    operations = [
        migrations.AddField(
            "batch",
            "continues",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="continued_by", to="batches.batch"
            ),
        ),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunSQL([STEP, ALIKE, FUNCTIONS], [GONE, ALIKE_BEFORE, STEP_BEFORE]),
    ]
