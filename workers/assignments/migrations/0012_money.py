"""Money besides the price: places nobody can take any more are given back, rejections that were wrong are paid from a
reserve, and pay is raised by a bonus or a top-up."""

import uuid
from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from marketplace.common.rewriting import changed

STEPS = import_module("workers.assignments.migrations.0002_steps").STEP
FIRST = import_module("workers.assignments.migrations.0004_promises").VIEWS
FLOW = import_module("workers.assignments.migrations.0006_flow")
PROMISES = import_module("workers.assignments.migrations.0007_promises")
QUARANTINE = import_module("workers.assignments.migrations.0008_quarantine")
EFFECTS = import_module("workers.assignments.migrations.0011_fewer_statements").EFFECTS

COLUMNS = """
ALTER TABLE assignments_settlement ALTER from_disputes SET DEFAULT false;
ALTER TABLE assignments_reserve
    ALTER dispute_places SET DEFAULT 0, ALTER released_places SET DEFAULT 0, ALTER releases SET DEFAULT 0;
ALTER TABLE assignments_extra ALTER public_id SET DEFAULT gen_random_uuid();
INSERT INTO assignments_reserve (batch_id) SELECT id FROM batches_batch WHERE published_at IS NOT NULL;
CREATE INDEX assignment_rejected ON assignments_assignment (batch_id, decided_at) WHERE state = 'rejected';
"""


# What an upheld answer is paid from is written down with what is due.
DUE = changed(
    EFFECTS,
    ("price_micros, fee_micros, due_at)", "price_micros, fee_micros, due_at, from_disputes)"),
    ("price_micros, fee_micros, market_now()", "price_micros, fee_micros, market_now(), NEW.state = 'upheld'"),
)
SETTLEMENT_STEP = changed(
    FLOW.before(STEPS, ["assignments_settlement_step"]),
    (
        "NEW.price_micros, NEW.fee_micros, NEW.due_at)",
        "NEW.price_micros, NEW.fee_micros, NEW.due_at, NEW.from_disputes)",
    ),
    (
        "OLD.price_micros, OLD.fee_micros, OLD.due_at)",
        "OLD.price_micros, OLD.fee_micros, OLD.due_at, OLD.from_disputes)",
    ),
)
MAY_SETTLE = changed(
    FLOW.before(STEPS, ["assignments_batch_may_settle"]),
    (
        "WHERE batch_id = NEW.id AND settled_at IS NULL) THEN",
        """WHERE batch_id = NEW.id AND settled_at IS NULL)
       OR EXISTS (SELECT 1 FROM assignments_extra WHERE batch_id = NEW.id AND settled_at IS NULL)
       OR NEW.target_hourly_micros IS NOT NULL AND NEW.published_at IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM assignments_reserve r WHERE r.batch_id = NEW.id AND r.topup_released_at IS NOT NULL)
       THEN""",
    ),
).replace("SET search_path = public, pg_temp AS", "SET search_path = public, pg_temp SET enable_seqscan = off AS")
# Once a batch takes no more work, all that is open is given back at once, in quarantine or not.
REFUND = changed(
    FLOW.before(QUARANTINE.MONEY, ["assignments_refund"]),
    (
        "ON b.id = t.batch_id AND b.settled_at IS NULL\n",
        "ON b.id = t.batch_id AND b.state IN ('published', 'paused')\n",
    ),
)

RESERVES = """
-- A published batch has its row from the beginning; what it sets aside follows from its terms.
CREATE FUNCTION assignments_reserve_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO assignments_reserve (batch_id, dispute_places)
    SELECT NEW.id, (l.places * NEW.dispute_basis_points + 9999) / 10000 FROM batches_tail l WHERE l.batch_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER reserve_made AFTER UPDATE ON batches_batch FOR EACH ROW
    WHEN (OLD.state = 'draft' AND NEW.state = 'published') EXECUTE FUNCTION assignments_reserve_made();
ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER reserve_made;

-- R18: the money of a dispute stays aside for as long as a rejection can be contested; that of a top-up until it is paid.
CREATE FUNCTION assignments_reserve_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    appeal interval;
    settled timestamptz;
BEGIN
    IF TG_OP = 'DELETE' OR NEW.batch_id <> OLD.batch_id OR NEW.dispute_places <> OLD.dispute_places
       OR NEW.released_places < OLD.released_places
       OR OLD.topup_micros IS NOT NULL AND NEW.topup_micros IS DISTINCT FROM OLD.topup_micros
       OR OLD.topup_released_at IS NOT NULL AND NEW.topup_released_at IS DISTINCT FROM OLD.topup_released_at
       OR OLD.disputes_released_at IS NOT NULL AND NEW.disputes_released_at IS DISTINCT FROM OLD.disputes_released_at THEN
        RAISE EXCEPTION 'what a batch has given back stays given back'
            USING errcode = '23514', constraint = 'reserve_step';
    END IF;
    IF NEW.topup_released_at IS NOT NULL AND OLD.topup_released_at IS NULL AND (NEW.topup_micros IS NULL OR EXISTS (
            SELECT 1 FROM assignments_extra WHERE batch_id = NEW.batch_id AND settled_at IS NULL)) THEN
        RAISE EXCEPTION 'the top-up is not paid yet' USING errcode = '23514', constraint = 'reserve_topup';
    END IF;
    IF NEW.disputes_released_at IS NOT NULL AND OLD.disputes_released_at IS NULL THEN
        SELECT make_interval(secs => b.appeal_s), b.settled_at INTO appeal, settled FROM batches_batch b WHERE b.id = NEW.batch_id;
        IF settled IS NULL OR EXISTS (SELECT 1 FROM assignments_assignment a WHERE a.batch_id = NEW.batch_id
                                         AND a.state = 'rejected' AND a.decided_at > (SELECT market_now()) - appeal) THEN
            RAISE EXCEPTION 'a rejection can still be contested' USING errcode = '23514', constraint = 'reserve_disputes';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reserve_step BEFORE UPDATE OR DELETE ON assignments_reserve
    FOR EACH ROW EXECUTE FUNCTION assignments_reserve_step();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON assignments_reserve FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE assignments_reserve ENABLE ALWAYS TRIGGER reserve_step;
ALTER TABLE assignments_reserve ENABLE ALWAYS TRIGGER closed_truncate;

-- What lies aside for disputes and is not due to anybody, in one snapshot: a payment beside it takes from both.
CREATE FUNCTION assignments_disputes_free(p_batch bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off
RETURN (SELECT coalesce(l.balance_micros, 0) - coalesce(due.micros, 0)
          FROM batches_batch b
          LEFT JOIN ledger_account l ON l.address = 'batch:' || b.public_id || ':disputes' AND l.currency = b.currency
          CROSS JOIN LATERAL (SELECT sum(s.price_micros + s.fee_micros) AS micros FROM assignments_settlement s
                               WHERE s.batch_id = b.id AND s.settled_at IS NULL AND s.from_disputes) due
         WHERE b.id = p_batch);

-- How many places nobody can take any more, of a batch that takes no more work; in one snapshot as well.
CREATE FUNCTION assignments_free_places(p_batch bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    SELECT coalesce(l.balance_micros, 0) / (b.price_micros + b.fee_micros) - live.places - due.places
      FROM batches_batch b
      LEFT JOIN ledger_account l ON l.address = 'batch:' || b.public_id || ':escrow' AND l.currency = b.currency
      CROSS JOIN LATERAL (SELECT coalesce(sum(d.leased + d.submitted), 0) AS places
                            FROM (SELECT p.leased, p.submitted FROM batches_progress p WHERE p.batch_id = p_batch
                                  UNION ALL
                                  SELECT p.leased, p.submitted FROM batches_progressdelta p WHERE p.batch_id = p_batch) d) live
      CROSS JOIN LATERAL (SELECT count(*) AS places FROM assignments_settlement s
                           WHERE s.batch_id = p_batch AND s.settled_at IS NULL AND NOT s.from_disputes) due
     WHERE b.id = p_batch AND b.state IN ('closing', 'cancelled') AND b.published_at IS NOT NULL
       AND b.settled_at IS NULL;
$$;

-- Count those places as given back; the caller moves their money under keys with `step`: of `aside` places to what lies
-- aside for disputes, for as many rejections can be contested and are not covered yet, and of the others back.
CREATE FUNCTION assignments_release_places(p_batch bigint) RETURNS TABLE (places bigint, aside bigint, step integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    free bigint := assignments_free_places(p_batch);
    uncovered bigint;
BEGIN
    -- First without the lock, which everything else that happens to the batch would wait for.
    IF free IS NULL OR free <= 0 THEN
        RETURN;
    END IF;
    PERFORM 1 FROM batches_batch b WHERE b.id = p_batch FOR UPDATE;
    free := assignments_free_places(p_batch);
    IF free IS NULL OR free <= 0 THEN
        RETURN;
    END IF;
    -- In places of the escrow; an answer that is upheld costs its top-up as well.
    SELECT ceil((count(*)::numeric * (u.unit + t.most + (t.most * b.fee_basis_points + 9999) / 10000)
                 - assignments_disputes_free(p_batch)) / u.unit) INTO uncovered
      FROM batches_batch b
      CROSS JOIN LATERAL (SELECT b.price_micros + b.fee_micros AS unit) u
      CROSS JOIN LATERAL (SELECT b.price_micros * b.topup_basis_points / 10000 AS most) t
      JOIN assignments_assignment a ON a.batch_id = b.id AND a.state = 'rejected'
       AND a.decided_at > (SELECT market_now()) - make_interval(secs => b.appeal_s)
     WHERE b.id = p_batch GROUP BY b.id, u.unit, t.most;
    RETURN QUERY
    UPDATE assignments_reserve r SET released_places = r.released_places + free, releases = r.releases + 1
     WHERE r.batch_id = p_batch
    RETURNING free, least(free, greatest(0, coalesce(uncovered, 0))), r.releases;
END $$;
"""

UPHOLDS = """
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON assignments_uphold FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON assignments_uphold FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE assignments_uphold ENABLE ALWAYS TRIGGER closed;
ALTER TABLE assignments_uphold ENABLE ALWAYS TRIGGER closed_truncate;

-- Nobody undoes a rejection without saying who he is and why.
CREATE FUNCTION assignments_upheld_with_reason() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM assignments_uphold u WHERE u.assignment_id = NEW.id) THEN
        RAISE EXCEPTION 'a rejection is undone with a reason' USING errcode = '23514', constraint = 'upheld_with_reason';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER upheld_with_reason AFTER UPDATE ON assignments_assignment FOR EACH ROW
    WHEN (NEW.state = 'upheld') EXECUTE FUNCTION assignments_upheld_with_reason();
ALTER TABLE assignments_assignment ENABLE ALWAYS TRIGGER upheld_with_reason;
"""

EXTRAS = """
CREATE FUNCTION assignments_extra_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.settled_at IS NOT NULL OR NEW.settled_at IS NULL
       OR to_jsonb(NEW) - 'settled_at' <> to_jsonb(OLD) - 'settled_at' THEN
        RAISE EXCEPTION 'extra pay is paid once and otherwise fixed' USING errcode = '23514', constraint = 'extra_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER extra_step BEFORE UPDATE OR DELETE ON assignments_extra
    FOR EACH ROW EXECUTE FUNCTION assignments_extra_step();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON assignments_extra FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE assignments_extra ENABLE ALWAYS TRIGGER extra_step;
ALTER TABLE assignments_extra ENABLE ALWAYS TRIGGER closed_truncate;

-- A bonus is for somebody who has answered in the batch. The same reference again is no second bonus: the first is
-- returned, and the caller compares its terms.
CREATE FUNCTION assignments_give_bonus(p_batch bigint, p_worker bigint, p_reference text, p_amount bigint, p_reason text,
                                       p_by bigint)
RETURNS TABLE (public_id uuid, amount_micros bigint, fee_micros bigint, reason text, is_new boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT 1 FROM assignments_assignment a WHERE a.batch_id = p_batch AND a.worker_id = p_worker
                      AND a.submitted_at IS NOT NULL) THEN
        RAISE EXCEPTION 'a bonus is for work in the batch' USING errcode = '23514', constraint = 'bonus_for_work';
    END IF;
    RETURN QUERY
    INSERT INTO assignments_extra (batch_id, worker_id, kind, reference, amount_micros, fee_micros, reason, made_by_id,
                                   made_at, settled_at)
    SELECT p_batch, p_worker, 'bonus', p_reference, p_amount,
           div(p_amount::numeric * b.fee_basis_points + 9999, 10000)::bigint, p_reason, p_by,
           market_now(), market_now()
      FROM batches_batch b WHERE b.id = p_batch
    ON CONFLICT (batch_id, worker_id, kind, reference) DO NOTHING
    RETURNING public_id, amount_micros, fee_micros, reason, true;
    IF NOT FOUND THEN
        RETURN QUERY SELECT x.public_id, x.amount_micros, x.fee_micros, x.reason, false FROM assignments_extra x
                      WHERE x.batch_id = p_batch AND x.worker_id = p_worker AND x.kind = 'bonus'
                        AND x.reference = p_reference;
    END IF;
END $$;

-- Milliseconds that half of the batch's paid answers took at most. Nobody works on two at once: an answer's time begins
-- with its lease, but not before the worker's submission before it, and the answers of one page share theirs.
CREATE FUNCTION assignments_median_ms(p_batch bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp
RETURN (
    WITH page AS (
        SELECT a.worker_id, a.submitted_at, min(a.leased_at) AS leased_at, count(*) AS answers,
               count(*) FILTER (WHERE a.state IN ('accepted', 'upheld')) AS paid
          FROM assignments_assignment a WHERE a.batch_id = p_batch AND a.submitted_at IS NOT NULL
         GROUP BY a.worker_id, a.submitted_at
    ), timed AS (
        SELECT p.paid, (extract(epoch FROM p.submitted_at - greatest(p.leased_at, lag(p.submitted_at) OVER walk))
                        * 1000 / p.answers)::bigint AS each_ms
          FROM page p WINDOW walk AS (PARTITION BY p.worker_id ORDER BY p.submitted_at)
    )
    SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY t.each_ms)
      FROM timed t CROSS JOIN LATERAL generate_series(1, t.paid) AS answer(n));

-- What each paid answer gets on top, so that an hour at that pace pays the target: rounded up, at most the limit.
CREATE FUNCTION assignments_topup_of(p_price bigint, p_target bigint, p_median_ms bigint, p_limit bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN least(p_limit, greatest(0, ceil(p_target::numeric * p_median_ms / 3600000)::bigint - p_price));

-- Raise the pay of every paid answer by what the terms say, once, when nothing is open any more; each worker's sum becomes
-- due. No program has a say in how much.
CREATE FUNCTION assignments_raise_pay(p_batch bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    terms batches_batch;
    median bigint;
    p_each bigint;
    raised integer := 0;
BEGIN
    SELECT * INTO terms FROM batches_batch b WHERE b.id = p_batch FOR UPDATE;
    IF terms.target_hourly_micros IS NULL OR terms.settled_at IS NOT NULL OR terms.state NOT IN ('closing', 'cancelled')
       OR EXISTS (SELECT 1 FROM assignments_assignment WHERE batch_id = p_batch AND state = 'leased')
       OR EXISTS (SELECT 1 FROM assignments_assignment WHERE batch_id = p_batch AND state = 'submitted') THEN
        RAISE EXCEPTION 'the top-up follows from the terms, when all is decided'
            USING errcode = '23514', constraint = 'topup_by_terms';
    END IF;
    median := coalesce(assignments_median_ms(p_batch), 0);
    p_each := assignments_topup_of(terms.price_micros, terms.target_hourly_micros, median,
                                   terms.price_micros * terms.topup_basis_points / 10000);
    UPDATE assignments_reserve r SET median_ms = median, topup_micros = p_each
     WHERE r.batch_id = p_batch AND r.topup_micros IS NULL;
    IF FOUND AND p_each > 0 THEN
        INSERT INTO assignments_extra (batch_id, worker_id, kind, reference, amount_micros, fee_micros, reason, made_at)
        SELECT p_batch, a.worker_id, 'topup', 'topup', count(*) * p_each,
               div(count(*)::numeric * p_each * terms.fee_basis_points + 9999, 10000)::bigint,
               'raised to the hourly target', market_now()
          FROM assignments_assignment a WHERE a.batch_id = p_batch AND a.state IN ('accepted', 'upheld')
         -- In an order that says nothing: two requesters must not line up their lists of the same people.
         GROUP BY a.worker_id ORDER BY md5(terms.public_id::text || a.worker_id);
        GET DIAGNOSTICS raised = ROW_COUNT;
    END IF;
    RETURN raised;
END $$;
"""

RAISE_UPHELD = """
-- The top-up of answers that were upheld after the batch's top-up was made: the same for each, paid by the caller now.
CREATE FUNCTION assignments_raise_upheld(p_batch bigint, p_ids bigint[])
RETURNS TABLE (public_id uuid, worker uuid, amount_micros bigint, fee_micros bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH made AS (
        INSERT INTO assignments_extra (batch_id, worker_id, kind, reference, amount_micros, fee_micros, reason, made_at,
                                       settled_at)
        SELECT b.id, a.worker_id, 'topup', 'upheld:' || a.public_id, r.topup_micros,
               div(r.topup_micros::numeric * b.fee_basis_points + 9999, 10000)::bigint,
               'raised to the hourly target', market_now(), market_now()
          FROM assignments_reserve r
          JOIN batches_batch b ON b.id = r.batch_id
          JOIN assignments_assignment a ON a.batch_id = b.id AND a.id = ANY (p_ids) AND a.state = 'upheld'
         WHERE r.batch_id = p_batch AND r.topup_micros > 0 ORDER BY a.id
        RETURNING id, public_id, worker_id, amount_micros, fee_micros
    )
    SELECT m.public_id, w.public_id, m.amount_micros, m.fee_micros FROM made m
      JOIN profiles_worker w ON w.id = m.worker_id ORDER BY m.id;
END $$;
"""

NEW_FUNCTIONS = (
    "assignments_raise_upheld(bigint, bigint[])",
    "assignments_release_places(bigint)",
    "assignments_give_bonus(bigint, bigint, text, bigint, text, bigint)",
    "assignments_raise_pay(bigint)",
    "assignments_median_ms(bigint)",
    "assignments_free_places(bigint)",
    "assignments_disputes_free(bigint)",
    "assignments_topup_of(bigint, bigint, bigint, bigint)",
)
RIGHTS = f"""
REVOKE EXECUTE ON FUNCTION assignments_reserve_made(), assignments_reserve_step(), assignments_extra_step(),
    assignments_upheld_with_reason(), {", ".join(NEW_FUNCTIONS)} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {", ".join(NEW_FUNCTIONS)} TO touchstone_runtime;
GRANT SELECT, INSERT ON assignments_uphold TO touchstone_runtime;
GRANT SELECT, UPDATE (topup_released_at, disputes_released_at) ON assignments_reserve TO touchstone_runtime;
GRANT SELECT, UPDATE (settled_at) ON assignments_extra TO touchstone_runtime;
"""

BEFORE = {
    **{name: FIRST[name] for name in ("inv_r17",)},
    **{name: PROMISES.CHANGED[name] for name in ("inv_r06",)},
}
CHANGED = {
    "inv_r06": (
        BEFORE["inv_r06"][0],
        changed(
            BEFORE["inv_r06"][1].replace("(t.places - s.paid)", "(t.places - s.paid - coalesce(r.released_places, 0))"),
            (
                "LEFT JOIN ledger_account a",
                "LEFT JOIN assignments_reserve r ON r.batch_id = b.id\n LEFT JOIN ledger_account a",
            ),
            ("AND settled_at IS NOT NULL) s", "AND settled_at IS NOT NULL AND NOT from_disputes) s"),
        ),
    ),
    "inv_r17": (
        BEFORE["inv_r17"][0],
        changed(
            BEFORE["inv_r17"][1],
            (
                "('assignments_settlement', 'settlement_step'),",
                "('assignments_settlement', 'settlement_step'), ('assignments_assignment', 'upheld_with_reason'),"
                " ('assignments_uphold', 'closed'), ('assignments_reserve', 'reserve_step'),"
                " ('assignments_extra', 'extra_step'), ('batches_batch', 'reserve_made'),",
            ),
        ),
    ),
}
ADDED = {
    "inv_r06_covered": (
        "What a batch has given back leaves enough in escrow for every answer that is leased, undecided or unpaid.",
        """
        SELECT b.id AS batch_id, held.places AS held_places, live.places AS live_places
          FROM batches_batch b
          LEFT JOIN assignments_reserve r ON r.batch_id = b.id
          CROSS JOIN LATERAL (SELECT coalesce(sum(overlap - refunded), 0) - coalesce(r.released_places, 0)
                                     - (SELECT count(*) FROM assignments_settlement s WHERE s.batch_id = b.id
                                           AND s.settled_at IS NOT NULL AND NOT s.from_disputes) AS places
                                FROM batches_task WHERE batch_id = b.id) held
          CROSS JOIN LATERAL (SELECT count(*) AS places FROM assignments_assignment a
                                LEFT JOIN assignments_settlement s ON s.assignment_id = a.id
                               WHERE a.batch_id = b.id AND (a.state IN ('leased', 'submitted')
                                  OR a.state = 'accepted' AND s.settled_at IS NULL)) live
         WHERE b.settled_at IS NULL AND held.places < live.places
        """,
    ),
    "inv_r05_extra": (
        "Every bonus and every top-up is paid exactly once, with its fee.",
        """
        SELECT x.id AS extra_id, x.kind, x.amount_micros, x.settled_at, t.amount_micros AS paid_micros, f.amount_micros AS fee_paid
          FROM assignments_extra x
          JOIN batches_batch b ON b.id = x.batch_id
          JOIN accounts_requester q ON q.id = b.requester_id
          JOIN profiles_worker w ON w.id = x.worker_id
          LEFT JOIN ledger_transfer t ON t.key = x.kind || ':' || x.public_id
          LEFT JOIN ledger_account d ON d.id = t.destination_id
          LEFT JOIN ledger_account s ON s.id = t.source_id
          LEFT JOIN ledger_transfer f ON f.key = x.kind || '-fee:' || x.public_id
         WHERE d.address <> 'worker:' || w.public_id || ':earned'
            OR s.address <> CASE x.kind WHEN 'bonus' THEN 'requester:' || q.public_id || ':funds'
                                        ELSE 'batch:' || b.public_id || ':topup' END
            OR (x.settled_at IS NOT NULL) <> (t.id IS NOT NULL)
            OR (x.settled_at IS NOT NULL AND x.fee_micros > 0) <> (f.id IS NOT NULL)
            OR t.amount_micros <> x.amount_micros OR f.amount_micros <> x.fee_micros
        """,
    ),
    "inv_r06_disputes": (
        "What lies aside for disputes is what the batch provided, less what won appeals were paid; nothing once it is given back.",
        """
        SELECT b.id AS batch_id, coalesce(a.balance_micros, 0) AS aside_micros, wanted.micros AS expected_micros
          FROM batches_batch b
          LEFT JOIN assignments_reserve r ON r.batch_id = b.id
          LEFT JOIN ledger_account a ON a.address = 'batch:' || b.public_id || ':disputes' AND a.currency = b.currency
          CROSS JOIN LATERAL (SELECT coalesce(sum(price_micros + fee_micros) FILTER (WHERE settled_at IS NOT NULL), 0) AS paid,
                                     coalesce(sum(price_micros + fee_micros) FILTER (WHERE settled_at IS NULL), 0) AS due
                                FROM assignments_settlement s WHERE s.batch_id = b.id AND s.from_disputes) d
          CROSS JOIN LATERAL (SELECT coalesce(sum(t.amount_micros) FILTER (WHERE t.kind = 'reserve'
                                                AND (t.key LIKE 'reserve:upheld:%' OR t.key LIKE 'reserve:%:rejected:%')), 0) AS added,
                                     coalesce(sum(t.amount_micros) FILTER (WHERE t.kind = 'reserve' AND t.key LIKE 'reserve:topup:%'), 0) AS raised,
                                     coalesce(sum(t.amount_micros) FILTER (WHERE t.kind = 'release' AND t.key LIKE '%:disputes'), 0) AS released
                                FROM ledger_transfer t WHERE t.batch_id = b.id AND t.kind IN ('reserve', 'release')) m
          CROSS JOIN LATERAL (SELECT b.price_micros * b.topup_basis_points / 10000 AS most) l
          CROSS JOIN LATERAL (SELECT coalesce(r.dispute_places, 0)
                                     * (b.price_micros + b.fee_micros + l.most + (l.most * b.fee_basis_points + 9999) / 10000)
                                     + m.added - d.paid - m.raised - m.released AS micros) wanted
         WHERE coalesce(a.balance_micros, 0) <> wanted.micros OR wanted.micros < d.due
            OR (m.released > 0 AND r.disputes_released_at IS NULL)
            OR (r.disputes_released_at IS NOT NULL AND wanted.micros <> d.due)
        """,
    ),
    "inv_r06_raised": (
        "Pay was raised by what the terms of the batch say, and no batch is settled before that.",
        """
        SELECT b.id AS batch_id, r.topup_micros, r.median_ms, b.settled_at
          FROM batches_batch b JOIN assignments_reserve r ON r.batch_id = b.id
         WHERE b.target_hourly_micros IS NOT NULL
           AND (b.settled_at IS NOT NULL AND r.topup_micros IS NULL
                OR r.topup_micros <> assignments_topup_of(b.price_micros, b.target_hourly_micros, r.median_ms,
                                                          b.price_micros * b.topup_basis_points / 10000))
        """,
    ),
    "inv_r06_topup": (
        "What lies aside for a top-up is what the batch provided, until it is paid and the rest given back.",
        """
        SELECT b.id AS batch_id, coalesce(a.balance_micros, 0) AS aside_micros, wanted.micros AS expected_micros
          FROM batches_batch b
          LEFT JOIN assignments_reserve r ON r.batch_id = b.id
          LEFT JOIN ledger_account a ON a.address = 'batch:' || b.public_id || ':topup' AND a.currency = b.currency
          CROSS JOIN LATERAL (SELECT b.price_micros * b.topup_basis_points / 10000 AS most) l
          CROSS JOIN LATERAL (SELECT coalesce(sum(amount_micros + fee_micros), 0) AS paid FROM assignments_extra x
                               WHERE x.batch_id = b.id AND x.kind = 'topup' AND x.settled_at IS NOT NULL) x
          CROSS JOIN LATERAL (SELECT coalesce(sum(overlap), 0) AS places FROM batches_task WHERE batch_id = b.id) t
          CROSS JOIN LATERAL (SELECT coalesce(sum(t.amount_micros), 0) AS added FROM ledger_transfer t
                               WHERE t.batch_id = b.id AND t.kind = 'reserve' AND t.key LIKE 'reserve:topup:%') m
          CROSS JOIN LATERAL (SELECT CASE WHEN b.published_at IS NULL OR r.topup_released_at IS NOT NULL THEN 0
                                          ELSE t.places * (l.most + (l.most * b.fee_basis_points + 9999) / 10000) + m.added - x.paid
                                     END AS micros) wanted
         WHERE coalesce(a.balance_micros, 0) <> wanted.micros
        """,
    ),
}

REFUNDS_VIEW = """
CREATE OR REPLACE VIEW inv_r19_refunds AS
    SELECT t.id AS task_id, t.overlap, t.taken, t.refunded
      FROM batches_task t JOIN batches_batch b ON b.id = t.batch_id
      LEFT JOIN assignments_quarantine q ON q.task_id = t.id
     WHERE (t.quarantined_at IS NOT NULL AND b.state IN ('published', 'paused') AND t.taken + t.refunded < t.overlap
            AND NOT coalesce(q.due, false))
        OR (t.refunded > 0 AND q.task_id IS NULL);
"""
REFUNDS_VIEW_BEFORE = QUARANTINE.VIEWS[: QUARANTINE.VIEWS.index("COMMENT ON VIEW")].replace(
    "CREATE VIEW", "CREATE OR REPLACE VIEW"
)

UNDO = f"""
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM assignments_uphold) OR EXISTS (SELECT 1 FROM assignments_extra)
       OR EXISTS (SELECT 1 FROM assignments_reserve WHERE released_places > 0)
       OR EXISTS (SELECT 1 FROM ledger_account WHERE balance_micros <> 0 AND address ~ '^batch:[^:]*:(disputes|topup)$') THEN
        RAISE EXCEPTION 'money lies aside, was given back early or was paid besides the price: an earlier version would lose track of it';
    END IF;
END $$;
DROP INDEX assignment_rejected;
{REFUNDS_VIEW_BEFORE}
DROP TRIGGER upheld_with_reason ON assignments_assignment;
DROP TRIGGER reserve_made ON batches_batch;
{EFFECTS}
{FLOW.before(STEPS, ["assignments_settlement_step", "assignments_batch_may_settle"])}
ALTER FUNCTION assignments_batch_may_settle() SET enable_seqscan = off;
{FLOW.before(QUARANTINE.MONEY, ["assignments_refund"])}
DROP FUNCTION assignments_upheld_with_reason(); DROP FUNCTION assignments_reserve_made();
{"".join(f"DROP FUNCTION {name};" for name in NEW_FUNCTIONS)}
DROP TRIGGER reserve_step ON assignments_reserve; DROP TRIGGER extra_step ON assignments_extra;
DROP FUNCTION assignments_reserve_step(); DROP FUNCTION assignments_extra_step();
"""


def to(model: str, **more: object) -> models.ForeignKey:
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=model, **more)


def own(model: str, name: str) -> models.OneToOneField:
    return models.OneToOneField(
        on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name=name, serialize=False, to=model
    )


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0011_fewer_statements"),
        ("batches", "0009_money_terms"),
        ("ledger", "0003_seals"),
        ("profiles", "0003_persons"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField("settlement", "from_disputes", models.BooleanField(default=False)),
        migrations.CreateModel(
            name="Uphold",
            fields=[
                ("assignment", own("assignments.assignment", "uphold")),
                ("reason", models.TextField()),
                ("made_at", models.DateTimeField()),
                ("made_by", to(settings.AUTH_USER_MODEL)),
            ],
            options={"constraints": [models.CheckConstraint(condition=~models.Q(reason=""), name="uphold_has_reason")]},
        ),
        migrations.CreateModel(
            name="Reserve",
            fields=[
                ("batch", own("batches.batch", "reserve")),
                ("dispute_places", models.BigIntegerField(default=0)),
                ("released_places", models.BigIntegerField(default=0)),
                ("releases", models.PositiveIntegerField(default=0)),
                ("median_ms", models.BigIntegerField(null=True)),
                ("topup_micros", models.BigIntegerField(null=True)),
                ("topup_released_at", models.DateTimeField(null=True)),
                ("disputes_released_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["batch"], condition=models.Q(disputes_released_at=None), name="reserve_for_disputes"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="Extra",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("kind", models.CharField(choices=[("bonus", "Bonus"), ("topup", "Topup")], max_length=5)),
                ("reference", models.CharField(max_length=100)),
                ("amount_micros", models.BigIntegerField()),
                ("fee_micros", models.BigIntegerField()),
                ("reason", models.TextField()),
                ("made_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                ("batch", to("batches.batch", db_index=False)),
                ("made_by", to(settings.AUTH_USER_MODEL, null=True)),
                ("worker", to("profiles.worker")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["batch", "worker", "kind", "reference"], name="extra_once"),
                    models.CheckConstraint(
                        condition=models.Q(amount_micros__gte=1, amount_micros__lte=10**15)
                        & models.Q(fee_micros__gte=0, fee_micros__lte=10**15),
                        name="extra_amounts",
                    ),
                    models.CheckConstraint(
                        condition=~models.Q(reason="") & ~models.Q(reference=""), name="extra_has_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(kind="topup", made_by=None) | models.Q(kind="bonus", made_by__isnull=False),
                        name="extra_kind",
                    ),
                ],
                "indexes": [
                    models.Index(fields=["batch", "id"], condition=models.Q(settled_at=None), name="extra_due")
                ],
            },
        ),
        # Constraints of what was just made must be checked before its triggers change.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunSQL(
            [
                COLUMNS,
                DUE,
                SETTLEMENT_STEP,
                MAY_SETTLE,
                REFUND,
                RESERVES,
                UPHOLDS,
                EXTRAS,
                RAISE_UPHELD,
                RIGHTS,
                REFUNDS_VIEW,
            ],
            UNDO,
        ),
        migrations.RunSQL(
            [*PROMISES.dropped(list(CHANGED)), *PROMISES.made(CHANGED | ADDED)],
            [*PROMISES.dropped(list(CHANGED | ADDED)), *PROMISES.made(BEFORE)],
        ),
    ]
