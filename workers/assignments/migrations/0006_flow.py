"""Steps and their effects once more: persons, limits, longer leases, orders of the queue, and tasks that nobody completes.

The cost of each step stays the same however many tasks a batch has and however much a worker has done in it. For that a
plan must be right whenever it is made: connections keep their plans for long, and one made while a table was empty would
read all of it later. So functions look rows up by one key and compare the rest afterwards (a `+ 0` or `|| ''` keeps a
condition from choosing the index), the clock is read before it is compared (as a volatile function it could use no index),
joins by anything but an index are switched off, and plans are generic: to plan a look-up anew costs more than to do it.
"""

from importlib import import_module

from django.db import migrations

STEPS_BEFORE = import_module("workers.assignments.migrations.0002_steps")
TAKE_BEFORE = import_module("workers.assignments.migrations.0003_take")

DEFAULTS = """
ALTER FUNCTION assignments_batch_may_settle() SET enable_seqscan = off;
ALTER TABLE assignments_walk ALTER ranks SET DEFAULT '{}', ALTER rank SET DEFAULT -1;
ALTER TABLE assignments_missed ALTER revival SET DEFAULT false;
ALTER TABLE assignments_quota SET (fillfactor = 50);
ALTER TABLE assignments_pair SET (fillfactor = 70);
-- Own leases that ran out are found through the missed tasks from now on.
INSERT INTO assignments_missed (worker_id, batch_id, task_id, revival)
SELECT worker_id, batch_id, task_id, true FROM assignments_assignment WHERE state = 'expired' ON CONFLICT DO NOTHING;
"""

STEP = """
-- R13, R14, R17, R19, R20: what an assignment may be and become, whoever writes it.
CREATE OR REPLACE FUNCTION assignments_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    terms record;
    task record;
    who record;
    anew boolean := NEW.state = 'leased' AND (TG_OP = 'INSERT' OR OLD.state <> 'leased');
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
        SELECT state, lease_cap, requester_id, lease_max_s INTO terms FROM batches_batch WHERE id = NEW.batch_id;
        IF terms.state IS DISTINCT FROM 'published' AND NOT (TG_OP = 'UPDATE' AND OLD.state = 'submitted') THEN
            RAISE EXCEPTION 'the batch takes no work now' USING errcode = '23514', constraint = 'lease_in_open_batch';
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
        SELECT batch_id, overlap, reserved, quarantined_at INTO task FROM batches_task WHERE id = NEW.task_id;
        IF task.batch_id IS DISTINCT FROM NEW.batch_id THEN
            RAISE EXCEPTION 'the task is not in this batch' USING errcode = '23514', constraint = 'task_in_batch';
        END IF;
        IF NEW.place > task.overlap THEN
            RAISE EXCEPTION 'the task has % places', task.overlap
                USING errcode = '23514', constraint = 'place_within_overlap';
        END IF;
        IF task.quarantined_at IS NOT NULL AND NOT (TG_OP = 'UPDATE' AND OLD.state = 'submitted') THEN
            RAISE EXCEPTION 'the task is quarantined' USING errcode = '23514', constraint = 'task_quarantined';
        END IF;
        IF task.reserved AND NOT EXISTS (SELECT 1 FROM batches_reservation r
                                          WHERE r.task_id = NEW.task_id AND r.worker_id = NEW.worker_id) THEN
            RAISE EXCEPTION 'the task is reserved for others' USING errcode = '23514', constraint = 'task_reserved';
        END IF;
        -- Several accounts of one person count as one worker, also those that were linked after they had worked.
        SELECT w.person_id, EXISTS (SELECT 1 FROM profiles_worker o
                                     WHERE o.person_id = w.person_id AND o.id <> w.id) AS linked
          INTO STRICT who FROM profiles_worker w WHERE w.id = NEW.worker_id;
        NEW.person_id := who.person_id;
        IF who.linked AND EXISTS (SELECT 1 FROM assignments_assignment a JOIN profiles_worker o ON o.id = a.worker_id
                                   WHERE a.task_id = NEW.task_id AND o.person_id = who.person_id
                                     AND a.worker_id <> NEW.worker_id) THEN
            RAISE EXCEPTION 'another account of this person has worked on the task'
                USING errcode = '23505', constraint = 'one_assignment_per_person';
        END IF;
        IF EXISTS (SELECT 1 FROM accounts_member m JOIN profiles_worker w ON w.user_id = m.user_id
                    WHERE m.requester_id = terms.requester_id AND w.person_id = who.person_id) THEN
            RAISE EXCEPTION 'nobody works on his own batch' USING errcode = '23514', constraint = 'not_ones_own';
        END IF;
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
        UPDATE batches_task SET taken = taken + 1 WHERE id = NEW.task_id
        RETURNING taken, overlap, refunded, reserved INTO task;
        IF task.taken + task.refunded >= task.overlap THEN
            DELETE FROM batches_openplace WHERE task_id = NEW.task_id;
        END IF;
        IF task.reserved THEN
            UPDATE batches_reservation SET open = false
             WHERE task_id = NEW.task_id AND worker_id = NEW.worker_id AND open;
        END IF;
        SELECT b.worker_limit, b.daily_limit, b.pair_limit INTO terms FROM batches_batch b WHERE b.id = NEW.batch_id;
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

-- Put a task with an open place at the end of its part of the queue; gold is never queued. The row lock on the tail lasts
-- until commit, so numbers become visible in their order and no worker's walk can pass one that appears later.
CREATE FUNCTION assignments_requeue(p_batch bigint, p_task bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    number bigint;
BEGIN
    IF EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = p_task) THEN
        RETURN;
    END IF;
    UPDATE batches_tail SET last = last + 1 WHERE batch_id = p_batch RETURNING last INTO number;
    INSERT INTO batches_openplace (task_id, batch_id, bucket, rank)
    SELECT p_task, p_batch, CASE b."order" WHEN 'spread' THEN 64 WHEN 'priority' THEN t.priority
                                           WHEN 'uncertainty' THEN t.priority ELSE 1 END, number
      FROM batches_batch b, batches_task t WHERE b.id = p_batch AND t.id = p_task
    ON CONFLICT (task_id) DO UPDATE SET bucket = excluded.bucket, rank = excluded.rank;
END $$;

-- Count a place that a person uses or gives up, where the batch limits it. Only transactions that hold the person's row
-- come here, so nobody waits for these rows.
CREATE FUNCTION assignments_count_use(lease assignments_assignment, p_by integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    terms record;
    total integer;
BEGIN
    SELECT worker_limit, daily_limit INTO terms FROM batches_batch WHERE id = lease.batch_id;
    IF terms.worker_limit IS NOT NULL THEN
        INSERT INTO assignments_quota (person_id, batch_id, day, used)
        VALUES (lease.person_id, lease.batch_id, '-infinity', 1)
        ON CONFLICT (person_id, batch_id, day) DO UPDATE SET used = assignments_quota.used + p_by RETURNING used INTO total;
        IF p_by > 0 AND total > terms.worker_limit THEN
            RAISE EXCEPTION 'more places than the batch gives one worker'
                USING errcode = '23514', constraint = 'worker_limit';
        END IF;
    END IF;
    IF terms.daily_limit IS NOT NULL THEN
        INSERT INTO assignments_quota (person_id, batch_id, day, used)
        VALUES (lease.person_id, lease.batch_id, (lease.leased_at AT TIME ZONE 'UTC')::date, 1)
        ON CONFLICT (person_id, batch_id, day) DO UPDATE SET used = assignments_quota.used + p_by RETURNING used INTO total;
        IF p_by > 0 AND total > terms.daily_limit THEN
            RAISE EXCEPTION 'more places than the batch gives one worker on a day'
                USING errcode = '23514', constraint = 'daily_limit';
        END IF;
    END IF;
END $$;

-- Count that this person now shares the task with each who holds a place of it, where the batch limits it.
CREATE FUNCTION assignments_count_pairs(lease assignments_assignment) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    most integer;
    fellow record;
    total integer;
BEGIN
    SELECT pair_limit INTO most FROM batches_batch WHERE id = lease.batch_id;
    FOR fellow IN
        SELECT DISTINCT a.person_id FROM assignments_assignment a
         WHERE a.task_id = lease.task_id AND a.state IN ('leased', 'submitted', 'accepted')
           AND a.person_id <> lease.person_id ORDER BY 1
    LOOP
        INSERT INTO assignments_pair (batch_id, low_id, high_id, shared)
        VALUES (lease.batch_id, least(lease.person_id, fellow.person_id), greatest(lease.person_id, fellow.person_id), 1)
        ON CONFLICT (batch_id, low_id, high_id) DO UPDATE SET shared = assignments_pair.shared + 1
        RETURNING shared INTO total;
        IF total > most THEN
            RAISE EXCEPTION 'these two workers share more tasks than the batch allows'
                USING errcode = '23514', constraint = 'pair_limit';
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION assignments_requeue(bigint, bigint),
    assignments_count_use(assignments_assignment, integer),
    assignments_count_pairs(assignments_assignment) FROM PUBLIC;
"""

PICK = """
DROP FUNCTION assignments_take(bigint, bigint, boolean[]);
DROP FUNCTION assignments_pick_expired(bigint, bigint, boolean);
DROP FUNCTION assignments_pick_walk(assignments_walk);
DROP FUNCTION assignments_pick_missed(bigint, bigint, boolean);
DROP FUNCTION assignments_pick_reserved(bigint, bigint, boolean);
DROP FUNCTION assignments_pick_gold(assignments_walk);
DROP FUNCTION assignments_try_task(bigint, boolean);

-- Who claims, and under which terms: read once for a page.
CREATE TYPE assignments_claimer AS (worker bigint, person bigint, accounts bigint[], batch bigint, pair_limit integer);

-- Whether an account of the person has an assignment of the task: 'none', 'revivable' (an own lease that ran out) or
-- 'done', also where it was the person's when its lease began and is no more. Reads what the task has, never what the
-- worker has.
CREATE FUNCTION assignments_past(p_task bigint, who assignments_claimer) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    past record;
BEGIN
    SELECT a.worker_id, a.state, a.attempts INTO past FROM assignments_assignment a
     WHERE a.task_id = p_task AND (a.worker_id + 0 = ANY (who.accounts) OR a.person_id + 0 = who.person)
     ORDER BY (a.state = 'expired' AND a.worker_id = who.worker) LIMIT 1;
    RETURN CASE WHEN NOT FOUND THEN 'none'
                WHEN past.state = 'expired' AND past.worker_id = who.worker AND past.attempts < 5 THEN 'revivable'
                ELSE 'done' END;
END $$;

-- Try to lock a task that has an open place. Returns 'taken' (locked, a place is open), 'locked' (a place looks open but
-- another transaction holds the task), 'full', or 'barred' (one of those who hold it shares too many tasks with the
-- claimer already; it is queued anew when one of them leaves). With p_wait it waits for the other transaction instead.
CREATE FUNCTION assignments_try_task(p_task bigint, who assignments_claimer, p_wait boolean, p_pairs boolean DEFAULT true)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF p_pairs AND who.pair_limit IS NOT NULL THEN
        RETURN assignments_try_pairs(p_task, who, p_wait);
    END IF;
    IF p_wait THEN
        PERFORM 1 FROM batches_task WHERE id = p_task AND taken + refunded < overlap AND quarantined_at IS NULL
            FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RETURN 'full';
        END IF;
    ELSE
        PERFORM 1 FROM batches_task WHERE id = p_task AND taken + refunded < overlap AND quarantined_at IS NULL
            FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            PERFORM 1 FROM batches_task WHERE id = p_task AND taken + refunded < overlap AND quarantined_at IS NULL;
            RETURN CASE WHEN FOUND THEN 'locked' ELSE 'full' END;
        END IF;
    END IF;
    RETURN 'taken';
END $$;

-- The same where pairs are limited: 'barred' too. What is not taken is let go again by undoing the block, for a claim
-- that waits for a task must hold none.
CREATE FUNCTION assignments_try_pairs(p_task bigint, who assignments_claimer, p_wait boolean) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    fellow record;
    outcome text;
BEGIN
    outcome := assignments_try_task(p_task, who, p_wait, false);
    IF outcome = 'taken' THEN
        FOR fellow IN
            SELECT DISTINCT a.person_id FROM assignments_assignment a
             WHERE a.task_id = p_task AND a.state IN ('leased', 'submitted', 'accepted') ORDER BY 1
        LOOP
            -- Two claims at once of two who share many tasks must not both count the last one. Never a wait: a claim
            -- holds several tasks.
            IF NOT pg_try_advisory_xact_lock(hashtextextended(format(
                'pair:%s:%s:%s', who.batch, least(who.person, fellow.person_id), greatest(who.person, fellow.person_id)), 0))
            THEN
                outcome := 'locked';
            ELSIF EXISTS (SELECT 1 FROM assignments_pair p
                           WHERE p.batch_id = who.batch AND p.low_id = least(who.person, fellow.person_id)
                             AND p.high_id = greatest(who.person, fellow.person_id) AND p.shared >= who.pair_limit) THEN
                outcome := 'barred';
            END IF;
            EXIT WHEN outcome <> 'taken';
        END LOOP;
    END IF;
    IF outcome <> 'taken' THEN
        RAISE EXCEPTION '%', outcome USING errcode = 'TS001';
    END IF;
    RETURN outcome;
EXCEPTION WHEN SQLSTATE 'TS001' THEN
    RETURN sqlerrm;
END $$;

-- The next gold task that this person has not been shown, from a random start, each at most `cap` times in all.
CREATE FUNCTION assignments_pick_gold(walk assignments_walk, who assignments_claimer,
                                      OUT task bigint, OUT walked assignments_walk)
LANGUAGE plpgsql AS $$
DECLARE
    candidate record;
BEGIN
    walked := walk;
    FOR turn IN 1..2 LOOP
        FOR candidate IN
            SELECT g.task_id, g.rank FROM batches_goldkey g
             WHERE g.batch_id = walk.batch_id AND g.shown < g.cap AND g.rank > walked.gold_rank ORDER BY g.rank
        LOOP
            walked.gold_rank := candidate.rank;
            CONTINUE WHEN assignments_past(candidate.task_id, who) <> 'none';
            IF assignments_try_task(candidate.task_id, who, false) = 'taken' THEN
                -- The task is locked, so nobody else can be counting the same exposure.
                UPDATE batches_goldkey SET shown = shown + 1 WHERE task_id = candidate.task_id AND shown < cap;
                IF FOUND THEN
                    task := candidate.task_id;
                    RETURN;
                END IF;
            END IF;
        END LOOP;
        EXIT WHEN walked.gold_wrapped;
        walked.gold_wrapped := true;
        walked.gold_rank := -1;
    END LOOP;
    task := NULL;
END $$;

-- A task that is reserved for the worker. `open` is only a hint that is corrected on the way.
CREATE FUNCTION assignments_pick_reserved(who assignments_claimer, p_wait boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    candidate bigint;
    outcome text;
BEGIN
    FOR candidate IN
        SELECT task_id FROM batches_reservation
         WHERE worker_id = who.worker AND batch_id = who.batch AND open ORDER BY task_id
    LOOP
        outcome := CASE WHEN assignments_past(candidate, who) = 'done' THEN 'done'
                        ELSE assignments_try_task(candidate, who, p_wait) END;
        IF outcome = 'taken' THEN
            RETURN candidate;
        ELSIF outcome IN ('full', 'done') THEN
            -- Under the task's lock, so that a place that opens meanwhile cannot be lost: its trigger needs that lock too.
            PERFORM 1 FROM batches_task WHERE id = candidate AND (outcome = 'done' OR taken + refunded >= overlap)
                FOR NO KEY UPDATE SKIP LOCKED;
            IF FOUND THEN
                UPDATE batches_reservation SET open = false WHERE task_id = candidate AND worker_id = who.worker;
            END IF;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- A task behind the worker's walk: one that another claim held when he passed (p_revival false), or an own lease that ran
-- out (p_revival true). Each is looked at until it is seen to be full or done.
CREATE FUNCTION assignments_pick_missed(who assignments_claimer, p_revival boolean, p_wait boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    candidate bigint;
    past text;
    outcome text;
BEGIN
    FOR candidate IN
        SELECT task_id FROM assignments_missed
         WHERE worker_id = who.worker AND batch_id = who.batch AND revival = p_revival ORDER BY task_id
    LOOP
        past := assignments_past(candidate, who);
        outcome := CASE WHEN past = 'done' THEN 'done' ELSE assignments_try_task(candidate, who, p_wait) END;
        CONTINUE WHEN outcome = 'locked';
        -- Full means that it comes back, if ever, at the end of the queue, which this worker's walk has not passed.
        DELETE FROM assignments_missed
         WHERE worker_id = who.worker AND batch_id = who.batch AND task_id = candidate;
        IF outcome = 'taken' THEN
            RETURN candidate;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- What to do with the next entry of the queue: 'taken', or it is passed for good, and noted where a later look is due.
CREATE FUNCTION assignments_meet(p_task bigint, who assignments_claimer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    past text := assignments_past(p_task, who);
    outcome text := 'done';
BEGIN
    IF past = 'none' THEN
        outcome := assignments_try_task(p_task, who, false);
        IF outcome = 'taken' THEN
            RETURN true;
        END IF;
    END IF;
    IF past = 'revivable' OR outcome = 'locked' THEN
        INSERT INTO assignments_missed (worker_id, batch_id, task_id, revival)
        VALUES (who.worker, who.batch, p_task, past = 'revivable') ON CONFLICT DO NOTHING;
    END IF;
    RETURN false;
END $$;

-- The next task of the worker's walk under `spread`: 64 buckets in an order of his own, then the tail; each position is
-- passed once.
CREATE FUNCTION assignments_pick_spread(walk assignments_walk, who assignments_claimer,
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
CREATE FUNCTION assignments_pick_levels(walk assignments_walk, who assignments_claimer,
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
-- Lease up to array_length(p_gold) places for the worker; p_gold says which of them should be gold where supply allows.
-- The caller holds the worker's row and the batch FOR KEY SHARE. A short page is a success. When nothing is free but
-- something is held by others, it waits for them once, if p_wait; never while it holds a task itself.
CREATE FUNCTION assignments_take(p_worker bigint, p_batch bigint, p_gold boolean[], p_wait boolean) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    terms record;
    who assignments_claimer;
    walk assignments_walk;
    picked record;
    numbers integer[];
    task bigint;
    mine bigint;
    taken integer := 0;
    -- One moment for the whole page: times read one by one would show how long each pick took, and so what it picked.
    moment timestamptz := market_now();
BEGIN
    SELECT b.lease_cap, b.time_limit_s, b.version_id, b.pair_limit, b."order" INTO STRICT terms
      FROM batches_batch b WHERE b.id = p_batch;
    SELECT p_worker, w.person_id, array(SELECT o.id FROM profiles_worker o WHERE o.person_id = w.person_id), p_batch,
           terms.pair_limit INTO STRICT who FROM profiles_worker w WHERE w.id = p_worker;
    numbers := assignments_free_numbers(who.person, p_batch, terms.lease_cap);
    SELECT * INTO walk FROM assignments_walk WHERE worker_id = p_worker AND batch_id = p_batch FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO assignments_walk (worker_id, batch_id, seed, gold_rank)
        VALUES (p_worker, p_batch, floor(random() * 2048), floor(random() * 1e15)) RETURNING * INTO walk;
    END IF;

    FOR i IN 1 .. least(coalesce(cardinality(p_gold), 0), cardinality(numbers)) LOOP
        task := NULL;
        IF p_gold[i] THEN
            SELECT * INTO picked FROM assignments_pick_gold(walk, who);
            task := picked.task;
            walk := picked.walked;
        END IF;
        task := coalesce(task, assignments_pick_reserved(who, false));
        task := coalesce(task, assignments_pick_missed(who, false, false));
        IF task IS NULL THEN
            IF terms."order" = 'spread' THEN
                SELECT * INTO picked FROM assignments_pick_spread(walk, who);
            ELSE
                SELECT * INTO picked FROM assignments_pick_levels(walk, who);
            END IF;
            task := picked.task;
            walk := picked.walked;
        END IF;
        task := coalesce(task, assignments_pick_missed(who, true, false));
        IF task IS NULL AND taken = 0 AND p_wait THEN
            task := coalesce(assignments_pick_reserved(who, true),
                             assignments_pick_missed(who, false, true),
                             assignments_pick_missed(who, true, true));
        END IF;
        EXIT WHEN task IS NULL;

        INSERT INTO assignments_assignment
            (batch_id, task_id, worker_id, version_id, place, lease_no, leased_at, lease_until)
        VALUES (p_batch, task, p_worker, terms.version_id, assignments_free_place(task), numbers[i], moment,
                moment + make_interval(secs => terms.time_limit_s))
        ON CONFLICT (task_id, worker_id) DO NOTHING RETURNING id INTO mine;
        IF NOT FOUND THEN
            mine := assignments_revive(task, p_worker, numbers[i], moment);
            EXIT WHEN mine IS NULL;
        END IF;
        taken := taken + 1;
        RETURN NEXT mine;
    END LOOP;

    UPDATE assignments_walk
       SET step = walk.step, rank = walk.rank, ranks = walk.ranks, gold_rank = walk.gold_rank,
           gold_wrapped = walk.gold_wrapped
     WHERE worker_id = p_worker AND batch_id = p_batch;
END $$;

-- The numbers, from 1 to the cap, that no live lease of the person in the batch has.
CREATE FUNCTION assignments_free_numbers(p_person bigint, p_batch bigint, p_cap integer) RETURNS integer[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    used integer[] := array(SELECT a.lease_no FROM assignments_assignment a
                             WHERE a.person_id = p_person AND a.batch_id = p_batch AND a.state = 'leased');
BEGIN
    RETURN array(SELECT n FROM generate_series(1, p_cap) n WHERE n <> ALL (used) ORDER BY n);
END $$;

-- A new lease on the worker's own row that ran out; the caller holds the task and has seen an open place.
CREATE FUNCTION assignments_revive(p_task bigint, p_worker bigint, p_number integer, p_moment timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    terms record;
    mine bigint;
BEGIN
    SELECT b.version_id, b.time_limit_s INTO terms
      FROM batches_batch b WHERE b.id = (SELECT t.batch_id FROM batches_task t WHERE t.id = p_task);
    UPDATE assignments_assignment a
       SET state = 'leased', token = gen_random_uuid(), attempts = a.attempts + 1, lease_no = p_number,
           place = assignments_free_place(p_task), version_id = terms.version_id, end_reason = '',
           leased_at = p_moment, lease_until = p_moment + make_interval(secs => terms.time_limit_s)
     WHERE a.task_id = p_task AND a.worker_id + 0 = p_worker AND a.state::text || '' = 'expired'
    RETURNING a.id INTO mine;
    RETURN mine;
END $$;
"""

CYCLE = """
-- An answer belongs to a lease that is being submitted; revisions are dense.
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
    IF NEW.revision <> 1 + (SELECT count(*) FROM assignments_answer w WHERE w.assignment_id = NEW.assignment_id) THEN
        RAISE EXCEPTION 'revisions are numbered one by one' USING errcode = '23514', constraint = 'answer_revision';
    END IF;
    RETURN NEW;
END $$;

-- The first look of a request: locks the worker (and the account that stands for his person), says whether leases of the
-- batch are past their end, and finds the assignments of his that the page names.
CREATE FUNCTION assignments_begin(p_worker bigint, p_batch bigint, p_page uuid[])
RETURNS TABLE (due boolean, assignment uuid, id bigint, version_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    moment timestamptz := market_now();
    found record;
BEGIN
    PERFORM profiles_lock(p_worker);
    due := p_batch IS NOT NULL AND EXISTS (
        SELECT 1 FROM assignments_assignment l
         WHERE l.state = 'leased' AND l.lease_until <= moment AND l.batch_id + 0 = p_batch);
    IF cardinality(p_page) = 0 THEN
        RETURN NEXT;
    END IF;
    FOREACH assignment IN ARRAY p_page LOOP
        SELECT a.id, a.version_id, a.worker_id INTO found FROM assignments_assignment a WHERE a.public_id = assignment;
        id := CASE WHEN found.worker_id = p_worker THEN found.id END;
        version_id := CASE WHEN found.worker_id = p_worker THEN found.version_id END;
        RETURN NEXT;
    END LOOP;
END $$;

-- Store a page of checked answers. Each counts if its lease lives and its token is the last one given; a late one counts
-- if its place can still be had, by revival in the same step; what is lost is kept as a draft. The caller holds the worker
-- (`assignments_begin`). One row for each item, in the order of the page; `late` says that it needed a revival.
CREATE FUNCTION assignments_submit(p_worker bigint, p_ids bigint[], p_tokens uuid[], p_bodies text[], p_unclear boolean[])
RETURNS TABLE (outcome text, revision smallint, draft_kept boolean, late boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    moment timestamptz := market_now();
    own record;
    terms record;
    stored bigint[] := '{}';
    batches bigint[] := '{}';
    batch bigint;
    shown uuid[] := p_tokens;
BEGIN
    p_tokens := assignments_revive_late(p_worker, p_ids, p_tokens, moment);
    PERFORM 1 FROM assignments_assignment a WHERE a.id = ANY (p_ids) ORDER BY a.id FOR NO KEY UPDATE;
    -- One moment for the fence and the record of it; the trigger compares the two again.
    moment := market_now();
    FOR item IN 1 .. cardinality(p_ids) LOOP
        SELECT a.batch_id, a.task_id, a.state, a.token, a.lease_until, a.worker_id INTO STRICT own
          FROM assignments_assignment a WHERE a.id = p_ids[item];
        revision := NULL;
        draft_kept := false;
        late := p_tokens[item] <> shown[item];
        IF own.worker_id = p_worker AND own.token = p_tokens[item] AND own.state = 'leased' AND own.lease_until > moment THEN
            SELECT b.auto_accept_s, b.project_id INTO terms FROM batches_batch b WHERE b.id = own.batch_id;
            UPDATE assignments_assignment a
               SET state = 'submitted', submitted_at = moment,
                   auto_accept_at = moment + make_interval(secs => terms.auto_accept_s)
             WHERE a.id = p_ids[item];
            revision := 1 + (SELECT count(*) FROM assignments_answer w WHERE w.assignment_id = p_ids[item]);
            INSERT INTO assignments_answer (assignment_id, revision, batch_id, values, unclear, submitted_at)
            VALUES (p_ids[item], revision, own.batch_id, p_bodies[item]::jsonb, p_unclear[item], moment);
            INSERT INTO gold_toscore
                (assignment_id, revision, task_id, batch_id, project_id, worker_id, values, unclear, made_at)
            VALUES (p_ids[item], revision, own.task_id, own.batch_id, terms.project_id, p_worker, p_bodies[item]::jsonb,
                    p_unclear[item], moment);
            DELETE FROM assignments_draft d WHERE d.assignment_id = p_ids[item];
            stored := stored || p_ids[item];
            batches := batches || own.batch_id;
            outcome := 'submitted';
        ELSIF own.state IN ('leased', 'expired', 'returned') THEN
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
        RETURN NEXT;
    END LOOP;
    FOR batch IN SELECT DISTINCT unnest(batches) ORDER BY 1 LOOP
        PERFORM assignments_tell('AnswerSubmitted', batch, p_worker, array(
            SELECT s.id FROM unnest(stored, batches) AS s(id, batch_id) WHERE s.batch_id = batch ORDER BY s.id));
    END LOOP;
END $$;

-- Give the worker's own leases that have ended, but whose last token he shows, a new beginning where the place can still
-- be had; returns the tokens that hold now. Locks: batches, then tasks, then assignments, each by id.
CREATE FUNCTION assignments_revive_late(p_worker bigint, p_ids bigint[], p_tokens uuid[], p_moment timestamptz)
RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    late_tasks bigint[] := '{}';
    late_items integer[] := '{}';
    late_batches bigint[] := '{}';
    item integer;
    own record;
    terms record;
    who assignments_claimer;
    numbers integer[];
BEGIN
    FOR i IN 1 .. cardinality(p_ids) LOOP
        SELECT a.batch_id, a.task_id, a.state, a.token, a.lease_until, a.worker_id INTO STRICT own
          FROM assignments_assignment a WHERE a.id = p_ids[i];
        IF own.worker_id = p_worker AND own.token = p_tokens[i] AND own.state IN ('leased', 'expired')
           AND own.lease_until <= p_moment THEN
            late_tasks := late_tasks || own.task_id;
            late_items := late_items || i;
            late_batches := late_batches || own.batch_id;
        END IF;
    END LOOP;
    IF cardinality(late_items) = 0 THEN
        RETURN p_tokens;
    END IF;
    PERFORM 1 FROM batches_batch b WHERE b.id = ANY (late_batches) ORDER BY b.id FOR KEY SHARE;
    PERFORM 1 FROM batches_task t WHERE t.id = ANY (late_tasks) ORDER BY t.id FOR NO KEY UPDATE;
    FOR item IN SELECT g.item FROM unnest(late_items, late_tasks) AS g(item, task) ORDER BY g.task LOOP
        SELECT a.id, a.batch_id, a.task_id, a.state, a.token, a.lease_until INTO own
          FROM assignments_assignment a WHERE a.id = p_ids[item] FOR NO KEY UPDATE;
        SELECT b.state, b.pair_limit, b.lease_cap, b.worker_limit, b.daily_limit INTO terms
          FROM batches_batch b WHERE b.id = own.batch_id;
        CONTINUE WHEN own.token <> p_tokens[item] OR terms.state <> 'published';
        IF own.state = 'leased' AND own.lease_until <= p_moment THEN
            UPDATE assignments_assignment a SET state = 'expired', end_reason = 'time' WHERE a.id = own.id;
            PERFORM assignments_tell('LeaseExpired', own.batch_id, p_worker, ARRAY[own.id]);
        ELSIF own.state <> 'expired' THEN
            CONTINUE;
        END IF;
        SELECT p_worker, w.person_id, '{}'::bigint[], own.batch_id, terms.pair_limit INTO who
          FROM profiles_worker w WHERE w.id = p_worker;
        numbers := assignments_free_numbers(who.person, own.batch_id, terms.lease_cap);
        CONTINUE WHEN cardinality(numbers) = 0
            OR assignments_room(who.person, own.batch_id, terms.worker_limit, terms.daily_limit) <= 0
            OR assignments_try_task(own.task_id, who, true) <> 'taken';
        PERFORM assignments_revive(own.task_id, p_worker, numbers[1], p_moment);
        DELETE FROM assignments_missed m
         WHERE m.worker_id = p_worker AND m.batch_id = own.batch_id AND m.task_id = own.task_id;
        p_tokens[item] := (SELECT a.token FROM assignments_assignment a WHERE a.id = own.id);
    END LOOP;
    RETURN p_tokens;
END $$;

-- How many more places the person may use in the batch and today; 2147483647 where nothing limits it.
CREATE FUNCTION assignments_room(p_person bigint, p_batch bigint, p_limit integer, p_daily integer) RETURNS integer
LANGUAGE sql STABLE AS $$
    SELECT least(
        p_limit - coalesce((SELECT used FROM assignments_quota
                             WHERE person_id = p_person AND batch_id = p_batch AND day = '-infinity'), 0),
        p_daily - coalesce((SELECT used FROM assignments_quota WHERE person_id = p_person AND batch_id = p_batch
                               AND day = (market_now() AT TIME ZONE 'UTC')::date), 0),
        2147483647)
$$;

-- Top the worker up to p_count live leases of the batch and return all of them, oldest first; or one row that says why
-- not: 'not-open', 'own', 'limit', 'nothing', or 'schedule' when the worker's gold schedule must be drawn further before
-- anything is looked at, so that a claim of gold runs what every claim runs. The caller holds the worker.
CREATE FUNCTION assignments_claim(p_worker bigint, p_batch bigint, p_count integer, p_wait boolean)
RETURNS TABLE (outcome text, assignment uuid, token uuid, lease_until timestamptz, data jsonb, draft jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    terms record;
    plan record;
    person bigint;
    held bigint[];
    fresh bigint[] := '{}';
    moment timestamptz := market_now();
    wanted integer;
    left_over integer := 2147483647;
    mine bigint;
    task bigint;
BEGIN
    SELECT b.state, b.requester_id, b.worker_limit, b.daily_limit INTO STRICT terms
      FROM batches_batch b WHERE b.id = p_batch FOR KEY SHARE;
    IF terms.state <> 'published' THEN
        outcome := 'not-open';
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT w.person_id INTO STRICT person FROM profiles_worker w WHERE w.id = p_worker;
    IF EXISTS (SELECT 1 FROM accounts_member m JOIN profiles_worker w ON w.user_id = m.user_id
                WHERE m.requester_id = terms.requester_id AND w.person_id = person) THEN
        outcome := 'own';
        RETURN NEXT;
        RETURN;
    END IF;
    held := array(SELECT a.id FROM assignments_assignment a
                   WHERE a.worker_id = p_worker AND a.batch_id = p_batch AND a.state = 'leased'
                     AND a.lease_until > moment ORDER BY a.id + 0);
    wanted := greatest(0, p_count - cardinality(held));
    IF coalesce(terms.worker_limit, terms.daily_limit) IS NOT NULL THEN
        left_over := assignments_room(person, p_batch, terms.worker_limit, terms.daily_limit);
    END IF;
    IF wanted > 0 AND left_over <= 0 AND cardinality(held) = 0 THEN
        outcome := 'limit';
        RETURN NEXT;
        RETURN;
    END IF;
    wanted := least(wanted, greatest(0, left_over));
    IF wanted > 0 THEN
        SELECT s.position, s.phase_end, s.gold_positions INTO plan
          FROM gold_schedule s WHERE s.worker_id = p_worker AND s.batch_id = p_batch;
        IF NOT FOUND OR plan.position + wanted > plan.phase_end THEN
            outcome := 'schedule';
            RETURN NEXT;
            RETURN;
        END IF;
        fresh := array(SELECT assignments_take(
            p_worker, p_batch,
            array(SELECT plan.position + i = ANY (plan.gold_positions) FROM generate_series(0, wanted - 1) i ORDER BY i),
            p_wait));
        IF cardinality(fresh) > 0 THEN
            UPDATE gold_schedule s
               SET position = plan.position + cardinality(fresh),
                   gold_positions = array(SELECT g FROM unnest(plan.gold_positions) g
                                           WHERE g >= plan.position + cardinality(fresh) ORDER BY g)
             WHERE s.worker_id = p_worker AND s.batch_id = p_batch;
            PERFORM assignments_tell('PlaceTaken', p_batch, p_worker, fresh);
        END IF;
    END IF;
    IF cardinality(held) + cardinality(fresh) = 0 THEN
        outcome := 'nothing';
        RETURN NEXT;
        RETURN;
    END IF;
    outcome := 'leased';
    FOREACH mine IN ARRAY held || fresh LOOP
        SELECT a.public_id, a.token, a.lease_until, a.task_id INTO assignment, token, lease_until, task
          FROM assignments_assignment a WHERE a.id = mine;
        data := (SELECT p.data FROM batches_payload p WHERE p.task_id = task);
        draft := (SELECT d.values FROM assignments_draft d WHERE d.assignment_id = mine);
        RETURN NEXT;
    END LOOP;
END $$;

-- An event of assignments, in the form that `common.outbox.publish` writes.
CREATE FUNCTION assignments_tell(p_kind text, p_batch bigint, p_worker bigint, p_ids bigint[]) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO common_outbox (kind, body, made_at)
    VALUES (p_kind, jsonb_build_object('batch_id', p_batch, 'worker_ids', ARRAY[p_worker], 'assignment_ids', p_ids),
            market_now())
$$;
"""

RIGHTS = """
REVOKE EXECUTE ON FUNCTION
    assignments_past(bigint, assignments_claimer),
    assignments_try_task(bigint, assignments_claimer, boolean, boolean),
    assignments_try_pairs(bigint, assignments_claimer, boolean),
    assignments_pick_gold(assignments_walk, assignments_claimer), assignments_pick_reserved(assignments_claimer, boolean),
    assignments_pick_missed(assignments_claimer, boolean, boolean), assignments_meet(bigint, assignments_claimer),
    assignments_pick_spread(assignments_walk, assignments_claimer),
    assignments_pick_levels(assignments_walk, assignments_claimer),
    assignments_take(bigint, bigint, boolean[], boolean), assignments_free_numbers(bigint, bigint, integer),
    assignments_revive(bigint, bigint, integer, timestamptz), assignments_begin(bigint, bigint, uuid[]),
    assignments_submit(bigint, bigint[], uuid[], text[], boolean[]),
    assignments_revive_late(bigint, bigint[], uuid[], timestamptz),
    assignments_room(bigint, bigint, integer, integer), assignments_claim(bigint, bigint, integer, boolean),
    assignments_tell(text, bigint, bigint, bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assignments_begin(bigint, bigint, uuid[]),
    assignments_submit(bigint, bigint[], uuid[], text[], boolean[]),
    assignments_claim(bigint, bigint, integer, boolean) TO touchstone_runtime;
GRANT SELECT ON assignments_quota, assignments_pair TO touchstone_runtime;
"""

DONE = """
-- Whether nothing of the batch's ordinary work is left: no open place, nothing leased, nothing undecided. Gold places
-- that were never shown do not keep a batch open, nor do tasks in quarantine.
CREATE OR REPLACE FUNCTION assignments_batch_is_done(p_batch bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT NOT EXISTS (SELECT 1 FROM batches_openplace WHERE batch_id = p_batch)
       AND NOT EXISTS (SELECT 1 FROM assignments_assignment WHERE batch_id = p_batch AND state = 'leased')
       AND NOT EXISTS (SELECT 1 FROM assignments_assignment WHERE batch_id = p_batch AND state = 'submitted')
       AND NOT EXISTS (SELECT 1 FROM batches_task WHERE batch_id = p_batch AND reserved AND taken < overlap
                          AND quarantined_at IS NULL)
$$;
"""


def before(sql: str, names: list[str]) -> str:
    """The functions as an earlier migration made them."""
    parts = ["CREATE FUNCTION" + part for part in sql.split("CREATE FUNCTION")[1:]]
    found = [part[: part.rindex("$$;") + 3] for part in parts if part[16:].split("(")[0] in names]
    assert len(found) == len(names), names
    return "\n".join(part.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1) for part in found)


UNDO = f"""
ALTER FUNCTION assignments_answer_step() RESET ALL;
ALTER FUNCTION assignments_batch_may_settle() RESET enable_seqscan;
ALTER FUNCTION assignments_step() RESET ALL;
ALTER FUNCTION assignments_effects() RESET ALL;
DROP FUNCTION assignments_claim(bigint, bigint, integer, boolean);
DROP FUNCTION assignments_submit(bigint, bigint[], uuid[], text[], boolean[]);
DROP FUNCTION assignments_revive_late(bigint, bigint[], uuid[], timestamptz);
DROP FUNCTION assignments_room(bigint, bigint, integer, integer);
DROP FUNCTION assignments_begin(bigint, bigint, uuid[]);
DROP FUNCTION assignments_tell(text, bigint, bigint, bigint[]);
DROP FUNCTION assignments_take(bigint, bigint, boolean[], boolean);
DROP FUNCTION assignments_revive(bigint, bigint, integer, timestamptz);
DROP FUNCTION assignments_free_numbers(bigint, bigint, integer);
DROP FUNCTION assignments_pick_levels(assignments_walk, assignments_claimer);
DROP FUNCTION assignments_pick_spread(assignments_walk, assignments_claimer);
DROP FUNCTION assignments_meet(bigint, assignments_claimer);
DROP FUNCTION assignments_pick_missed(assignments_claimer, boolean, boolean);
DROP FUNCTION assignments_pick_reserved(assignments_claimer, boolean);
DROP FUNCTION assignments_pick_gold(assignments_walk, assignments_claimer);
DROP FUNCTION assignments_try_pairs(bigint, assignments_claimer, boolean);
DROP FUNCTION assignments_try_task(bigint, assignments_claimer, boolean, boolean);
DROP FUNCTION assignments_past(bigint, assignments_claimer);
DROP TYPE assignments_claimer;
{before(STEPS_BEFORE.STEP, ["assignments_step", "assignments_effects", "assignments_answer_step"])}
DROP FUNCTION assignments_requeue(bigint, bigint);
DROP FUNCTION assignments_count_use(assignments_assignment, integer);
DROP FUNCTION assignments_count_pairs(assignments_assignment);
{TAKE_BEFORE.PICK}
{
    TAKE_BEFORE.TAKE.replace(
        "CREATE FUNCTION assignments_batch_is_done", "CREATE OR REPLACE FUNCTION assignments_batch_is_done"
    ).replace("CREATE FUNCTION assignments_free_place", "CREATE OR REPLACE FUNCTION assignments_free_place")
}
"""


class Migration(migrations.Migration):
    dependencies = [("assignments", "0005_terms"), ("gold", "0002_rights")]
    operations = [migrations.RunSQL([DEFAULTS, STEP, EFFECTS, PICK, TAKE, CYCLE, RIGHTS, DONE], UNDO)]
