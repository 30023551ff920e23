"""The life of an assignment, held by the database: legal steps, the fence, places, counters and what becomes due."""

from django.db import migrations

DEFAULTS = """
ALTER TABLE assignments_assignment
    ALTER public_id SET DEFAULT gen_random_uuid(),
    ALTER token SET DEFAULT gen_random_uuid(),
    ALTER state SET DEFAULT 'leased',
    ALTER attempts SET DEFAULT 1,
    ALTER end_reason SET DEFAULT '',
    ALTER comment SET DEFAULT '',
    ALTER leased_at SET DEFAULT market_now(),
    SET (fillfactor = 70);
ALTER TABLE assignments_answer ALTER unclear SET DEFAULT false;
ALTER TABLE assignments_settlement SET (fillfactor = 70);
ALTER TABLE assignments_walk ALTER step SET DEFAULT 0, ALTER rank SET DEFAULT 0, ALTER gold_wrapped SET DEFAULT false,
    ALTER gold_rank SET DEFAULT 0, SET (fillfactor = 50);
"""

STEP = """
-- R13, R14, R17, R20: what an assignment may be and become, whoever writes it.
CREATE FUNCTION assignments_step() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    terms record;
    task record;
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
        IF NEW.state = 'leased' AND OLD.state <> 'leased' THEN
            IF NEW.token = OLD.token THEN
                RAISE EXCEPTION 'a new lease needs a new token' USING errcode = '23514', constraint = 'lease_new_token';
            END IF;
            IF OLD.state = 'expired' AND NEW.attempts <> OLD.attempts + 1 THEN
                RAISE EXCEPTION 'a revival counts as an attempt' USING errcode = '23514', constraint = 'lease_attempts';
            END IF;
            IF OLD.state = 'submitted' AND NEW.place <> OLD.place THEN
                RAISE EXCEPTION 'a repair keeps its place' USING errcode = '23514', constraint = 'assignment_identity';
            END IF;
        ELSIF (NEW.token, NEW.place, NEW.attempts, NEW.version_id) IS DISTINCT FROM
              (OLD.token, OLD.place, OLD.attempts, OLD.version_id) THEN
            RAISE EXCEPTION 'token, place and version change with a new lease only'
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
        IF OLD.state = 'leased' AND NEW.state = 'leased' AND OLD.lease_until <= market_now() THEN
            RAISE EXCEPTION 'an ended lease is not extended' USING errcode = '23514', constraint = 'lease_ended';
        END IF;
    ELSIF NEW.state <> 'leased' THEN
        RAISE EXCEPTION 'an assignment begins leased' USING errcode = '23514', constraint = 'assignment_step';
    END IF;

    -- A new lease, by claim, revival or repair.
    IF NEW.state = 'leased' AND (TG_OP = 'INSERT' OR OLD.state <> 'leased') THEN
        SELECT state, lease_cap, requester_id INTO terms FROM batches_batch WHERE id = NEW.batch_id;
        IF terms.state IS DISTINCT FROM 'published' AND NOT (TG_OP = 'UPDATE' AND OLD.state = 'submitted') THEN
            RAISE EXCEPTION 'the batch takes no work now' USING errcode = '23514', constraint = 'lease_in_open_batch';
        END IF;
        IF NEW.lease_no > terms.lease_cap THEN
            RAISE EXCEPTION 'more leases than the batch allows' USING errcode = '23514', constraint = 'lease_cap';
        END IF;
        SELECT batch_id, overlap, reserved INTO task FROM batches_task WHERE id = NEW.task_id;
        IF task.batch_id IS DISTINCT FROM NEW.batch_id THEN
            RAISE EXCEPTION 'the task is not in this batch' USING errcode = '23514', constraint = 'task_in_batch';
        END IF;
        IF NEW.place > task.overlap THEN
            RAISE EXCEPTION 'the task has % places', task.overlap
                USING errcode = '23514', constraint = 'place_within_overlap';
        END IF;
        IF task.reserved AND NOT EXISTS (SELECT 1 FROM batches_reservation r
                                          WHERE r.task_id = NEW.task_id AND r.worker_id = NEW.worker_id) THEN
            RAISE EXCEPTION 'the task is reserved for others' USING errcode = '23514', constraint = 'task_reserved';
        END IF;
        IF EXISTS (SELECT 1 FROM accounts_member m JOIN profiles_worker w ON w.user_id = m.user_id
                    WHERE m.requester_id = terms.requester_id AND w.id = NEW.worker_id) THEN
            RAISE EXCEPTION 'nobody works on his own batch' USING errcode = '23514', constraint = 'not_ones_own';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER assignment_step BEFORE INSERT OR UPDATE ON assignments_assignment
    FOR EACH ROW EXECUTE FUNCTION assignments_step();

-- R12, R15, R18: counters, the open-place queue and what is due follow every step, in the same transaction.
CREATE FUNCTION assignments_effects() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before text := CASE WHEN TG_OP = 'UPDATE' THEN OLD.state END;
    was_live boolean := coalesce(before IN ('leased', 'submitted', 'accepted'), false);
    is_live boolean := NEW.state IN ('leased', 'submitted', 'accepted');
    task record;
    number bigint;
BEGIN
    IF before = NEW.state THEN
        RETURN NULL;
    END IF;
    IF is_live AND NOT was_live THEN
        UPDATE batches_task SET taken = taken + 1 WHERE id = NEW.task_id RETURNING taken, overlap, reserved INTO task;
        IF task.taken = task.overlap THEN
            DELETE FROM batches_openplace WHERE task_id = NEW.task_id;
        END IF;
        IF task.reserved THEN
            UPDATE batches_reservation SET open = false
             WHERE task_id = NEW.task_id AND worker_id = NEW.worker_id AND open;
        END IF;
    ELSIF was_live AND NOT is_live THEN
        UPDATE batches_task SET taken = taken - 1 WHERE id = NEW.task_id RETURNING taken, overlap, reserved INTO task;
        IF task.reserved THEN
            UPDATE batches_reservation r SET open = true
             WHERE r.task_id = NEW.task_id AND NOT r.open
               AND NOT EXISTS (SELECT 1 FROM assignments_assignment a
                                WHERE a.task_id = r.task_id AND a.worker_id = r.worker_id);
        ELSIF task.taken = task.overlap - 1
              AND NOT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = NEW.task_id) THEN
            -- The row lock on the tail lasts until commit, so numbers become visible in their order and no worker's
            -- walk can pass one that appears later.
            UPDATE batches_tail SET last = last + 1 WHERE batch_id = NEW.batch_id RETURNING last INTO number;
            INSERT INTO batches_openplace (task_id, batch_id, bucket, rank)
            VALUES (NEW.task_id, NEW.batch_id, 64, number);
        END IF;
    END IF;

    INSERT INTO batches_progressdelta (batch_id, leased, submitted, accepted, rejected, returned, expired)
    VALUES (NEW.batch_id,
            (NEW.state = 'leased')::int - coalesce((before = 'leased')::int, 0),
            (NEW.state = 'submitted')::int - coalesce((before = 'submitted')::int, 0),
            (NEW.state IN ('accepted', 'upheld'))::int - coalesce((before IN ('accepted', 'upheld'))::int, 0),
            (NEW.state = 'rejected')::int - coalesce((before = 'rejected')::int, 0),
            (NEW.state = 'returned')::int - coalesce((before = 'returned')::int, 0),
            (NEW.state = 'expired')::int - coalesce((before = 'expired')::int, 0));

    IF NEW.state IN ('accepted', 'upheld') THEN
        INSERT INTO assignments_settlement (assignment_id, batch_id, worker_id, price_micros, fee_micros, due_at)
        SELECT NEW.id, NEW.batch_id, NEW.worker_id, price_micros, fee_micros, market_now()
          FROM batches_batch WHERE id = NEW.batch_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER assignment_effects AFTER INSERT OR UPDATE ON assignments_assignment
    FOR EACH ROW EXECUTE FUNCTION assignments_effects();

-- An answer belongs to a lease that is being submitted; revisions are dense.
CREATE FUNCTION assignments_answer_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM assignments_assignment a
                    WHERE a.id = NEW.assignment_id AND a.state = 'submitted' AND a.batch_id = NEW.batch_id) THEN
        RAISE EXCEPTION 'only a submitted assignment has an answer'
            USING errcode = '23514', constraint = 'answer_of_submission';
    END IF;
    IF NEW.revision <> 1 + (SELECT count(*) FROM assignments_answer w WHERE w.assignment_id = NEW.assignment_id) THEN
        RAISE EXCEPTION 'revisions are numbered one by one' USING errcode = '23514', constraint = 'answer_revision';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER answer_step BEFORE INSERT ON assignments_answer
    FOR EACH ROW EXECUTE FUNCTION assignments_answer_step();

-- A settlement is paid once; nothing else about it ever changes.
CREATE FUNCTION assignments_settlement_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF pg_trigger_depth() < 2 OR NEW.settled_at IS NOT NULL THEN
            RAISE EXCEPTION 'a payment becomes due by an acceptance only'
                USING errcode = '23514', constraint = 'by_trigger_only';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' OR OLD.settled_at IS NOT NULL
       OR (NEW.assignment_id, NEW.batch_id, NEW.worker_id, NEW.price_micros, NEW.fee_micros, NEW.due_at) IS DISTINCT FROM
          (OLD.assignment_id, OLD.batch_id, OLD.worker_id, OLD.price_micros, OLD.fee_micros, OLD.due_at) THEN
        RAISE EXCEPTION 'a settlement is paid once and otherwise fixed'
            USING errcode = '23514', constraint = 'settlement_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER settlement_step BEFORE INSERT OR UPDATE OR DELETE ON assignments_settlement
    FOR EACH ROW EXECUTE FUNCTION assignments_settlement_step();

-- A batch settles when nothing is live and nothing is unpaid: whoever calls it, the requester's money does not return
-- before the workers have theirs.
CREATE FUNCTION assignments_batch_may_settle() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM assignments_assignment WHERE batch_id = NEW.id AND state = 'leased')
       OR EXISTS (SELECT 1 FROM assignments_assignment WHERE batch_id = NEW.id AND state = 'submitted')
       OR EXISTS (SELECT 1 FROM assignments_settlement WHERE batch_id = NEW.id AND settled_at IS NULL) THEN
        RAISE EXCEPTION 'the batch still has open or unpaid work' USING errcode = '23514', constraint = 'batch_may_settle';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER batch_may_settle BEFORE UPDATE ON batches_batch FOR EACH ROW
    WHEN (OLD.settled_at IS NULL AND NEW.settled_at IS NOT NULL) EXECUTE FUNCTION assignments_batch_may_settle();

CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON assignments_answer FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON assignments_answer FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE DELETE ON assignments_assignment FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON assignments_assignment
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE assignments_assignment ENABLE ALWAYS TRIGGER assignment_step;
ALTER TABLE assignments_assignment ENABLE ALWAYS TRIGGER assignment_effects;
ALTER TABLE assignments_assignment ENABLE ALWAYS TRIGGER closed;
ALTER TABLE assignments_assignment ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE assignments_answer ENABLE ALWAYS TRIGGER answer_step;
ALTER TABLE assignments_answer ENABLE ALWAYS TRIGGER closed;
ALTER TABLE assignments_answer ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE assignments_settlement ENABLE ALWAYS TRIGGER settlement_step;
ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER batch_may_settle;
"""

RIGHTS = """
GRANT SELECT, INSERT ON assignments_assignment TO touchstone_runtime;
GRANT UPDATE (state, token, place, lease_no, attempts, version_id, lease_until, leased_at, submitted_at, auto_accept_at,
              decided_at, end_reason, comment) ON assignments_assignment TO touchstone_runtime;
GRANT SELECT, INSERT ON assignments_answer TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON assignments_draft TO touchstone_runtime;
GRANT SELECT, UPDATE (settled_at) ON assignments_settlement TO touchstone_runtime;
GRANT SELECT ON assignments_walk, assignments_missed TO touchstone_runtime;
"""

UNDO = """
DROP TRIGGER batch_may_settle ON batches_batch;
DROP TRIGGER settlement_step ON assignments_settlement;
DROP TRIGGER answer_step ON assignments_answer;
DROP TRIGGER closed ON assignments_answer;
DROP TRIGGER closed_truncate ON assignments_answer;
DROP TRIGGER closed ON assignments_assignment;
DROP TRIGGER closed_truncate ON assignments_assignment;
DROP TRIGGER assignment_effects ON assignments_assignment;
DROP TRIGGER assignment_step ON assignments_assignment;
DROP FUNCTION assignments_batch_may_settle(); DROP FUNCTION assignments_settlement_step();
DROP FUNCTION assignments_answer_step(); DROP FUNCTION assignments_effects(); DROP FUNCTION assignments_step();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0001_assignments"),
        ("batches", "0002_guards"),
        ("accounts", "0001_people"),
        ("profiles", "0001_people"),
    ]
    operations = [migrations.RunSQL([DEFAULTS, STEP, RIGHTS], UNDO)]
