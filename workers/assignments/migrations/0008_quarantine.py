"""The money of tasks in quarantine: refunded place by place, and held again when a task is released."""

import django.db.models.deletion
from django.db import migrations, models

BOOKS = """
ALTER TABLE assignments_quarantine ALTER step SET DEFAULT 0, ALTER due SET DEFAULT true, SET (fillfactor = 70);

-- Whatever opens a place of a task in quarantine makes a refund due. The condition is judged before anything is queued,
-- so that claims and submissions of other tasks pay nothing for it.
CREATE FUNCTION assignments_refund_due() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO assignments_quarantine (task_id, batch_id) VALUES (NEW.id, NEW.batch_id)
    ON CONFLICT (task_id) DO UPDATE SET due = true;
    RETURN NULL;
END $$;
CREATE TRIGGER refund_due AFTER UPDATE OF taken, quarantined_at ON batches_task FOR EACH ROW
    WHEN (NEW.quarantined_at IS NOT NULL AND NEW.taken + NEW.refunded < NEW.overlap)
    EXECUTE FUNCTION assignments_refund_due();
ALTER TABLE batches_task ENABLE ALWAYS TRIGGER refund_due;

INSERT INTO assignments_quarantine (task_id, batch_id, due)
SELECT id, batch_id, taken + refunded < overlap FROM batches_task WHERE quarantined_at IS NOT NULL;
"""

MONEY = """
-- Count the open places of these tasks as refunded, where they are in quarantine and their batch is not settled; no
-- program can refund more places than are open, or any of another task. The caller holds the batches (shared) and the
-- tasks, and moves the money for `places` under a key with `step`.
CREATE FUNCTION assignments_refund(p_tasks bigint[])
RETURNS TABLE (task_id bigint, batch_id bigint, places integer, step integer, is_new boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    UPDATE assignments_quarantine q SET due = false WHERE q.task_id = ANY (p_tasks);
    RETURN QUERY
    WITH opened AS (
        SELECT t.id, t.batch_id, t.refunded, t.overlap - t.taken - t.refunded AS places
          FROM batches_task t JOIN batches_batch b ON b.id = t.batch_id AND b.settled_at IS NULL
         WHERE t.id = ANY (p_tasks) AND t.quarantined_at IS NOT NULL AND t.taken + t.refunded < t.overlap
    ), raised AS (
        UPDATE batches_task t SET refunded = t.refunded + o.places FROM opened o WHERE t.id = o.id
    ), counted AS (
        UPDATE assignments_quarantine q SET step = q.step + 1 FROM opened o WHERE q.task_id = o.id
        RETURNING q.task_id, q.step
    )
    SELECT o.id, o.batch_id, o.places::integer, c.step, o.refunded = 0
      FROM opened o JOIN counted c ON c.task_id = o.id ORDER BY o.id;
END $$;

-- Put these tasks of the batch back to work, where they are in quarantine: as if nobody had given them up. The caller
-- holds the batch (shared), which takes work or is paused, and the tasks, and holds the money for `places` again.
CREATE FUNCTION assignments_release(p_batch bigint, p_tasks bigint[])
RETURNS TABLE (task_id bigint, places integer, step integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    task record;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM batches_batch b WHERE b.id = p_batch AND b.state IN ('published', 'paused')) THEN
        RAISE EXCEPTION 'the batch takes no work any more' USING errcode = '23514', constraint = 'release_in_open_batch';
    END IF;
    FOR task IN
        SELECT t.id, t.overlap, t.taken, t.refunded, t.reserved FROM batches_task t
         WHERE t.id = ANY (p_tasks) AND t.batch_id = p_batch AND t.quarantined_at IS NOT NULL ORDER BY t.id
    LOOP
        UPDATE batches_task t SET attempts = 0, quarantined_at = NULL, refunded = 0 WHERE t.id = task.id;
        INSERT INTO assignments_quarantine (task_id, batch_id, step, due) VALUES (task.id, p_batch, 1, false)
        ON CONFLICT (task_id) DO UPDATE SET step = assignments_quarantine.step + 1, due = false
        RETURNING assignments_quarantine.step INTO step;
        INSERT INTO batches_progressdelta (batch_id, quarantined) VALUES (p_batch, -1);
        IF task.reserved THEN
            UPDATE batches_reservation r SET open = true
             WHERE r.task_id = task.id AND NOT r.open
               AND NOT EXISTS (SELECT 1 FROM assignments_assignment a
                                WHERE a.task_id = r.task_id AND a.worker_id = r.worker_id AND a.state <> 'expired');
        ELSIF task.taken < task.overlap THEN
            PERFORM assignments_requeue(p_batch, task.id);
        END IF;
        task_id := task.id;
        places := task.refunded;
        RETURN NEXT;
    END LOOP;
END $$;
"""

RIGHTS = """
REVOKE EXECUTE ON FUNCTION assignments_refund_due(), assignments_refund(bigint[]), assignments_release(bigint, bigint[])
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assignments_refund(bigint[]), assignments_release(bigint, bigint[]) TO touchstone_runtime;
GRANT SELECT ON assignments_quarantine TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (seen) ON assignments_spike TO touchstone_runtime;
"""

VIEWS = """
CREATE VIEW inv_r19_refunds AS
    SELECT t.id AS task_id, t.overlap, t.taken, t.refunded
      FROM batches_task t JOIN batches_batch b ON b.id = t.batch_id
      LEFT JOIN assignments_quarantine q ON q.task_id = t.id
     WHERE (t.quarantined_at IS NOT NULL AND b.settled_at IS NULL AND t.taken + t.refunded < t.overlap
            AND NOT coalesce(q.due, false))
        OR (t.refunded > 0 AND q.task_id IS NULL);
COMMENT ON VIEW inv_r19_refunds IS 'Every open place of a task in quarantine is refunded, or its refund is due.';

CREATE VIEW inv_r19_money AS
    SELECT b.id AS batch_id, m.went_back_micros, t.places * (b.price_micros + b.fee_micros) AS refunded_micros
      FROM batches_batch b
      CROSS JOIN LATERAL (SELECT coalesce(sum(refunded), 0) AS places FROM batches_task
                           WHERE batch_id = b.id AND quarantined_at IS NOT NULL) t
      CROSS JOIN LATERAL (SELECT coalesce(sum(CASE kind WHEN 'rehold' THEN -amount_micros ELSE amount_micros END), 0)
                                 AS went_back_micros
                            FROM ledger_transfer WHERE batch_id = b.id AND kind IN ('quarantine', 'rehold')) m
     WHERE m.went_back_micros <> t.places * (b.price_micros + b.fee_micros);
COMMENT ON VIEW inv_r19_money IS 'Exactly the money of refunded places went back to the requester.';
GRANT SELECT ON inv_r19_refunds, inv_r19_money TO touchstone_runtime;
"""

UNDO = """
DROP VIEW inv_r19_money;
DROP VIEW inv_r19_refunds;
DROP FUNCTION assignments_release(bigint, bigint[]);
DROP FUNCTION assignments_refund(bigint[]);
DROP TRIGGER refund_due ON batches_task;
DROP FUNCTION assignments_refund_due();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0007_promises"),
        ("batches", "0004_arrival"),
        ("ledger", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="Quarantine",
            fields=[
                (
                    "task",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="batches.task",
                    ),
                ),
                ("step", models.PositiveIntegerField(default=0)),
                ("due", models.BooleanField(default=True)),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="batches.batch",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("due", True)), fields=["batch", "task"], name="quarantine_due")
                ]
            },
        ),
        migrations.CreateModel(
            name="Spike",
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
                ("seen", models.PositiveIntegerField()),
            ],
        ),
        # Constraints of what was just made must be checked before its triggers change.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunSQL([BOOKS, MONEY, RIGHTS, VIEWS], UNDO),
    ]
