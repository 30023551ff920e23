"""Gold that comes and goes while a batch runs: only live keys are picked, what becomes gold leaves every queue, and what
is gold no more comes back to it."""

from importlib import import_module

from django.db import migrations

from marketplace.common.rewriting import changed

FIRST = import_module("workers.assignments.migrations.0004_promises").VIEWS
FLOW = import_module("workers.assignments.migrations.0006_flow")
PROMISES = import_module("workers.assignments.migrations.0007_promises")

PICK_BEFORE = FLOW.before(FLOW.PICK, ["assignments_pick_gold"])
REQUEUE_BEFORE = FLOW.before(FLOW.EFFECTS, ["assignments_requeue"])
# As before, of live keys: where most places are gold, nothing about it can be hidden, and every key is gone through.
PICK_ANY = changed(
    PICK_BEFORE,
    ("FUNCTION assignments_pick_gold(", "FUNCTION assignments_pick_any_gold("),
    (
        "g.shown < g.cap AND g.rank > walked.gold_rank",
        "g.state = 'live' AND g.shown < g.cap AND g.rank > walked.gold_rank",
    ),
    (
        "WHERE task_id = candidate.task_id AND shown < cap;",
        "WHERE task_id = candidate.task_id AND state = 'live' AND shown < cap;",
    ),
)
PICK = """
-- How many answers the task has that the worker's walk comes to next; null where it comes to none. Nothing is locked.
CREATE FUNCTION assignments_next_taken(walk assignments_walk, p_order text) RETURNS smallint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    here smallint := 32767;
    seen smallint;
BEGIN
    IF p_order = 'spread' THEN
        FOR at IN walk.step .. 64 LOOP
            here := CASE WHEN at < 64 THEN (((walk.seed % 32) * 2 + 1) * at + walk.seed / 32) % 64 ELSE 64 END;
            SELECT t.taken INTO seen FROM batches_openplace o JOIN batches_task t ON t.id = o.task_id
             WHERE o.batch_id = walk.batch_id AND o.bucket = here
               AND o.rank > CASE WHEN at = walk.step THEN walk.rank ELSE -1 END ORDER BY o.rank LIMIT 1;
            EXIT WHEN FOUND;
        END LOOP;
        RETURN seen;
    END IF;
    LOOP
        SELECT o.bucket INTO here FROM batches_openplace o
         WHERE o.batch_id = walk.batch_id AND o.bucket < here ORDER BY o.bucket DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        SELECT t.taken INTO seen FROM batches_openplace o JOIN batches_task t ON t.id = o.task_id
         WHERE o.batch_id = walk.batch_id AND o.bucket = here AND o.rank > coalesce(walk.ranks[here + 1], -1)
         ORDER BY o.rank LIMIT 1;
        EXIT WHEN FOUND;
    END LOOP;
    RETURN seen;
END $$;

-- A gold task that this person has not been shown, in place of the ordinary task that he would come to next: one that has
-- as many answers as that one, or about as many where they are more than a few. So whoever counts how often a task was met
-- learns nothing: of all that are met for the n-th time, no larger part is gold than the schedule says. Where there is
-- none, he gets the ordinary task, and gold gets rarer. Keys are looked at from a random start, some only, so that a look
-- costs the same however many there are.
CREATE OR REPLACE FUNCTION assignments_pick_gold(walk assignments_walk, who assignments_claimer,
                                                 OUT task bigint, OUT walked assignments_walk)
LANGUAGE plpgsql AS $$
DECLARE
    terms record;
    picked record;
    candidate bigint;
    met smallint;
    start bigint;
BEGIN
    walked := walk;
    SELECT b."order" AS task_order, greatest((b.gold_policy->>'max_share')::float8,
                                             (b.gold_policy->>'probation_share')::float8) > 0.5 AS mostly_gold
      INTO terms FROM batches_batch b WHERE b.id = who.batch;
    IF terms.mostly_gold THEN
        picked := assignments_pick_any_gold(walk, who);
        task := picked.task;
        walked := picked.walked;
        RETURN;
    END IF;
    met := assignments_next_taken(walk, terms.task_order);
    IF met IS NULL THEN
        RETURN;
    END IF;
    start := floor(random() * coalesce((SELECT g.rank FROM batches_goldkey g
                                         WHERE g.batch_id = who.batch AND g.state = 'live' AND g.shown < g.cap
                                         ORDER BY g.rank DESC LIMIT 1), 0));
    FOR candidate IN
        SELECT k.task_id
          FROM ((SELECT g.task_id, g.rank, 0 AS lap FROM batches_goldkey g
                  WHERE g.batch_id = who.batch AND g.state = 'live' AND g.shown < g.cap AND g.rank >= start
                  ORDER BY g.rank LIMIT 12)
                UNION ALL
                (SELECT g.task_id, g.rank, 1 FROM batches_goldkey g
                  WHERE g.batch_id = who.batch AND g.state = 'live' AND g.shown < g.cap AND g.rank < start
                  ORDER BY g.rank LIMIT 12)) k
          JOIN batches_task t ON t.id = k.task_id
         WHERE abs(t.taken - met) <= met / 4 ORDER BY k.lap, k.rank
    LOOP
        CONTINUE WHEN assignments_past(candidate, who) <> 'none';
        IF assignments_try_task(candidate, who, false) = 'taken' THEN
            -- The task is locked, so nobody else can be counting the same exposure.
            UPDATE batches_goldkey SET shown = shown + 1 WHERE task_id = candidate AND state = 'live' AND shown < cap;
            IF FOUND THEN
                task := candidate;
                RETURN;
            END IF;
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION assignments_next_taken(assignments_walk, text),
    assignments_pick_any_gold(assignments_walk, assignments_claimer) FROM PUBLIC;
"""
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
DROP FUNCTION assignments_next_taken(assignments_walk, text);
DROP FUNCTION assignments_pick_any_gold(assignments_walk, assignments_claimer);
{REQUEUE_BEFORE}
"""


class Migration(migrations.Migration):
    dependencies = [("assignments", "0014_sanctioned"), ("batches", "0011_gold_keys"), ("gold", "0005_supply")]
    operations = [
        migrations.RunSQL([PICK_ANY, PICK, REQUEUE, CONVERTED], UNDO),
        migrations.RunSQL(
            [*PROMISES.dropped(list(CHANGED)), *PROMISES.made(CHANGED | ADDED)],
            [*PROMISES.dropped(list(CHANGED | ADDED)), *PROMISES.made(BEFORE)],
        ),
    ]
