"""The same claim and the same submission by half as many statements.

Inside a function a statement costs more to start than to run: its plan is looked up and its tables locked anew each time.
So what was read one by one is read together, a page is read as a whole, and the usual case, where the next task of the
queue can be had, takes one statement.
"""

from importlib import import_module

from django.db import migrations, models
from django.db.models.deletion import PROTECT

FLOW = import_module("workers.assignments.migrations.0006_flow")

STEP = """
-- R13, R14, R17, R19, R20: what an assignment may be and become, whoever writes it.
CREATE OR REPLACE FUNCTION assignments_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    terms record;
    anew boolean := NEW.state = 'leased' AND (TG_OP = 'INSERT' OR OLD.state <> 'leased');
    again boolean := TG_OP = 'UPDATE' AND OLD.state = 'submitted';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.public_id, NEW.batch_id, NEW.task_id, NEW.worker_id) IS DISTINCT FROM
           (OLD.id, OLD.public_id, OLD.batch_id, OLD.task_id, OLD.worker_id) THEN
            RAISE EXCEPTION 'an assignment keeps its task and worker'
                USING errcode = '23514', constraint = 'assignment_identity';
        END IF;
        IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
            ('leased', 'submitted'), ('leased', 'returned'), ('leased', 'expired'), ('expired', 'leased'),
            ('submitted', 'accepted'), ('submitted', 'rejected'), ('submitted', 'leased'), ('rejected', 'upheld')) THEN
            RAISE EXCEPTION 'an assignment does not go from % to %', OLD.state, NEW.state
                USING errcode = '23514', constraint = 'assignment_step';
        END IF;
        IF OLD.state = NEW.state AND OLD.state <> 'leased' THEN
            RAISE EXCEPTION 'an assignment that is % does not change', OLD.state
                USING errcode = '23514', constraint = 'assignment_step';
        END IF;
        IF anew THEN
            IF NEW.token = OLD.token THEN
                RAISE EXCEPTION 'a new lease needs a new token' USING errcode = '23514', constraint = 'lease_new_token';
            END IF;
            IF OLD.state = 'expired' AND NEW.attempts <> OLD.attempts + 1 THEN
                RAISE EXCEPTION 'a revival counts as an attempt' USING errcode = '23514', constraint = 'lease_attempts';
            END IF;
            IF OLD.state = 'submitted' AND NEW.place <> OLD.place THEN
                RAISE EXCEPTION 'a repair keeps its place' USING errcode = '23514', constraint = 'assignment_identity';
            END IF;
        ELSIF (NEW.token, NEW.place, NEW.attempts, NEW.version_id, NEW.person_id, NEW.leased_at) IS DISTINCT FROM
              (OLD.token, OLD.place, OLD.attempts, OLD.version_id, OLD.person_id, OLD.leased_at) THEN
            RAISE EXCEPTION 'token, place, version and beginning change with a new lease only'
                USING errcode = '23514', constraint = 'assignment_identity';
        END IF;
        IF NEW.state = 'rejected' AND OLD.state <> 'rejected'
           AND NEW.end_reason NOT IN ('wrong', 'incomplete', 'spam', 'off_instructions') THEN
            RAISE EXCEPTION 'a rejection has a reason' USING errcode = '23514', constraint = 'rejection_has_reason';
        END IF;
        IF NEW.state = 'submitted' AND OLD.state = 'leased' THEN
            -- The statement writes the moment that it compared, so that the fence and the record cannot differ. No
            -- program can date it back beyond the arrival of the statement itself.
            IF NEW.submitted_at IS NULL OR NEW.submitted_at > market_now()
               OR NEW.submitted_at < market_now() - (clock_timestamp() - statement_timestamp()) THEN
                RAISE EXCEPTION 'a submission is dated now' USING errcode = '23514', constraint = 'submitted_now';
            END IF;
            IF OLD.lease_until <= NEW.submitted_at THEN
                RAISE EXCEPTION 'the lease has ended' USING errcode = '23514', constraint = 'lease_ended';
            END IF;
        END IF;
        IF OLD.state = 'leased' AND NEW.state = 'leased' THEN
            IF OLD.lease_until <= market_now() THEN
                RAISE EXCEPTION 'an ended lease is not extended' USING errcode = '23514', constraint = 'lease_ended';
            END IF;
            IF NEW.lease_until > NEW.leased_at + make_interval(secs => (SELECT lease_max_s FROM batches_batch
                                                                         WHERE id = NEW.batch_id)) THEN
                RAISE EXCEPTION 'longer than the batch lets a lease last'
                    USING errcode = '23514', constraint = 'lease_max';
            END IF;
        END IF;
    ELSIF NEW.state <> 'leased' THEN
        RAISE EXCEPTION 'an assignment begins leased' USING errcode = '23514', constraint = 'assignment_step';
    END IF;

    -- A new lease, by claim, revival or repair.
    IF anew THEN
        SELECT b.state, b.lease_cap, b.lease_max_s, b.version_id, t.batch_id, t.overlap, t.reserved, t.quarantined_at,
               w.person_id,
               EXISTS (SELECT 1 FROM profiles_worker o WHERE o.person_id = w.person_id AND o.id <> w.id) AS linked,
               EXISTS (SELECT 1 FROM accounts_member m JOIN profiles_worker o ON o.user_id = m.user_id
                        WHERE m.requester_id = b.requester_id AND o.person_id = w.person_id) AS own
          INTO terms
          FROM batches_batch b, batches_task t, profiles_worker w
         WHERE b.id = NEW.batch_id AND t.id = NEW.task_id AND w.id = NEW.worker_id;
        IF NOT FOUND OR terms.batch_id <> NEW.batch_id THEN
            RAISE EXCEPTION 'the task is not in this batch' USING errcode = '23514', constraint = 'task_in_batch';
        END IF;
        IF terms.state <> 'published' AND NOT again THEN
            RAISE EXCEPTION 'the batch takes no work now' USING errcode = '23514', constraint = 'lease_in_open_batch';
        END IF;
        IF NEW.version_id <> terms.version_id THEN
            RAISE EXCEPTION 'the version is the one of the batch' USING errcode = '23514', constraint = 'version_of_batch';
        END IF;
        IF NEW.lease_no > terms.lease_cap THEN
            RAISE EXCEPTION 'more leases than the batch allows' USING errcode = '23514', constraint = 'lease_cap';
        END IF;
        -- A beginning in the future would lend what the limit below refuses.
        IF NEW.leased_at > market_now() THEN
            RAISE EXCEPTION 'a lease begins now' USING errcode = '23514', constraint = 'leased_now';
        END IF;
        IF NEW.lease_until > NEW.leased_at + make_interval(secs => terms.lease_max_s) THEN
            RAISE EXCEPTION 'longer than the batch lets a lease last' USING errcode = '23514', constraint = 'lease_max';
        END IF;
        IF NEW.place > terms.overlap THEN
            RAISE EXCEPTION 'the task has % places', terms.overlap
                USING errcode = '23514', constraint = 'place_within_overlap';
        END IF;
        IF terms.quarantined_at IS NOT NULL AND NOT again THEN
            RAISE EXCEPTION 'the task is quarantined' USING errcode = '23514', constraint = 'task_quarantined';
        END IF;
        IF terms.reserved AND NOT EXISTS (SELECT 1 FROM batches_reservation r
                                           WHERE r.task_id = NEW.task_id AND r.worker_id = NEW.worker_id) THEN
            RAISE EXCEPTION 'the task is reserved for others' USING errcode = '23514', constraint = 'task_reserved';
        END IF;
        -- Several accounts of one person count as one worker, also those that were linked after they had worked.
        NEW.person_id := terms.person_id;
        IF terms.linked AND EXISTS (SELECT 1 FROM assignments_assignment a JOIN profiles_worker o ON o.id = a.worker_id
                                     WHERE a.task_id = NEW.task_id AND o.person_id = terms.person_id
                                       AND a.worker_id <> NEW.worker_id) THEN
            RAISE EXCEPTION 'another account of this person has worked on the task'
                USING errcode = '23505', constraint = 'one_assignment_per_person';
        END IF;
        IF terms.own THEN
            RAISE EXCEPTION 'nobody works on his own batch' USING errcode = '23514', constraint = 'not_ones_own';
        END IF;
    END IF;
    IF NEW.place < 1 OR NEW.lease_no < 1 OR NEW.attempts < 1 THEN
        RAISE EXCEPTION 'places, leases and attempts count from 1'
            USING errcode = '23514', constraint = 'assignment_numbers';
    END IF;
    RETURN NEW;
END $$;
"""

EFFECTS = """
-- R12, R15, R18, R19, R20: counters, limits, the open-place queue and what is due follow every step, in the same
-- transaction.
CREATE OR REPLACE FUNCTION assignments_effects() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    before text := CASE WHEN TG_OP = 'UPDATE' THEN OLD.state END;
    was_live boolean := coalesce(before IN ('leased', 'submitted', 'accepted'), false);
    is_live boolean := NEW.state IN ('leased', 'submitted', 'accepted');
    gave_up boolean := false;
    stopped integer := 0;
    task record;
    terms record;
BEGIN
    IF before = NEW.state THEN
        RETURN NULL;
    END IF;
    IF is_live AND NOT was_live THEN
        UPDATE batches_task t SET taken = t.taken + 1
          FROM batches_batch b
         WHERE t.id = NEW.task_id AND b.id = NEW.batch_id
        RETURNING t.taken + t.refunded >= t.overlap AS is_full, t.reserved, b.worker_limit, b.daily_limit, b.pair_limit
             INTO terms;
        IF terms.is_full THEN
            DELETE FROM batches_openplace WHERE task_id = NEW.task_id;
        END IF;
        IF terms.reserved THEN
            UPDATE batches_reservation SET open = false
             WHERE task_id = NEW.task_id AND worker_id = NEW.worker_id AND open;
        END IF;
        IF coalesce(terms.worker_limit, terms.daily_limit) IS NOT NULL THEN
            PERFORM assignments_count_use(NEW, 1);
        END IF;
        IF terms.pair_limit IS NOT NULL THEN
            PERFORM assignments_count_pairs(NEW);
        END IF;
    ELSIF was_live AND NOT is_live THEN
        -- The first lease of each worker counts: giving up twice is no second opinion on the task.
        gave_up := (NEW.state = 'returned' AND NEW.end_reason <> 'skip' OR NEW.state = 'expired' AND NEW.end_reason <> 'cancelled')
                   AND OLD.attempts = 1;
        SELECT b.max_attempts, b.pair_limit, b."order" INTO terms FROM batches_batch b WHERE b.id = NEW.batch_id;
        SELECT quarantined_at IS NOT NULL AS was_quarantined INTO task FROM batches_task WHERE id = NEW.task_id;
        UPDATE batches_task t
           SET taken = taken - 1, attempts = least(attempts + gave_up::int, 32767),
               quarantined_at = coalesce(quarantined_at, CASE WHEN gave_up AND attempts + 1 >= terms.max_attempts
                                                              THEN market_now() END)
         WHERE id = NEW.task_id
        RETURNING t.taken, t.overlap, t.reserved, t.priority, t.quarantined_at IS NOT NULL AS quarantined,
                  task.was_quarantined INTO task;
        IF task.quarantined THEN
            stopped := (NOT task.was_quarantined)::int;
            DELETE FROM batches_openplace WHERE task_id = NEW.task_id;
        ELSIF task.reserved THEN
            UPDATE batches_reservation r SET open = true
             WHERE r.task_id = NEW.task_id AND NOT r.open
               AND NOT EXISTS (SELECT 1 FROM assignments_assignment a
                                WHERE a.task_id = r.task_id AND a.worker_id = r.worker_id AND a.state <> 'expired');
        ELSIF task.taken = task.overlap - 1 OR terms.pair_limit IS NOT NULL THEN
            -- Where pairs are limited, whoever passed the task because of this worker must meet it again.
            PERFORM assignments_requeue(NEW.batch_id, NEW.task_id);
        END IF;
        IF NEW.state = 'expired' THEN
            INSERT INTO assignments_missed (worker_id, batch_id, task_id, revival)
            VALUES (NEW.worker_id, NEW.batch_id, NEW.task_id, true)
            ON CONFLICT (worker_id, batch_id, task_id) DO UPDATE SET revival = true;
        END IF;
        IF NEW.state IN ('returned', 'expired') THEN
            PERFORM assignments_count_use(NEW, -1);
        END IF;
    END IF;

    INSERT INTO batches_progressdelta (batch_id, leased, submitted, accepted, rejected, returned, expired, quarantined)
    VALUES (NEW.batch_id,
            (NEW.state = 'leased')::int - coalesce((before = 'leased')::int, 0),
            (NEW.state = 'submitted')::int - coalesce((before = 'submitted')::int, 0),
            (NEW.state IN ('accepted', 'upheld'))::int - coalesce((before IN ('accepted', 'upheld'))::int, 0),
            (NEW.state = 'rejected')::int - coalesce((before = 'rejected')::int, 0),
            (NEW.state = 'returned')::int - coalesce((before = 'returned')::int, 0),
            (NEW.state = 'expired')::int - coalesce((before = 'expired')::int, 0),
            stopped);

    IF NEW.state IN ('accepted', 'upheld') THEN
        INSERT INTO assignments_settlement (assignment_id, batch_id, worker_id, price_micros, fee_micros, due_at)
        SELECT NEW.id, NEW.batch_id, NEW.worker_id, price_micros, fee_micros, market_now()
          FROM batches_batch WHERE id = NEW.batch_id;
    END IF;
    RETURN NULL;
END $$;
"""

PICK = """
-- Take the next entry of a part of the queue, if it can be had without more ado; nothing is passed or noted. The caller
-- holds the person, and where pairs are limited he looks at each entry himself.
CREATE FUNCTION assignments_pick_next(who assignments_claimer, p_bucket integer, p_after bigint,
                                      OUT task bigint, OUT rank bigint) LANGUAGE plpgsql AS $$
BEGIN
    SELECT t.id, o.rank INTO task, rank
      FROM (SELECT q.task_id, q.rank FROM batches_openplace q
             WHERE q.batch_id = who.batch AND q.bucket = p_bucket AND q.rank > p_after ORDER BY q.rank LIMIT 1) o
      JOIN batches_task t ON t.id = o.task_id
     WHERE t.taken + t.refunded < t.overlap AND t.quarantined_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM assignments_assignment a
                        WHERE a.task_id = o.task_id
                          AND (a.worker_id + 0 = ANY (who.accounts) OR a.person_id + 0 = who.person))
       FOR NO KEY UPDATE OF t SKIP LOCKED;
END $$;

-- The next task of the worker's walk under `spread`: 64 buckets in an order of his own, then the tail; each position is
-- passed once.
CREATE OR REPLACE FUNCTION assignments_pick_spread(walk assignments_walk, who assignments_claimer,
                                                   OUT task bigint, OUT walked assignments_walk) LANGUAGE plpgsql AS $$
DECLARE
    here smallint;
    candidate record;
BEGIN
    walked := walk;
    LOOP
        -- An affine permutation: an odd factor visits each of the 64 buckets exactly once.
        here := CASE WHEN walked.step < 64
                     THEN (((walked.seed % 32) * 2 + 1) * walked.step + walked.seed / 32) % 64 ELSE 64 END;
        IF who.pair_limit IS NULL THEN
            candidate := assignments_pick_next(who, here, walked.rank);
            IF candidate.task IS NOT NULL THEN
                task := candidate.task;
                walked.rank := candidate.rank;
                RETURN;
            END IF;
        END IF;
        FOR candidate IN
            SELECT o.task_id, o.rank FROM batches_openplace o
             WHERE o.batch_id = walk.batch_id AND o.bucket = here AND o.rank > walked.rank ORDER BY o.rank
        LOOP
            walked.rank := candidate.rank;
            IF assignments_meet(candidate.task_id, who) THEN
                task := candidate.task_id;
                RETURN;
            END IF;
        END LOOP;
        EXIT WHEN walked.step >= 64;
        walked.step := walked.step + 1;
        walked.rank := -1;
    END LOOP;
    task := NULL;
END $$;

-- The next task under an order that has levels, from the highest level that has any; in each level every position is
-- passed once, and what comes anew to a level comes at its end.
CREATE OR REPLACE FUNCTION assignments_pick_levels(walk assignments_walk, who assignments_claimer,
                                                   OUT task bigint, OUT walked assignments_walk) LANGUAGE plpgsql AS $$
DECLARE
    here smallint := 32767;
    candidate record;
BEGIN
    walked := walk;
    LOOP
        SELECT o.bucket INTO here FROM batches_openplace o
         WHERE o.batch_id = walk.batch_id AND o.bucket < here ORDER BY o.bucket DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF who.pair_limit IS NULL THEN
            candidate := assignments_pick_next(who, here, coalesce(walked.ranks[here + 1], -1));
            IF candidate.task IS NOT NULL THEN
                task := candidate.task;
                walked.ranks[here + 1] := candidate.rank;
                RETURN;
            END IF;
        END IF;
        FOR candidate IN
            SELECT o.task_id, o.rank FROM batches_openplace o
             WHERE o.batch_id = walk.batch_id AND o.bucket = here AND o.rank > coalesce(walked.ranks[here + 1], -1)
             ORDER BY o.rank
        LOOP
            walked.ranks[here + 1] := candidate.rank;
            IF assignments_meet(candidate.task_id, who) THEN
                task := candidate.task_id;
                RETURN;
            END IF;
        END LOOP;
    END LOOP;
    task := NULL;
END $$;
"""

TAKE = """
DROP FUNCTION assignments_take(bigint, bigint, boolean[], boolean);

-- What a new lease begins with: read once for a page.
CREATE TYPE assignments_lease AS
    (version bigint, task_order text, numbers integer[], gold boolean[], begins timestamptz, ends timestamptz);

-- Lease up to cardinality(lease.gold) places for the worker, as far as the numbers go; `gold` says which of them should be
-- gold where supply allows. The caller holds the worker and the batch FOR KEY SHARE. A short page is a success. When
-- nothing is free but something is held by others, it waits for them once, if p_wait; never while it holds a task itself.
CREATE FUNCTION assignments_take(who assignments_claimer, lease assignments_lease, p_wait boolean) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
    seen record;
    walk assignments_walk;
    picked record;
    task bigint;
    known boolean;
    mine bigint;
    taken bigint[] := '{}';
BEGIN
    SELECT k AS walk,
           EXISTS (SELECT 1 FROM batches_reservation r
                    WHERE r.worker_id = who.worker AND r.batch_id = who.batch AND r.open) AS reserved,
           EXISTS (SELECT 1 FROM assignments_missed m WHERE m.worker_id = who.worker AND m.batch_id = who.batch) AS missed
      INTO seen
      FROM (VALUES (who.worker)) me (id) LEFT JOIN assignments_walk k ON k.worker_id = me.id AND k.batch_id = who.batch;
    walk := seen.walk;
    IF walk.worker_id IS NULL THEN
        INSERT INTO assignments_walk (worker_id, batch_id, seed, gold_rank)
        VALUES (who.worker, who.batch, floor(random() * 2048), floor(random() * 1e15)) RETURNING * INTO walk;
    END IF;

    FOR i IN 1 .. least(cardinality(lease.gold), cardinality(lease.numbers)) LOOP
        task := NULL;
        known := false;
        IF lease.gold[i] THEN
            picked := assignments_pick_gold(walk, who);
            task := picked.task;
            walk := picked.walked;
        END IF;
        IF task IS NULL AND (seen.reserved OR seen.missed) THEN
            task := coalesce(assignments_pick_reserved(who, false), assignments_pick_missed(who, false, false));
            known := true;
        END IF;
        IF task IS NULL THEN
            IF lease.task_order = 'spread' THEN
                picked := assignments_pick_spread(walk, who);
            ELSE
                picked := assignments_pick_levels(walk, who);
            END IF;
            task := picked.task;
            walk := picked.walked;
            known := false;
        END IF;
        IF task IS NULL THEN
            -- The walk itself may have noted tasks to come back to.
            seen.missed := true;
            task := assignments_pick_missed(who, true, false);
            IF task IS NULL AND cardinality(taken) = 0 AND p_wait THEN
                task := coalesce(assignments_pick_reserved(who, true),
                                 assignments_pick_missed(who, false, true),
                                 assignments_pick_missed(who, true, true));
            END IF;
            known := true;
        END IF;
        EXIT WHEN task IS NULL;

        -- Of what he comes back to, he may have a lease that ran out; of the rest he has none.
        mine := CASE WHEN known THEN assignments_revive(task, who.worker, lease.numbers[i], lease.begins) END;
        IF mine IS NULL THEN
            INSERT INTO assignments_assignment
                (batch_id, task_id, worker_id, version_id, lease_no, leased_at, lease_until, place)
            VALUES (who.batch, task, who.worker, lease.version, lease.numbers[i], lease.begins, lease.ends, (
                SELECT min(n) FROM batches_task t, generate_series(1, t.overlap) n
                 WHERE t.id = task
                   AND NOT EXISTS (SELECT 1 FROM assignments_assignment a WHERE a.task_id = t.id AND a.place = n
                                      AND a.state IN ('leased', 'submitted', 'accepted'))))
            RETURNING id INTO mine;
        END IF;
        taken := taken || mine;
    END LOOP;

    UPDATE assignments_walk
       SET step = walk.step, rank = walk.rank, ranks = walk.ranks, gold_rank = walk.gold_rank,
           gold_wrapped = walk.gold_wrapped
     WHERE worker_id = who.worker AND batch_id = who.batch;
    RETURN taken;
END $$;
"""

CYCLE = """
DROP FUNCTION assignments_submit(bigint, bigint[], uuid[], text[], boolean[]);

-- An answer belongs to a lease that is being submitted; revisions are dense, each follows one that is there.
CREATE OR REPLACE FUNCTION assignments_answer_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    of record;
BEGIN
    SELECT a.state, a.batch_id INTO of FROM assignments_assignment a WHERE a.id = NEW.assignment_id;
    IF of.state IS DISTINCT FROM 'submitted' OR of.batch_id IS DISTINCT FROM NEW.batch_id THEN
        RAISE EXCEPTION 'only a submitted assignment has an answer'
            USING errcode = '23514', constraint = 'answer_of_submission';
    END IF;
    IF NEW.revision <> 1 AND (NEW.revision < 1 OR NOT EXISTS (
        SELECT 1 FROM assignments_answer w WHERE w.assignment_id = NEW.assignment_id AND w.revision = NEW.revision - 1)) THEN
        RAISE EXCEPTION 'revisions are numbered one by one' USING errcode = '23514', constraint = 'answer_revision';
    END IF;
    RETURN NEW;
END $$;

-- The first look of a request: locks the worker (and the account that stands for his person), says whether leases of the
-- batch are past their end, and finds the assignments of his that the page names, in its order.
CREATE OR REPLACE FUNCTION assignments_begin(p_worker bigint, p_batch bigint, p_page uuid[])
RETURNS TABLE (due boolean, assignment uuid, id bigint, version_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    moment timestamptz := market_now();
BEGIN
    PERFORM profiles_lock(p_worker);
    due := p_batch IS NOT NULL AND EXISTS (
        SELECT 1 FROM assignments_assignment l
         WHERE l.state = 'leased' AND l.lease_until <= moment AND l.batch_id + 0 = p_batch);
    IF cardinality(p_page) = 0 THEN
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY SELECT due, g.public_id, a.id, a.version_id
                   FROM unnest(p_page) WITH ORDINALITY g (public_id, item)
                   LEFT JOIN assignments_assignment a ON a.public_id = g.public_id AND a.worker_id + 0 = p_worker
                  ORDER BY g.item;
END $$;

-- Store a page of checked answers. Each counts if its lease lives and its token is the last one given; a late one counts
-- if its place can still be had, by revival in the same step; what is lost is kept as a draft. The caller holds the worker
-- (`assignments_begin`), without whom no lease of his ends. One row for each item, in the order of the page.
CREATE FUNCTION assignments_submit(
    p_worker bigint, p_ids bigint[], p_tokens uuid[], p_bodies text[], p_unclear boolean[])
RETURNS TABLE (outcome text, revision smallint, draft_kept boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    moment timestamptz := market_now();
    own record;
    stored bigint[] := '{}';
    stored_in bigint[] := '{}';
    batches bigint[] := '{}';
    batch bigint;
BEGIN
    IF (SELECT bool_or(a.lease_until <= moment AND a.state IN ('leased', 'expired'))
          FROM assignments_assignment a WHERE a.id = ANY (p_ids)) THEN
        p_tokens := assignments_revive_late(p_worker, p_ids, p_tokens, moment);
        PERFORM set_config('touchstone.holds_tail', 'on', true);
    END IF;
    -- One moment for the fence and the record of it; the trigger compares the two again.
    moment := market_now();
    FOR item IN 1 .. cardinality(p_ids) LOOP
        revision := NULL;
        draft_kept := false;
        UPDATE assignments_assignment a
           SET state = 'submitted', submitted_at = moment,
               auto_accept_at = moment + make_interval(secs => b.auto_accept_s)
          FROM batches_batch b
         WHERE a.id = p_ids[item] AND b.id = a.batch_id AND a.worker_id + 0 = p_worker AND a.token = p_tokens[item]
           AND a.state::text || '' = 'leased' AND a.lease_until + interval '0' > moment
        RETURNING a.batch_id, a.task_id, b.project_id INTO own;
        IF FOUND THEN
            INSERT INTO assignments_answer (assignment_id, revision, batch_id, values, unclear, submitted_at)
            SELECT p_ids[item], 1 + count(*), own.batch_id, p_bodies[item]::jsonb, p_unclear[item], moment
              FROM assignments_answer w WHERE w.assignment_id = p_ids[item]
            RETURNING assignments_answer.revision INTO revision;
            INSERT INTO gold_toscore
                (assignment_id, revision, task_id, batch_id, project_id, worker_id, values, unclear, made_at)
            VALUES (p_ids[item], revision, own.task_id, own.batch_id, own.project_id, p_worker, p_bodies[item]::jsonb,
                    p_unclear[item], moment);
            stored := stored || p_ids[item];
            stored_in := stored_in || own.batch_id;
            IF own.batch_id <> ALL (batches) THEN
                batches := batches || own.batch_id;
            END IF;
            outcome := 'submitted';
        ELSE
            SELECT a.state INTO own FROM assignments_assignment a WHERE a.id = p_ids[item] AND a.worker_id + 0 = p_worker;
            IF own.state IN ('leased', 'expired', 'returned') THEN
                IF p_bodies[item] <> '{}' THEN
                    INSERT INTO assignments_draft (assignment_id, values, saved_at)
                    VALUES (p_ids[item], p_bodies[item]::jsonb, moment)
                    ON CONFLICT (assignment_id) DO UPDATE SET values = excluded.values, saved_at = excluded.saved_at;
                    draft_kept := true;
                END IF;
                outcome := 'lease_lost';
            ELSE
                outcome := 'already_submitted';
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;
    DELETE FROM assignments_draft d WHERE d.assignment_id = ANY (stored);
    FOREACH batch IN ARRAY batches LOOP
        PERFORM assignments_tell('AnswerSubmitted', batch, p_worker, CASE WHEN cardinality(batches) = 1 THEN stored ELSE array(
            SELECT s.id FROM unnest(stored, stored_in) AS s(id, batch_id) WHERE s.batch_id = batch ORDER BY s.id) END);
    END LOOP;
END $$;

-- Top the worker up to p_count live leases of the batch and return all of them, oldest first; or one row that says why
-- not: 'not-open', 'own', 'limit', 'nothing', or 'schedule' when the worker's gold schedule must be drawn further before
-- anything is looked at, so that a claim of gold runs what every claim runs. The caller holds the worker. With p_wait it
-- waits once for tasks that others hold; but never where a lease has just ended in the same transaction, which holds the
-- tail of the queue.
CREATE OR REPLACE FUNCTION assignments_claim(p_worker bigint, p_batch bigint, p_count integer, p_wait boolean)
RETURNS TABLE (outcome text, assignment uuid, token uuid, lease_until timestamptz, data jsonb, draft jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    -- One moment for the whole page: times read one by one would show how long each pick took, and so what it picked.
    moment timestamptz := market_now();
    terms record;
    held bigint[];
    fresh bigint[] := '{}';
    wanted integer;
    left_over integer := 2147483647;
    gold boolean[] := '{}';
BEGIN
    SELECT b.state, b.worker_limit, b.daily_limit, b.lease_cap, b.time_limit_s, b.version_id, b.pair_limit, b."order",
           w.person_id, s.position, s.phase_end, s.gold_positions,
           array(SELECT o.id FROM profiles_worker o WHERE o.person_id = w.person_id) AS accounts,
           EXISTS (SELECT 1 FROM accounts_member m JOIN profiles_worker o ON o.user_id = m.user_id
                    WHERE m.requester_id = b.requester_id AND o.person_id = w.person_id) AS own
      INTO STRICT terms
      FROM batches_batch b
      JOIN profiles_worker w ON w.id = p_worker
      LEFT JOIN gold_schedule s ON s.worker_id = w.id AND s.batch_id = b.id
     WHERE b.id = p_batch FOR KEY SHARE OF b;
    IF terms.state <> 'published' OR terms.own THEN
        outcome := CASE WHEN terms.own AND terms.state = 'published' THEN 'own' ELSE 'not-open' END;
        RETURN NEXT;
        RETURN;
    END IF;
    held := array(SELECT a.id FROM assignments_assignment a
                   WHERE a.worker_id = p_worker AND a.batch_id = p_batch AND a.state = 'leased'
                     AND a.lease_until > moment ORDER BY a.id + 0);
    wanted := greatest(0, p_count - cardinality(held));
    IF coalesce(terms.worker_limit, terms.daily_limit) IS NOT NULL THEN
        left_over := assignments_room(terms.person_id, p_batch, terms.worker_limit, terms.daily_limit);
    END IF;
    IF wanted > 0 AND left_over <= 0 AND cardinality(held) = 0 THEN
        outcome := 'limit';
        RETURN NEXT;
        RETURN;
    END IF;
    wanted := least(wanted, greatest(0, left_over));
    IF wanted > 0 THEN
        IF terms.position IS NULL OR terms.position + wanted > terms.phase_end THEN
            outcome := 'schedule';
            RETURN NEXT;
            RETURN;
        END IF;
        FOR i IN 0 .. wanted - 1 LOOP
            gold := gold || (terms.position + i = ANY (terms.gold_positions));
        END LOOP;
        fresh := assignments_take(
            ROW(p_worker, terms.person_id, terms.accounts, p_batch, terms.pair_limit),
            ROW(terms.version_id, terms."order", assignments_free_numbers(terms.person_id, p_batch, terms.lease_cap), gold,
                moment, moment + make_interval(secs => terms.time_limit_s)),
            p_wait AND current_setting('touchstone.holds_tail', true) IS DISTINCT FROM 'on');
        IF cardinality(fresh) > 0 THEN
            UPDATE gold_schedule s
               SET position = terms.position + cardinality(fresh),
                   gold_positions = array(SELECT g FROM unnest(s.gold_positions) g
                                           WHERE g >= terms.position + cardinality(fresh) ORDER BY g)
             WHERE s.worker_id = p_worker AND s.batch_id = p_batch;
            PERFORM assignments_tell('PlaceTaken', p_batch, p_worker, fresh);
        END IF;
    END IF;
    IF cardinality(held) + cardinality(fresh) = 0 THEN
        outcome := 'nothing';
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY SELECT 'leased', a.public_id, a.token, a.lease_until, p.data, d.values
                   FROM unnest(held || fresh) WITH ORDINALITY mine (id, item)
                   JOIN assignments_assignment a ON a.id = mine.id
                   LEFT JOIN batches_payload p ON p.task_id = a.task_id
                   LEFT JOIN assignments_draft d ON d.assignment_id = a.id
                  ORDER BY mine.item;
END $$;

-- An event of assignments, in the form that `common.outbox.publish` writes.
CREATE OR REPLACE FUNCTION assignments_tell(p_kind text, p_batch bigint, p_worker bigint, p_ids bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO common_outbox (kind, body, made_at)
    VALUES (p_kind, jsonb_build_object('batch_id', p_batch, 'worker_ids', ARRAY[p_worker], 'assignment_ids', p_ids),
            market_now());
END $$;
REVOKE EXECUTE ON FUNCTION assignments_pick_next(assignments_claimer, integer, bigint),
    assignments_take(assignments_claimer, assignments_lease, boolean),
    assignments_submit(bigint, bigint[], uuid[], text[], boolean[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assignments_submit(bigint, bigint[], uuid[], text[], boolean[]) TO touchstone_runtime;
"""


def earlier(sql: str, *names: str) -> str:
    """The functions as 0006 made them."""
    return str(FLOW.before(sql.replace("CREATE OR REPLACE FUNCTION", "CREATE FUNCTION"), list(names)))


UNDO = f"""
DROP FUNCTION assignments_take(assignments_claimer, assignments_lease, boolean);
DROP FUNCTION assignments_pick_next(assignments_claimer, integer, bigint);
DROP TYPE assignments_lease;
DROP FUNCTION assignments_submit(bigint, bigint[], uuid[], text[], boolean[]);
{earlier(FLOW.STEP, "assignments_step")}
{earlier(FLOW.EFFECTS, "assignments_effects")}
{earlier(FLOW.PICK, "assignments_pick_spread", "assignments_pick_levels")}
{earlier(FLOW.TAKE, "assignments_take")}
{
    earlier(
        FLOW.CYCLE,
        "assignments_answer_step",
        "assignments_begin",
        "assignments_submit",
        "assignments_claim",
        "assignments_tell",
    )
}
REVOKE EXECUTE ON FUNCTION assignments_take(bigint, bigint, boolean[], boolean),
    assignments_submit(bigint, bigint[], uuid[], text[], boolean[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assignments_submit(bigint, bigint[], uuid[], text[], boolean[]) TO touchstone_runtime;
"""

# Each refers to what the trigger of its table has just read, and what is never deleted.
UNCHECKED = [
    ("assignment", "batch", "assignments", "batches.batch"),
    ("assignment", "version", "+", "projects.version"),
    ("answer", "assignment", "answers", "assignments.assignment"),
]


class Migration(migrations.Migration):
    dependencies = [("assignments", "0010_missed_of_task")]
    operations = [
        migrations.RunSQL([STEP, EFFECTS, PICK, TAKE, CYCLE], UNDO),
        # The trigger of each step holds them too, and has its conditions ready; a check is read anew by each statement.
        *(
            migrations.RemoveConstraint("assignment", name)
            for name in ("assignment_state", "assignment_numbers", "rejection_has_reason")
        ),
        *(
            migrations.AlterField(
                model,
                field,
                models.ForeignKey(db_constraint=False, db_index=False, on_delete=PROTECT, related_name=related, to=of),
            )
            for model, field, related, of in UNCHECKED
        ),
        migrations.AlterField("assignment", "place", models.SmallIntegerField()),
        migrations.AlterField("assignment", "lease_no", models.SmallIntegerField()),
        migrations.AlterField("assignment", "attempts", models.SmallIntegerField(default=1)),
        migrations.AlterField("answer", "revision", models.SmallIntegerField()),
    ]
