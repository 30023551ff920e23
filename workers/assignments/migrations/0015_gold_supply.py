"""Gold that comes and goes while a batch runs: only live keys are picked, what becomes gold leaves every queue, and what
is gold no more comes back to it."""

from importlib import import_module

from django.db import migrations

FIRST = import_module("workers.assignments.migrations.0004_promises").VIEWS
FLOW = import_module("workers.assignments.migrations.0006_flow")
PROMISES = import_module("workers.assignments.migrations.0007_promises")
changed = import_module("workers.assignments.migrations.0012_money").changed

PICK_BEFORE = FLOW.before(FLOW.PICK, ["assignments_pick_gold"])
REQUEUE_BEFORE = FLOW.before(FLOW.EFFECTS, ["assignments_requeue"])
PICK = changed(
    PICK_BEFORE,
    (
        "g.shown < g.cap AND g.rank > walked.gold_rank",
        "g.state = 'live' AND g.shown < g.cap AND g.rank > walked.gold_rank",
    ),
    (
        "WHERE task_id = candidate.task_id AND shown < cap;",
        "WHERE task_id = candidate.task_id AND state = 'live' AND shown < cap;",
    ),
)
REQUEUE = changed(
    REQUEUE_BEFORE,
    ("IF EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = p_task) THEN", "IF batches_is_gold(p_task) THEN"),
)

CONVERTED = """
-- What becomes gold while the batch runs has been an ordinary task for some: they are counted, and do not count as shown.
CREATE FUNCTION assignments_gold_begins() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    NEW.earlier := (SELECT count(*) FROM assignments_assignment a WHERE a.task_id = NEW.task_id);
    RETURN NEW;
END $$;
CREATE TRIGGER gold_begins_anew BEFORE INSERT ON batches_goldkey FOR EACH ROW
    WHEN (NEW.origin = 'consensus') EXECUTE FUNCTION assignments_gold_begins();
CREATE TRIGGER gold_begins BEFORE UPDATE OF state ON batches_goldkey FOR EACH ROW
    WHEN (NEW.origin = 'consensus' AND OLD.state = 'waiting' AND NEW.state = 'live')
    EXECUTE FUNCTION assignments_gold_begins();

-- It leaves the queue, and whoever passed it while another held it does not come back to it; given up as gold it is
-- queued again. The caller holds the batch FOR UPDATE, so that no claim has it in sight.
CREATE FUNCTION assignments_gold_moves() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NEW.state IN ('live', 'flagged') THEN
        DELETE FROM batches_openplace WHERE task_id = NEW.task_id;
        DELETE FROM assignments_missed WHERE task_id = NEW.task_id AND NOT revival;
    ELSIF EXISTS (SELECT 1 FROM batches_task t WHERE t.id = NEW.task_id AND t.taken + t.refunded < t.overlap
                     AND t.quarantined_at IS NULL)
          AND NOT EXISTS (SELECT 1 FROM batches_openplace o WHERE o.task_id = NEW.task_id) THEN
        PERFORM assignments_requeue(NEW.batch_id, NEW.task_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER gold_moves AFTER INSERT ON batches_goldkey FOR EACH ROW
    WHEN (NEW.origin = 'consensus') EXECUTE FUNCTION assignments_gold_moves();
CREATE TRIGGER gold_moved AFTER UPDATE OF state ON batches_goldkey FOR EACH ROW
    WHEN (NEW.origin = 'consensus' AND NEW.state <> OLD.state) EXECUTE FUNCTION assignments_gold_moves();
ALTER TABLE batches_goldkey ENABLE ALWAYS TRIGGER gold_begins_anew;
ALTER TABLE batches_goldkey ENABLE ALWAYS TRIGGER gold_begins;
ALTER TABLE batches_goldkey ENABLE ALWAYS TRIGGER gold_moves;
ALTER TABLE batches_goldkey ENABLE ALWAYS TRIGGER gold_moved;
REVOKE EXECUTE ON FUNCTION assignments_gold_begins(), assignments_gold_moves() FROM PUBLIC;
"""

# Each exposure is an assignment that began after the task had become gold; a key that is not in use is shown to nobody.
SEEN = """
        SELECT g.task_id, g.cap, g.shown, count(a.id) - g.earlier AS seen
          FROM batches_goldkey g LEFT JOIN assignments_assignment a ON a.task_id = g.task_id
         GROUP BY g.task_id
"""
BEFORE = {"inv_r15": PROMISES.CHANGED["inv_r15"], "inv_r37": FIRST["inv_r37"]}
CHANGED = {
    "inv_r15": (
        PROMISES.CHANGED["inv_r15"][0],
        changed(
            PROMISES.CHANGED["inv_r15"][1],
            (
                "NOT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = t.id)",
                "NOT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = t.id\n"
                "                                 AND (g.origin = 'requester' OR g.state IN ('live', 'flagged')))",
            ),
        ),
    ),
    "inv_r37": (
        FIRST["inv_r37"][0],
        f"""{SEEN}
        HAVING (g.origin = 'requester' OR g.state IN ('live', 'flagged'))
           AND (count(a.id) - g.earlier > g.cap OR count(a.id) - g.earlier <> g.shown)
        """,
    ),
}
ADDED = {
    "inv_r38": (
        "No key of gold was shown over its cap, to two accounts of a person, or while it was not in use.",
        """
        SELECT g.task_id, g.state, g.cap, g.shown, g.frozen, NULL::bigint AS person_id
          FROM batches_goldkey g WHERE g.shown > g.cap OR g.state <> 'live' AND g.shown IS DISTINCT FROM g.frozen
                                    OR g.state = 'waiting' AND g.shown > 0
        UNION ALL
        SELECT g.task_id, g.state, g.cap, g.shown, g.frozen, a.person_id
          FROM batches_goldkey g JOIN assignments_assignment a ON a.task_id = g.task_id
         GROUP BY g.task_id, a.person_id HAVING count(*) > 1
        """,
    ),
    "inv_r38_committed": (
        "Every published batch is committed to its keys, those with none alike, and every key that was shown is among them.",
        """
        SELECT b.id AS batch_id, NULL::bigint AS task_id FROM batches_batch b
         WHERE b.published_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM gold_commitment c WHERE c.batch_id = b.id AND c.seq = 1)
        UNION ALL
        SELECT g.batch_id, g.task_id FROM batches_goldkey g JOIN batches_batch b ON b.id = g.batch_id
         WHERE b.published_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM gold_commitment c WHERE c.batch_id = g.batch_id AND c.seq = g.sealed)
        """,
    ),
    "inv_r38_guards": (
        "What keeps gold keys as they were committed is always on.",
        """
        SELECT wanted.relname, wanted.tgname
          FROM (VALUES ('batches_goldkey', 'key_step'), ('batches_goldkey', 'key_stays'), ('batches_goldkey', 'key_comes'),
                       ('batches_goldkey', 'closed_truncate'), ('batches_goldkey', 'gold_begins'),
                       ('batches_goldkey', 'gold_begins_anew'), ('batches_goldkey', 'gold_moves'),
                       ('batches_goldkey', 'gold_moved'), ('batches_batch', 'keys_alike'),
                       ('batches_batch', 'keys_committed'), ('gold_commitment', 'closed'),
                       ('gold_commitment', 'closed_truncate')) AS wanted(relname, tgname)
         WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                            WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A')
        """,
    ),
}

UNDO = f"""
DROP TRIGGER gold_begins ON batches_goldkey; DROP TRIGGER gold_begins_anew ON batches_goldkey;
DROP TRIGGER gold_moves ON batches_goldkey; DROP TRIGGER gold_moved ON batches_goldkey;
DROP FUNCTION assignments_gold_begins(); DROP FUNCTION assignments_gold_moves();
{PICK_BEFORE}
{REQUEUE_BEFORE}
"""


class Migration(migrations.Migration):
    dependencies = [("assignments", "0013_timed"), ("batches", "0011_gold_keys"), ("gold", "0005_supply")]
    operations = [
        migrations.RunSQL([PICK, REQUEUE, CONVERTED], UNDO),
        migrations.RunSQL(
            [*PROMISES.dropped(list(CHANGED)), *PROMISES.made(CHANGED | ADDED)],
            [*PROMISES.dropped(list(CHANGED | ADDED)), *PROMISES.made(BEFORE)],
        ),
    ]
