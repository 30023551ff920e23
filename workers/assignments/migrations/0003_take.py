"""The hot path of a claim: pick tasks for a worker and lease their places, at a cost that does not grow.

One function, because gold, reserved and ordinary tasks must be picked by the same statement and in the same time, and
because only its owner may see which tasks are gold.
"""

from django.db import migrations

PICK = """
-- Try to lock a task that has an open place. Returns 'taken' (locked, a place is open), 'locked' (a place looks open but
-- another transaction holds the task) or 'full'. With p_wait it waits for the other transaction instead.
CREATE FUNCTION assignments_try_task(p_task bigint, p_wait boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF p_wait THEN
        PERFORM 1 FROM batches_task WHERE id = p_task AND taken < overlap FOR NO KEY UPDATE;
        RETURN CASE WHEN FOUND THEN 'taken' ELSE 'full' END;
    END IF;
    PERFORM 1 FROM batches_task WHERE id = p_task AND taken < overlap FOR NO KEY UPDATE SKIP LOCKED;
    IF FOUND THEN
        RETURN 'taken';
    END IF;
    PERFORM 1 FROM batches_task WHERE id = p_task AND taken < overlap;
    RETURN CASE WHEN FOUND THEN 'locked' ELSE 'full' END;
END $$;

-- The next gold task that this worker has not been shown, from a random start, each at most `cap` times in all.
CREATE FUNCTION assignments_pick_gold(walk assignments_walk, OUT task bigint, OUT walked assignments_walk)
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
            CONTINUE WHEN EXISTS (SELECT 1 FROM assignments_assignment a
                                   WHERE a.task_id = candidate.task_id AND a.worker_id = walk.worker_id);
            IF assignments_try_task(candidate.task_id, false) = 'taken' THEN
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
CREATE FUNCTION assignments_pick_reserved(p_worker bigint, p_batch bigint, p_wait boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    candidate bigint;
    outcome text;
BEGIN
    FOR candidate IN
        SELECT task_id FROM batches_reservation
         WHERE worker_id = p_worker AND batch_id = p_batch AND open ORDER BY task_id
    LOOP
        outcome := assignments_try_task(candidate, p_wait);
        IF outcome = 'taken' THEN
            RETURN candidate;
        ELSIF outcome = 'full' THEN
            -- Under the task's lock, so that a place that opens meanwhile cannot be lost: its trigger needs that lock too.
            PERFORM 1 FROM batches_task WHERE id = candidate AND taken >= overlap FOR NO KEY UPDATE SKIP LOCKED;
            IF FOUND THEN
                UPDATE batches_reservation SET open = false WHERE task_id = candidate AND worker_id = p_worker;
            END IF;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- A task that an earlier walk had to pass because another claim held it.
CREATE FUNCTION assignments_pick_missed(p_worker bigint, p_batch bigint, p_wait boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    candidate bigint;
    outcome text;
BEGIN
    FOR candidate IN SELECT task_id FROM assignments_missed WHERE worker_id = p_worker AND batch_id = p_batch LOOP
        IF NOT EXISTS (SELECT 1 FROM assignments_assignment WHERE task_id = candidate AND worker_id = p_worker) THEN
            outcome := assignments_try_task(candidate, p_wait);
            CONTINUE WHEN outcome = 'locked';
        ELSE
            outcome := 'done';
        END IF;
        -- Full means that it comes back, if ever, on the tail, which this worker's walk has not passed.
        DELETE FROM assignments_missed
         WHERE worker_id = p_worker AND batch_id = p_batch AND task_id = candidate;
        IF outcome = 'taken' THEN
            RETURN candidate;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- The next task of the worker's walk: 64 buckets in an order of his own, then the tail; each position is passed once.
CREATE FUNCTION assignments_pick_walk(walk assignments_walk, OUT task bigint, OUT walked assignments_walk)
LANGUAGE plpgsql AS $$
DECLARE
    here smallint;
    candidate record;
    outcome text;
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
            CONTINUE WHEN EXISTS (SELECT 1 FROM assignments_assignment a
                                   WHERE a.task_id = candidate.task_id AND a.worker_id = walk.worker_id);
            outcome := assignments_try_task(candidate.task_id, false);
            IF outcome = 'taken' THEN
                task := candidate.task_id;
                RETURN;
            ELSIF outcome = 'locked' THEN
                INSERT INTO assignments_missed (worker_id, batch_id, task_id)
                VALUES (walk.worker_id, walk.batch_id, candidate.task_id) ON CONFLICT DO NOTHING;
            END IF;
        END LOOP;
        EXIT WHEN walked.step >= 64;
        walked.step := walked.step + 1;
        walked.rank := 0;
    END LOOP;
    task := NULL;
END $$;

-- An own lease that ran out, on a task that still has a place; never tried workers come first, so this look is the last.
CREATE FUNCTION assignments_pick_expired(p_worker bigint, p_batch bigint, p_wait boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    candidate bigint;
BEGIN
    FOR candidate IN
        SELECT a.task_id FROM assignments_assignment a JOIN batches_task t ON t.id = a.task_id
         WHERE a.worker_id = p_worker AND a.batch_id = p_batch AND a.state = 'expired' AND a.attempts < 5
           AND t.taken < t.overlap
         ORDER BY a.id
    LOOP
        IF assignments_try_task(candidate, p_wait) = 'taken' THEN
            RETURN candidate;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
"""

TAKE = """
-- Lease up to array_length(p_gold) places for the worker; p_gold says which of them should be gold where supply allows.
-- The caller holds the worker's row and the batch FOR KEY SHARE. A short page is a success. When nothing is free but
-- something is held by others, it waits for them once; never while it holds a task itself.
CREATE FUNCTION assignments_take(p_worker bigint, p_batch bigint, p_gold boolean[]) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    terms record;
    walk assignments_walk;
    picked record;
    numbers integer[];
    task bigint;
    mine bigint;
    taken integer := 0;
    -- One moment for the whole page: times read one by one would show how long each pick took, and so what it picked.
    moment timestamptz := market_now();
BEGIN
    SELECT b.lease_cap, b.time_limit_s, b.version_id INTO STRICT terms FROM batches_batch b WHERE b.id = p_batch;
    SELECT array_agg(n ORDER BY n) INTO numbers FROM generate_series(1, terms.lease_cap) n
     WHERE NOT EXISTS (SELECT 1 FROM assignments_assignment a WHERE a.worker_id = p_worker AND a.batch_id = p_batch
                          AND a.lease_no = n AND a.state = 'leased');
    INSERT INTO assignments_walk (worker_id, batch_id, seed, gold_rank)
    VALUES (p_worker, p_batch, floor(random() * 2048), floor(random() * 1e15)) ON CONFLICT DO NOTHING;
    SELECT * INTO STRICT walk FROM assignments_walk WHERE worker_id = p_worker AND batch_id = p_batch FOR UPDATE;

    FOR i IN 1 .. least(coalesce(array_length(p_gold, 1), 0), coalesce(array_length(numbers, 1), 0)) LOOP
        task := NULL;
        IF p_gold[i] THEN
            SELECT * INTO picked FROM assignments_pick_gold(walk);
            task := picked.task;
            walk := picked.walked;
        END IF;
        task := coalesce(task, assignments_pick_reserved(p_worker, p_batch, false));
        task := coalesce(task, assignments_pick_missed(p_worker, p_batch, false));
        IF task IS NULL THEN
            SELECT * INTO picked FROM assignments_pick_walk(walk);
            task := picked.task;
            walk := picked.walked;
        END IF;
        task := coalesce(task, assignments_pick_expired(p_worker, p_batch, false));
        IF task IS NULL AND taken = 0 THEN
            task := coalesce(assignments_pick_reserved(p_worker, p_batch, true),
                             assignments_pick_missed(p_worker, p_batch, true),
                             assignments_pick_expired(p_worker, p_batch, true));
        END IF;
        EXIT WHEN task IS NULL;

        INSERT INTO assignments_assignment
            (batch_id, task_id, worker_id, version_id, place, lease_no, leased_at, lease_until)
        VALUES (p_batch, task, p_worker, terms.version_id, assignments_free_place(task), numbers[i], moment,
                moment + make_interval(secs => terms.time_limit_s))
        ON CONFLICT (task_id, worker_id) DO NOTHING RETURNING id INTO mine;
        IF NOT FOUND THEN
            UPDATE assignments_assignment
               SET state = 'leased', token = gen_random_uuid(), attempts = attempts + 1, lease_no = numbers[i],
                   place = assignments_free_place(task), version_id = terms.version_id, end_reason = '',
                   leased_at = moment, lease_until = moment + make_interval(secs => terms.time_limit_s)
             WHERE task_id = task AND worker_id = p_worker AND state = 'expired' RETURNING id INTO mine;
            EXIT WHEN NOT FOUND;
        END IF;
        taken := taken + 1;
        RETURN NEXT mine;
    END LOOP;

    UPDATE assignments_walk
       SET step = walk.step, rank = walk.rank, gold_rank = walk.gold_rank, gold_wrapped = walk.gold_wrapped
     WHERE worker_id = p_worker AND batch_id = p_batch;
END $$;

-- The lowest place of a task that no live assignment has; the caller holds the task.
CREATE FUNCTION assignments_free_place(p_task bigint) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT min(n) FROM batches_task t, generate_series(1, t.overlap) n
     WHERE t.id = p_task
       AND NOT EXISTS (SELECT 1 FROM assignments_assignment a WHERE a.task_id = p_task AND a.place = n
                          AND a.state IN ('leased', 'submitted', 'accepted'))
$$;

REVOKE EXECUTE ON FUNCTION assignments_take(bigint, bigint, boolean[]), assignments_try_task(bigint, boolean),
    assignments_pick_gold(assignments_walk), assignments_pick_reserved(bigint, bigint, boolean),
    assignments_pick_missed(bigint, bigint, boolean), assignments_pick_walk(assignments_walk),
    assignments_pick_expired(bigint, bigint, boolean), assignments_free_place(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assignments_take(bigint, bigint, boolean[]) TO touchstone_runtime;

-- Whether nothing of the batch's ordinary work is left: no open place, nothing leased, nothing undecided. Gold places
-- that were never shown do not keep a batch open.
CREATE FUNCTION assignments_batch_is_done(p_batch bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT NOT EXISTS (SELECT 1 FROM batches_openplace WHERE batch_id = p_batch)
       AND NOT EXISTS (SELECT 1 FROM assignments_assignment WHERE batch_id = p_batch AND state = 'leased')
       AND NOT EXISTS (SELECT 1 FROM assignments_assignment WHERE batch_id = p_batch AND state = 'submitted')
       AND NOT EXISTS (SELECT 1 FROM batches_task WHERE batch_id = p_batch AND reserved AND taken < overlap)
$$;
REVOKE EXECUTE ON FUNCTION assignments_batch_is_done(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assignments_batch_is_done(bigint) TO touchstone_runtime;
"""

UNDO = """
DROP FUNCTION assignments_batch_is_done(bigint);
DROP FUNCTION assignments_take(bigint, bigint, boolean[]);
DROP FUNCTION assignments_free_place(bigint);
DROP FUNCTION assignments_pick_expired(bigint, bigint, boolean);
DROP FUNCTION assignments_pick_walk(assignments_walk);
DROP FUNCTION assignments_pick_missed(bigint, bigint, boolean);
DROP FUNCTION assignments_pick_reserved(bigint, bigint, boolean);
DROP FUNCTION assignments_pick_gold(assignments_walk);
DROP FUNCTION assignments_try_task(bigint, boolean);
"""


class Migration(migrations.Migration):
    dependencies = [("assignments", "0002_steps")]
    operations = [migrations.RunSQL([PICK, TAKE], UNDO)]
