"""Places that are added to tasks of a batch that runs: the only way in which an overlap changes, and never without the
money for it."""

import django.db.models.deletion
from django.db import migrations, models

COLUMNS = """
ALTER TABLE batches_moreplaces ALTER tasks SET DEFAULT 0, ALTER places SET DEFAULT 0, ALTER disputes SET DEFAULT 0,
    ALTER open SET DEFAULT true;
"""

GUARDS = """
-- Rows are made and counted by the function below and the trigger of the tasks, and then never change.
CREATE FUNCTION batches_moreplaces_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NOT OLD.open OR NEW.places < OLD.places OR NEW.tasks < OLD.tasks
       OR (NEW.batch_id, NEW.number, NEW.made_at) IS DISTINCT FROM (OLD.batch_id, OLD.number, OLD.made_at) THEN
        RAISE EXCEPTION 'what was added stays as it was written' USING errcode = '23514', constraint = 'more_places_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER more_places_step BEFORE UPDATE OR DELETE ON batches_moreplaces
    FOR EACH ROW EXECUTE FUNCTION batches_moreplaces_step();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON batches_moreplaces FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE batches_moreplaces ENABLE ALWAYS TRIGGER more_places_step;
ALTER TABLE batches_moreplaces ENABLE ALWAYS TRIGGER closed_truncate;

-- An overlap only rises, and only where the rise is counted: that row is open for as long as the function runs, and no
-- other transaction ever sees it so.
CREATE FUNCTION batches_overlap_rises() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NEW.overlap = OLD.overlap THEN
        RETURN NEW;
    END IF;
    UPDATE batches_moreplaces m SET tasks = m.tasks + 1, places = m.places + NEW.overlap - OLD.overlap
     WHERE m.batch_id = NEW.batch_id AND m.open AND NEW.overlap > OLD.overlap;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the overlap of a task only rises, and with its money'
            USING errcode = '23514', constraint = 'overlap_rises';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER overlap_rises BEFORE UPDATE OF overlap ON batches_task
    FOR EACH ROW EXECUTE FUNCTION batches_overlap_rises();
ALTER TABLE batches_task ENABLE ALWAYS TRIGGER overlap_rises;

-- R6: at the end of its transaction what was added is held, to the last micro-unit: in escrow, aside for disputes and
-- aside for a top-up.
CREATE FUNCTION batches_more_places_held() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM batches_moreplaces m
          JOIN batches_batch b ON b.id = m.batch_id
          CROSS JOIN LATERAL (SELECT b.price_micros + b.fee_micros AS unit,
                                     b.price_micros * b.topup_basis_points / 10000 AS most) u
          CROSS JOIN LATERAL (SELECT u.most + (u.most * b.fee_basis_points + 9999) / 10000 AS topup) v
          CROSS JOIN LATERAL (VALUES ('', 'escrow', m.places * u.unit),
                                     (':disputes', 'disputes', m.disputes * (u.unit + v.topup)),
                                     (':topup', 'topup', m.places * v.topup)) AS wanted(suffix, place, micros)
          LEFT JOIN ledger_transfer t ON t.key = 'more:' || b.public_id || ':' || m.number || wanted.suffix
          LEFT JOIN ledger_account d ON d.id = t.destination_id
         WHERE m.batch_id = NEW.batch_id AND m.number = NEW.number
           AND (m.open OR coalesce(t.amount_micros, 0) <> wanted.micros
                OR d.address <> 'batch:' || b.public_id || ':' || wanted.place)) THEN
        RAISE EXCEPTION 'places are added with their money or not at all'
            USING errcode = '23514', constraint = 'more_places_held';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER more_places_held AFTER INSERT ON batches_moreplaces DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION batches_more_places_held();
ALTER TABLE batches_moreplaces ENABLE ALWAYS TRIGGER more_places_held;
"""

FUNCTION = """
-- Give each of these tasks of an open batch `p_by` places more. Gold and reserved tasks, those in quarantine and those
-- that would have too many are passed over. No row if none is left; otherwise the number under whose keys the caller
-- moves the money, and for how many places and disputes. The caller holds the batch (shared) and puts tasks that were
-- full back into the queue.
CREATE FUNCTION batches_more_places(p_batch bigint, p_tasks bigint[], p_by integer)
RETURNS TABLE (number integer, raised bigint[], places bigint, disputes bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    terms batches_batch;
    mine integer;
    chosen bigint[];
    before bigint;
BEGIN
    SELECT * INTO terms FROM batches_batch b WHERE b.id = p_batch AND b.state IN ('published', 'paused') FOR KEY SHARE;
    IF NOT FOUND OR p_by IS NULL OR p_by < 1 THEN
        RAISE EXCEPTION 'places are added to batches that take work'
            USING errcode = '23514', constraint = 'more_places_in_open_batch';
    END IF;
    PERFORM 1 FROM batches_task t WHERE t.id = ANY (p_tasks) ORDER BY t.id FOR NO KEY UPDATE;
    chosen := array(SELECT t.id FROM batches_task t
                     WHERE t.id = ANY (p_tasks) AND t.batch_id = p_batch AND t.quarantined_at IS NULL
                       AND NOT t.reserved AND t.overlap + p_by <= 50
                       AND NOT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = t.id)
                     ORDER BY t.id);
    IF cardinality(chosen) = 0 THEN
        RETURN;
    END IF;
    -- The row of the tail orders those who add to one batch at the same time.
    UPDATE batches_tail l SET places = l.places + cardinality(chosen)::bigint * p_by WHERE l.batch_id = p_batch
    RETURNING l.places - cardinality(chosen)::bigint * p_by INTO STRICT before;
    SELECT coalesce(max(m.number), 0) + 1 INTO mine FROM batches_moreplaces m WHERE m.batch_id = p_batch;
    INSERT INTO batches_moreplaces (batch_id, number, made_at) VALUES (p_batch, mine, market_now());
    UPDATE batches_task t SET overlap = t.overlap + p_by WHERE t.id = ANY (chosen);
    RETURN QUERY
    UPDATE batches_moreplaces m
       SET open = false,
           disputes = ((before + m.places) * terms.dispute_basis_points + 9999) / 10000
                      - (before * terms.dispute_basis_points + 9999) / 10000
     WHERE m.batch_id = p_batch AND m.number = mine
    RETURNING m.number, chosen, m.places, m.disputes;
END $$;
"""

RIGHTS = """
REVOKE EXECUTE ON FUNCTION batches_moreplaces_step(), batches_overlap_rises(), batches_more_places_held(),
    batches_more_places(bigint, bigint[], integer) FROM PUBLIC;
GRANT SELECT ON batches_moreplaces TO touchstone_runtime;
"""

VIEWS = """
CREATE VIEW inv_r06_more_places AS
    SELECT m.batch_id, m.number, m.places, t.amount_micros, m.places * (b.price_micros + b.fee_micros) AS wanted_micros
      FROM batches_moreplaces m JOIN batches_batch b ON b.id = m.batch_id
      LEFT JOIN ledger_transfer t ON t.key = 'more:' || b.public_id || ':' || m.number
     WHERE m.open OR coalesce(t.amount_micros, 0) <> m.places * (b.price_micros + b.fee_micros)
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL
      FROM (VALUES ('batches_task', 'overlap_rises'), ('batches_moreplaces', 'more_places_held'),
                   ('batches_moreplaces', 'more_places_step')) AS wanted(relname, tgname)
     WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                        WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A');
COMMENT ON VIEW inv_r06_more_places IS
    'Places that were added to a running batch were held for in the same step, and what keeps it so is always on.';
GRANT SELECT ON inv_r06_more_places TO touchstone_runtime;
"""

UNDO = """
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM batches_moreplaces) THEN
        RAISE EXCEPTION 'places were added to batches: an earlier version would not know of their money';
    END IF;
END $$;
DROP VIEW inv_r06_more_places;
DROP FUNCTION batches_more_places(bigint, bigint[], integer);
DROP TRIGGER overlap_rises ON batches_task;
DROP FUNCTION batches_overlap_rises();
DROP TRIGGER more_places_held ON batches_moreplaces;
DROP FUNCTION batches_more_places_held();
DROP TRIGGER more_places_step ON batches_moreplaces;
DROP FUNCTION batches_moreplaces_step();
"""


class Migration(migrations.Migration):
    dependencies = [("batches", "0010_quality"), ("ledger", "0003_seals")]
    operations = [
        migrations.CreateModel(
            name="MorePlaces",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "batch_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("tasks", models.PositiveIntegerField(default=0)),
                ("places", models.BigIntegerField(default=0)),
                ("disputes", models.BigIntegerField(default=0)),
                ("open", models.BooleanField(default=True)),
                ("made_at", models.DateTimeField()),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="more_places",
                        to="batches.batch",
                    ),
                ),
            ],
        ),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunSQL([COLUMNS, GUARDS, FUNCTION, RIGHTS, VIEWS], UNDO),
    ]
