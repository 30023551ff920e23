"""Under `spread` tasks are finished as they are begun, a few dozen at a time, and gold goes the same way (R38).

Gold is met by as many as any task, but there is little of it: where ordinary tasks were drawn from the whole batch, gold
came again sooner than they did, and newcomers, who meet more of it, were told by it. So a few dozen tasks are under way at
a time, and as many keys as their share says: both go from the first showing to the last at the same pace. Newcomers have
a lane of their own, from the other end of the queue, and keys that they met stay in it.
"""

from importlib import import_module

from django.db import migrations

from marketplace.common.rewriting import changed

FLOW = import_module("workers.assignments.migrations.0011_fewer_statements")
SANCTIONED = import_module("workers.assignments.migrations.0014_sanctioned")
ORDER = import_module("workers.assignments.migrations.0018_own_order")

WALK = changed(
    ORDER.BEFORE,
    (
        "assignments_pick_spread(walk assignments_walk, who assignments_claimer,",
        "assignments_pick_spread(walk assignments_walk, who assignments_claimer, p_first boolean,",
    ),
    ("walk under `spread`: 64 buckets", "walk under `spread`: what is under way in his lane, then 64 buckets"),
    (
        "    walked := walk;\n    LOOP\n",
        """    walked := walk;
    IF who.pair_limit IS NULL THEN
        candidate := assignments_pick_lane(walk, who, p_first);
        task := candidate.task;
        walked := candidate.walked;
        IF task IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;
    LOOP
""",
    ),
)
LANE = """
-- How many tasks are under way at a time: everybody's next task is the first open one that he has not come to, in a bucket
-- of chance; those of newcomers from the other end of a quarter of the buckets. With more, the few tasks that newcomers do
-- would be left half done to others; with fewer, those who work at once would stand in each other's way.
CREATE FUNCTION assignments_under_way(p_first boolean) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN CASE WHEN p_first THEN 16 ELSE 64 END;

-- A task of the worker's lane; none if a few looks find none, for the walk finds everything. What he came to in each
-- bucket is passed, whatever became of it.
CREATE FUNCTION assignments_pick_lane(walk assignments_walk, who assignments_claimer, p_first boolean,
                                      OUT task bigint, OUT walked assignments_walk) LANGUAGE plpgsql AS $$
DECLARE
    here smallint;
    slot smallint;
    met record;
BEGIN
    walked := walk;
    FOR look IN 1 .. 8 LOOP
        here := floor(random() * assignments_under_way(p_first));
        IF p_first THEN
            slot := here + 65;
            SELECT o.task_id, o.rank INTO met FROM batches_openplace o
             WHERE o.batch_id = walk.batch_id AND o.bucket = here
               AND o.rank < coalesce(walked.ranks[slot], 1::bigint << 62) ORDER BY o.rank DESC LIMIT 1;
        ELSE
            slot := here + 1;
            SELECT o.task_id, o.rank INTO met FROM batches_openplace o
             WHERE o.batch_id = walk.batch_id AND o.bucket = here
               AND o.rank > coalesce(walked.ranks[slot], -1) ORDER BY o.rank LIMIT 1;
        END IF;
        CONTINUE WHEN met.task_id IS NULL;
        walked.ranks[slot] := met.rank;
        SELECT t.id INTO task FROM batches_task t
         WHERE t.id = met.task_id AND t.taken + t.refunded < t.overlap AND t.quarantined_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM assignments_assignment a
                            WHERE a.task_id = t.id
                              AND (a.worker_id + 0 = ANY (who.accounts) OR a.person_id + 0 = who.person))
           FOR NO KEY UPDATE OF t SKIP LOCKED;
        EXIT WHEN task IS NOT NULL;
    END LOOP;
END $$;
"""
GOLD = """
-- Gold tasks that this person has not been shown, of those that are under way in his lane: as many keys are as go with the
-- ordinary tasks there by the lane's share, so that both go at the same pace from the first showing to the last. What the
-- crowd agreed on comes first, for it was under way before. None where no ordinary task is left: gold would stand out.
-- Nothing is locked: it is looked for at every place, gold or not, so that no claim takes longer for what it gives.
CREATE FUNCTION assignments_gold_near(who assignments_claimer, p_first boolean) RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    terms record;
    mine text := CASE WHEN p_first THEN 'first' ELSE 'later' END;
    width float8;
    keys bigint[];
    candidate bigint;
    found bigint[] := '{}';
BEGIN
    SELECT b."order" AS task_order,
           least(0.5, CASE WHEN p_first THEN (b.gold_policy->>'probation_share')::float8
                           ELSE ((b.gold_policy->>'min_share')::float8 + (b.gold_policy->>'max_share')::float8) / 2
                      END) AS share
      INTO terms FROM batches_batch b WHERE b.id = who.batch;
    width := CASE WHEN terms.task_order = 'spread' THEN assignments_under_way(p_first) ELSE 1 END
             * terms.share / (1 - terms.share);
    width := greatest(1, floor(width + random()));
    IF p_first THEN
        keys := array(SELECT g.task_id FROM batches_goldkey g
                       WHERE g.batch_id = who.batch AND g.state = 'live' AND g.shown < g.cap
                         AND g.origin = 'requester' AND g.lane IN ('', mine)
                       ORDER BY g.rank LIMIT 3 * width);
    ELSE
        keys := array(SELECT g.task_id FROM batches_goldkey g
                       WHERE g.batch_id = who.batch AND g.state = 'live' AND g.shown < g.cap
                         AND g.lane IN ('', mine)
                       ORDER BY g.rank DESC LIMIT 3 * width);
    END IF;
    IF cardinality(keys) = 0
       OR NOT EXISTS (SELECT 1 FROM (SELECT o.task_id FROM batches_openplace o WHERE o.batch_id = who.batch
                                      ORDER BY o.bucket DESC, o.rank DESC LIMIT 40) o
                       WHERE assignments_past(o.task_id, who) = 'none') THEN
        RETURN found;
    END IF;
    FOR look IN 1 .. 8 LOOP
        candidate := keys[1 + floor(random() * least(cardinality(keys), width * look))];
        CONTINUE WHEN candidate = ANY (found) OR assignments_past(candidate, who) <> 'none';
        found := found || candidate;
        EXIT WHEN cardinality(found) = 2;
    END LOOP;
    RETURN found;
END $$;

-- One of these gold tasks, unless others hold them or their last showing has been; then he gets an ordinary task, and gold
-- gets rarer.
CREATE FUNCTION assignments_pick_gold(who assignments_claimer, p_first boolean, p_near bigint[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    candidate bigint;
BEGIN
    FOREACH candidate IN ARRAY p_near LOOP
        IF assignments_try_task(candidate, who, false) = 'taken' THEN
            -- The task is locked, so nobody else can be counting the same exposure.
            UPDATE batches_goldkey SET shown = shown + 1, lane = CASE WHEN p_first THEN 'first' ELSE 'later' END
             WHERE task_id = candidate AND state = 'live' AND shown < cap;
            IF FOUND THEN
                RETURN candidate;
            END IF;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
"""
TAKE_BEFORE = FLOW.earlier(FLOW.TAKE, "assignments_take")
TAKE = changed(
    TAKE_BEFORE,
    ("    known boolean;\n", "    known boolean;\n    first boolean;\n    mostly_gold boolean;\n    near bigint[];\n"),
    (
        "    FOR i IN 1 .. least(",
        """    SELECT greatest((b.gold_policy->>'max_share')::float8, (b.gold_policy->>'probation_share')::float8) > 0.5
      INTO mostly_gold FROM batches_batch b WHERE b.id = who.batch;
    FOR i IN 1 .. least(""",
    ),
    (
        """        IF lease.gold[i] THEN
            picked := assignments_pick_gold(walk, who);
            task := picked.task;
            walk := picked.walked;
        END IF;
""",
        """        first := i <= lease.probation;
        IF mostly_gold AND lease.gold[i] THEN
            -- Where most places are gold nothing about it can be hidden, and every key is gone through.
            picked := assignments_pick_any_gold(walk, who);
            task := picked.task;
            walk := picked.walked;
        ELSIF NOT mostly_gold THEN
            near := assignments_gold_near(who, first);
            IF lease.gold[i] THEN
                task := assignments_pick_gold(who, first, near);
                IF task IS NOT NULL AND lease.task_order = 'spread' THEN
                    -- What an ordinary place would have looked at: no claim is shorter for what it gives.
                    PERFORM assignments_pick_lane(walk, who, first);
                END IF;
            END IF;
        END IF;
""",
    ),
    ("picked := assignments_pick_spread(walk, who);", "picked := assignments_pick_spread(walk, who, first);"),
)
CLAIM_BEFORE = SANCTIONED.CLAIM
CLAIM = changed(
    CLAIM_BEFORE,
    (
        "w.person_id, s.position, s.phase_end,",
        "w.person_id, (b.gold_policy->>'probation')::integer AS probation, s.position, s.phase_end,",
    ),
    (
        "moment, moment + make_interval(secs => terms.time_limit_s)),",
        "moment, moment + make_interval(secs => terms.time_limit_s), coalesce(terms.probation, 0) - terms.position),",
    ),
)
FORWARD = f"""
DROP FUNCTION assignments_pick_spread(assignments_walk, assignments_claimer);
DROP FUNCTION assignments_pick_gold(assignments_walk, assignments_claimer);
DROP FUNCTION assignments_next_taken(assignments_walk, text, assignments_claimer);
-- How many places, from the first on, lie within the worker's probation; less than one where none does.
ALTER TYPE assignments_lease ADD ATTRIBUTE probation integer;
{LANE}
{WALK.replace("CREATE OR REPLACE FUNCTION", "CREATE FUNCTION")}
{GOLD}
{TAKE}
{CLAIM}
REVOKE EXECUTE ON FUNCTION assignments_under_way(boolean),
    assignments_pick_lane(assignments_walk, assignments_claimer, boolean),
    assignments_pick_spread(assignments_walk, assignments_claimer, boolean),
    assignments_gold_near(assignments_claimer, boolean),
    assignments_pick_gold(assignments_claimer, boolean, bigint[]) FROM PUBLIC;
"""
UNDO = f"""
DROP FUNCTION assignments_pick_gold(assignments_claimer, boolean, bigint[]);
DROP FUNCTION assignments_gold_near(assignments_claimer, boolean);
DROP FUNCTION assignments_pick_spread(assignments_walk, assignments_claimer, boolean);
DROP FUNCTION assignments_pick_lane(assignments_walk, assignments_claimer, boolean);
DROP FUNCTION assignments_under_way(boolean);
ALTER TYPE assignments_lease DROP ATTRIBUTE probation;
{TAKE_BEFORE}
{CLAIM_BEFORE}
{ORDER.OWN_ORDER}
{ORDER.NEXT}
{ORDER.PICK}
REVOKE EXECUTE ON FUNCTION assignments_next_taken(assignments_walk, text, assignments_claimer),
    assignments_pick_spread(assignments_walk, assignments_claimer),
    assignments_pick_gold(assignments_walk, assignments_claimer) FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("assignments", "0018_own_order"), ("batches", "0013_gold_lane")]
    operations = [migrations.RunSQL([FORWARD], [UNDO])]
