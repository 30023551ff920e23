"""What holds payouts: places that never change, steps, transfers that agree with them, rights, and promises as views."""

from django.db import migrations

COLUMNS = """
ALTER TABLE payouts_payout
    ADD CONSTRAINT payout_whole_cents CHECK (amount_micros % 10000 = 0),
    ADD CONSTRAINT payout_key_derived CHECK (provider_key = 'ts-' || replace(public_id::text, '-', '')),
    ADD CONSTRAINT payout_destination FOREIGN KEY (destination_id, user_id, provider, currency)
        REFERENCES payouts_destination (id, user_id, provider, currency),
    ADD CONSTRAINT payout_run FOREIGN KEY (run_id, provider, currency) REFERENCES payouts_run (id, provider, currency),
    SET (fillfactor = 70);
ALTER TABLE payouts_threshold
    ADD CONSTRAINT threshold_whole_cents CHECK (above_micros % 10000 = 0),
    ADD CONSTRAINT threshold_destination FOREIGN KEY (destination_id, user_id, provider, currency)
        REFERENCES payouts_destination (id, user_id, provider, currency);
"""

DESTINATIONS = """
-- R41: three days pass between the wish and the first payment, whoever wishes. The clock is the database's.
CREATE FUNCTION payouts_destination_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.added_at := market_now();
        NEW.usable_from := NEW.added_at + interval '72 hours';
        NEW.removed_at := NULL;
        RETURN NEW;
    END IF;
    IF OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL
       OR to_jsonb(NEW) - 'removed_at' IS DISTINCT FROM to_jsonb(OLD) - 'removed_at' THEN
        RAISE EXCEPTION 'a destination stays as it is until it is removed, once'
            USING errcode = '23514', constraint = 'destination_kept';
    END IF;
    NEW.removed_at := market_now();
    RETURN NEW;
END $$;
CREATE TRIGGER destination_kept BEFORE INSERT OR UPDATE ON payouts_destination
    FOR EACH ROW EXECUTE FUNCTION payouts_destination_kept();
CREATE TRIGGER closed BEFORE DELETE ON payouts_destination FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON payouts_destination
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE payouts_destination ENABLE ALWAYS TRIGGER destination_kept;
ALTER TABLE payouts_destination ENABLE ALWAYS TRIGGER closed;
ALTER TABLE payouts_destination ENABLE ALWAYS TRIGGER closed_truncate;
"""

STEPS = """
CREATE FUNCTION payouts_legal(p_from text, p_to text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (p_from, p_to) IN (
    ('requested', 'approved'), ('requested', 'refused'), ('requested', 'cancelled'),
    ('approved', 'sent'), ('approved', 'refused'), ('approved', 'cancelled'),
    ('sent', 'settled'), ('sent', 'failed'), ('sent', 'in_doubt'),
    ('in_doubt', 'sent'), ('in_doubt', 'settled'), ('in_doubt', 'failed'),
    ('failed', 'returned'), ('settled', 'returned'));

CREATE FUNCTION payouts_begin() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place payouts_destination;
BEGIN
    -- Shared, so that a removal comes before or after, and never in between.
    SELECT * INTO place FROM payouts_destination WHERE id = NEW.destination_id FOR SHARE;
    IF place.removed_at IS NOT NULL THEN
        RAISE EXCEPTION 'the destination was removed' USING errcode = '23514', constraint = 'destination_usable';
    END IF;
    IF NEW.state <> 'requested' OR NEW.decided_by_id IS NOT NULL OR NEW.run_id IS NOT NULL OR NEW.lease IS NOT NULL THEN
        RAISE EXCEPTION 'a payout begins as a request' USING errcode = '23514', constraint = 'payout_step';
    END IF;
    NEW.requested_at := market_now();
    NEW.provider_key := 'ts-' || replace(NEW.public_id::text, '-', '');
    -- Until one has arrived there, somebody looks at each payout to a destination.
    NEW.needs_review := NEW.needs_review OR NOT EXISTS (
        SELECT 1 FROM payouts_payout p WHERE p.destination_id = NEW.destination_id AND p.state = 'settled');
    NEW.decided_at := NULL; NEW.sent_at := NULL; NEW.answered_at := NULL; NEW.settled_at := NULL; NEW.ended_at := NULL;
    NEW.doubtful_since := NULL; NEW.looked_up_at := NULL; NEW.look_up_at := NULL;
    RETURN NEW;
END $$;

CREATE FUNCTION payouts_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place payouts_destination;
    now timestamptz := market_now();
BEGIN
    IF (NEW.id, NEW.public_id, NEW.user_id, NEW.holder, NEW.destination_id, NEW.provider, NEW.currency,
        NEW.amount_micros, NEW.provider_key, NEW.needs_review, NEW.requested_at)
       IS DISTINCT FROM
       (OLD.id, OLD.public_id, OLD.user_id, OLD.holder, OLD.destination_id, OLD.provider, OLD.currency,
        OLD.amount_micros, OLD.provider_key, OLD.needs_review, OLD.requested_at) THEN
        RAISE EXCEPTION 'what a payout says never changes' USING errcode = '23514', constraint = 'payout_fixed';
    END IF;
    -- Written here only.
    NEW.decided_at := OLD.decided_at; NEW.sent_at := OLD.sent_at; NEW.settled_at := OLD.settled_at;
    NEW.ended_at := OLD.ended_at; NEW.doubtful_since := OLD.doubtful_since;
    IF NEW.state = OLD.state THEN
        IF (NEW.decided_by_id, NEW.run_id, NEW.reason) IS DISTINCT FROM (OLD.decided_by_id, OLD.run_id, OLD.reason) THEN
            RAISE EXCEPTION 'decisions are made by steps' USING errcode = '23514', constraint = 'payout_step';
        END IF;
        RETURN NEW;
    END IF;
    IF NOT payouts_legal(OLD.state, NEW.state) THEN
        RAISE EXCEPTION 'a payout does not go from % to %', OLD.state, NEW.state
            USING errcode = '23514', constraint = 'payout_step';
    END IF;
    IF NEW.decided_by_id IS DISTINCT FROM OLD.decided_by_id THEN
        -- Another decision may follow only where a payout that was approved is stopped.
        IF NEW.state NOT IN ('approved', 'refused') OR NEW.decided_by_id = NEW.user_id
           OR NOT EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = NEW.decided_by_id AND u.is_staff AND u.is_active)
        THEN
            RAISE EXCEPTION 'staff decide, and nobody on his own' USING errcode = '23514', constraint = 'payout_decision';
        END IF;
    END IF;
    IF NEW.state = 'refused' AND NEW.decided_by_id IS NULL OR
       NEW.state = 'approved' AND NEW.needs_review AND NEW.decided_by_id IS NULL THEN
        RAISE EXCEPTION 'somebody has to look at this payout' USING errcode = '23514', constraint = 'payout_decision';
    END IF;
    IF NEW.run_id IS DISTINCT FROM OLD.run_id AND NOT (OLD.state = 'approved' AND NEW.state = 'sent') THEN
        RAISE EXCEPTION 'a payout goes into one run' USING errcode = '23514', constraint = 'payout_step';
    END IF;
    IF NEW.state = 'approved' OR (OLD.state = 'approved' AND NEW.state = 'sent') THEN
        SELECT * INTO place FROM payouts_destination WHERE id = NEW.destination_id FOR SHARE;
        IF place.removed_at IS NOT NULL OR place.usable_from > now THEN
            RAISE EXCEPTION 'nothing leaves to this destination now'
                USING errcode = '23514', constraint = 'destination_usable';
        END IF;
    END IF;
    IF OLD.state = 'approved' AND NEW.state = 'sent' AND NEW.run_id IS NULL AND NEW.lease IS NULL THEN
        RAISE EXCEPTION 'a payout is sent by whoever holds it' USING errcode = '23514', constraint = 'payout_step';
    END IF;
    -- R11: what is not known is found out, not decided.
    IF OLD.state = 'in_doubt' AND (OLD.lease IS NULL OR NEW.looked_up_at IS NULL
                                   OR NEW.looked_up_at IS NOT DISTINCT FROM OLD.looked_up_at) THEN
        RAISE EXCEPTION 'doubt ends by a look-up only' USING errcode = '23514', constraint = 'payout_doubt';
    END IF;
    CASE NEW.state
        WHEN 'approved' THEN NEW.decided_at := now;
        WHEN 'sent' THEN NEW.sent_at := coalesce(OLD.sent_at, now); NEW.doubtful_since := NULL;
        WHEN 'in_doubt' THEN NEW.doubtful_since := now;
        WHEN 'settled' THEN NEW.settled_at := now; NEW.ended_at := now; NEW.doubtful_since := NULL;
        WHEN 'failed' THEN NEW.doubtful_since := NULL;
        WHEN 'refused' THEN NEW.decided_at := now; NEW.ended_at := now;
        ELSE NEW.ended_at := now;
    END CASE;
    RETURN NEW;
END $$;
CREATE TRIGGER payout_begin BEFORE INSERT ON payouts_payout FOR EACH ROW EXECUTE FUNCTION payouts_begin();
CREATE TRIGGER payout_step BEFORE UPDATE ON payouts_payout FOR EACH ROW EXECUTE FUNCTION payouts_step();
CREATE TRIGGER closed BEFORE DELETE ON payouts_payout FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON payouts_payout FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE payouts_payout ENABLE ALWAYS TRIGGER payout_begin;
ALTER TABLE payouts_payout ENABLE ALWAYS TRIGGER payout_step;
ALTER TABLE payouts_payout ENABLE ALWAYS TRIGGER closed;
ALTER TABLE payouts_payout ENABLE ALWAYS TRIGGER closed_truncate;
"""

BOOKS = """
-- Each payout with what is wrong between its state and its transfers; null where they agree. The hold comes first; then
-- one end, under one key, so that the money goes on or back and never both; then perhaps what a bank sends back.
CREATE VIEW payouts_books AS
    SELECT p.id, p.public_id, p.state,
           CASE
               WHEN h.id IS NULL OR (hs.address, hd.address, h.currency, h.amount_micros) IS DISTINCT FROM
                    (a.earned, a.withdrawing, p.currency, p.amount_micros) THEN 'its money was not set aside'
               WHEN p.state IN ('requested', 'approved', 'sent', 'in_doubt', 'failed') THEN
                    CASE WHEN e.id IS NOT NULL OR r.id IS NOT NULL THEN 'its money has moved on already' END
               WHEN e.id IS NULL OR (es.address, ed.address, e.currency, e.amount_micros) IS DISTINCT FROM
                    (a.withdrawing, CASE WHEN p.settled_at IS NULL THEN a.earned ELSE a.outside END,
                     p.currency, p.amount_micros) THEN 'its money did not go where its state says'
               WHEN p.state = 'returned' AND p.settled_at IS NOT NULL THEN
                    CASE WHEN r.id IS NULL OR (rs.address, rd.address, r.currency, r.amount_micros) IS DISTINCT FROM
                              (a.outside, a.earned, p.currency, p.amount_micros) THEN 'its money did not come back' END
               WHEN r.id IS NOT NULL THEN 'its money came back twice'
           END AS wrong
      FROM payouts_payout p
     CROSS JOIN LATERAL (SELECT 'payout:' || p.public_id AS key,
                                'worker:' || p.holder || ':earned' AS earned,
                                'worker:' || p.holder || ':withdrawing' AS withdrawing,
                                'outside:' || p.provider AS outside) a
      LEFT JOIN ledger_transfer h ON h.key = a.key
      LEFT JOIN ledger_account hs ON hs.id = h.source_id LEFT JOIN ledger_account hd ON hd.id = h.destination_id
      LEFT JOIN ledger_transfer e ON e.key = a.key || ':end'
      LEFT JOIN ledger_account es ON es.id = e.source_id LEFT JOIN ledger_account ed ON ed.id = e.destination_id
      LEFT JOIN ledger_transfer r ON r.key = a.key || ':returned'
      LEFT JOIN ledger_account rs ON rs.id = r.source_id LEFT JOIN ledger_account rd ON rd.id = r.destination_id;

-- Judged when the transaction ends, from both sides: no state without its money, no such money without its state.
CREATE FUNCTION payouts_agree() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    book record;
BEGIN
    SELECT * INTO book FROM payouts_books WHERE id = NEW.id;
    IF book.wrong IS NOT NULL THEN
        RAISE EXCEPTION 'payout % is % and %', book.public_id, book.state, book.wrong
            USING errcode = '23514', constraint = 'payout_money';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER agree AFTER INSERT OR UPDATE OF state ON payouts_payout
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payouts_agree();

CREATE FUNCTION payouts_transfer_agrees() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    book record;
    named text := split_part(NEW.key, ':', 2);
BEGIN
    SELECT b.* INTO book FROM payouts_payout p JOIN payouts_books b ON b.id = p.id
     WHERE p.public_id = CASE WHEN named ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN named::uuid END
       AND NEW.key IN ('payout:' || p.public_id, 'payout:' || p.public_id || ':end', 'payout:' || p.public_id || ':returned');
    IF NOT FOUND OR book.wrong IS NOT NULL THEN
        RAISE EXCEPTION 'the transfer % is of no payout, or of one that is elsewhere', NEW.key
            USING errcode = '23514', constraint = 'payout_money';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payouts_agree AFTER INSERT ON ledger_transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (starts_with(NEW.key, 'payout:'))
    EXECUTE FUNCTION payouts_transfer_agrees();
ALTER TABLE payouts_payout ENABLE ALWAYS TRIGGER agree;
ALTER TABLE ledger_transfer ENABLE ALWAYS TRIGGER payouts_agree;
"""

CLOSED = """
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON payouts_attempt FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON payouts_run FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON payouts_providernotice FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON payouts_report FOR EACH ROW EXECUTE FUNCTION append_only();
ALTER TABLE payouts_attempt ENABLE ALWAYS TRIGGER closed;
ALTER TABLE payouts_run ENABLE ALWAYS TRIGGER closed;
ALTER TABLE payouts_providernotice ENABLE ALWAYS TRIGGER closed;
ALTER TABLE payouts_report ENABLE ALWAYS TRIGGER closed;
"""

RIGHTS = """
REVOKE EXECUTE ON FUNCTION payouts_begin(), payouts_step(), payouts_agree(), payouts_transfer_agrees() FROM PUBLIC;
GRANT SELECT, INSERT (public_id, user_id, provider, currency, details, shown, fingerprint), UPDATE (removed_at)
    ON payouts_destination TO touchstone_runtime;
GRANT SELECT, INSERT (public_id, user_id, holder, destination_id, provider, currency, amount_micros, provider_key,
                      needs_review),
      UPDATE (state, reason, provider_ref, decided_by_id, run_id, answered_at, looked_up_at, look_up_at, look_up_wait_s,
              lease, lease_until)
    ON payouts_payout TO touchstone_runtime;
GRANT SELECT, INSERT (public_id, user_id, destination_id, kind) ON payouts_attempt TO touchstone_runtime;
GRANT SELECT, INSERT (public_id, provider, currency, made_by_id) ON payouts_run TO touchstone_runtime;
GRANT SELECT, INSERT (provider, event, key, payout_id, fate, reference, detail, said_at)
    ON payouts_providernotice TO touchstone_runtime;
GRANT SELECT, INSERT, DELETE ON payouts_threshold TO touchstone_runtime;
GRANT SELECT, INSERT (public_id, provider, since, until, rows, sha256, findings, made_by_id)
    ON payouts_report TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (token, until) ON payouts_turn TO touchstone_runtime;
GRANT SELECT ON payouts_books TO touchstone_runtime;
"""

PROMISES = """
CREATE VIEW inv_r07_payouts AS
    SELECT b.public_id::text AS payout, b.state::text AS state, b.wrong FROM payouts_books b WHERE b.wrong IS NOT NULL
    UNION ALL
    SELECT coalesce(a.address, f.address), coalesce(a.currency, f.currency),
           coalesce(a.balance_micros, 0) || ' set aside, ' || coalesce(f.micros, 0) || ' in flight'
      FROM (SELECT address, currency, balance_micros FROM ledger_account WHERE address LIKE 'worker:%:withdrawing') a
      FULL JOIN (SELECT 'worker:' || holder || ':withdrawing' AS address, currency, sum(amount_micros) AS micros
                   FROM payouts_payout WHERE state IN ('requested', 'approved', 'sent', 'in_doubt', 'failed')
                  GROUP BY holder, currency) f ON f.address = a.address AND f.currency = a.currency
     WHERE coalesce(a.balance_micros, 0) <> coalesce(f.micros, 0);
COMMENT ON VIEW inv_r07_payouts IS
    'Every payout agrees with its transfers, and what is set aside is what is on its way, for each holder and currency.';

CREATE VIEW inv_r11 AS
    SELECT provider_key AS subject, count(*) || ' payouts share it' AS wrong
      FROM payouts_payout GROUP BY provider_key HAVING count(*) > 1
    UNION ALL
    SELECT coalesce(o.provider, p.provider) || ' ' || coalesce(o.currency, p.currency),
           coalesce(o.micros, 0) || ' went out, ' || coalesce(p.micros, 0) || ' were settled'
      FROM (SELECT substr(d.address, 9) AS provider, t.currency, sum(t.amount_micros) AS micros
              FROM ledger_transfer t JOIN ledger_account s ON s.id = t.source_id
              JOIN ledger_account d ON d.id = t.destination_id
             WHERE s.address LIKE 'worker:%:withdrawing' AND d.address LIKE 'outside:%' GROUP BY 1, 2) o
      FULL JOIN (SELECT provider, currency, sum(amount_micros) AS micros FROM payouts_payout
                  WHERE settled_at IS NOT NULL GROUP BY 1, 2) p
        ON p.provider = o.provider AND p.currency = o.currency
     WHERE coalesce(o.micros, 0) <> coalesce(p.micros, 0);
COMMENT ON VIEW inv_r11 IS 'No two payouts share a key, and exactly the settled ones have left, each once.';

CREATE VIEW inv_r11_guards AS
    SELECT wanted.relname, wanted.tgname
      FROM (VALUES ('payouts_payout', 'payout_begin'), ('payouts_payout', 'payout_step'), ('payouts_payout', 'agree'),
                   ('payouts_payout', 'closed'), ('payouts_payout', 'closed_truncate'),
                   ('payouts_destination', 'destination_kept'), ('payouts_destination', 'closed'),
                   ('payouts_destination', 'closed_truncate'), ('payouts_attempt', 'closed'), ('payouts_run', 'closed'),
                   ('payouts_providernotice', 'closed'), ('payouts_report', 'closed'),
                   ('ledger_transfer', 'payouts_agree')) AS wanted(relname, tgname)
     WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                        WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A');
COMMENT ON VIEW inv_r11_guards IS 'Every trigger that guards payouts exists and is always enabled.';

CREATE VIEW inv_r41 AS
    SELECT d.public_id, 'usable before its time' AS wrong FROM payouts_destination d
     WHERE d.usable_from < d.added_at + interval '72 hours'
    UNION ALL
    SELECT p.public_id, 'left before its time' FROM payouts_payout p JOIN payouts_destination d ON d.id = p.destination_id
     WHERE p.sent_at < d.usable_from OR p.state = 'approved' AND p.decided_at < d.usable_from
    UNION ALL
    SELECT p.public_id, 'goes to another person' FROM payouts_payout p JOIN payouts_destination d ON d.id = p.destination_id
     WHERE (p.user_id, p.provider, p.currency) IS DISTINCT FROM (d.user_id, d.provider, d.currency)
    UNION ALL
    SELECT min(d.public_id::text)::uuid, 'one destination of ' || count(*) || ' people' FROM payouts_destination d
     WHERE d.removed_at IS NULL GROUP BY d.fingerprint HAVING count(*) > 1;
COMMENT ON VIEW inv_r41 IS 'Nothing leaves to a destination within its first 72 hours, and each is one person''s only.';
GRANT SELECT ON inv_r07_payouts, inv_r11, inv_r11_guards, inv_r41 TO touchstone_runtime;
"""

UNDO = """
DROP VIEW inv_r07_payouts, inv_r11, inv_r11_guards, inv_r41;
DROP TRIGGER payouts_agree ON ledger_transfer; DROP TRIGGER agree ON payouts_payout;
DROP FUNCTION payouts_transfer_agrees(); DROP FUNCTION payouts_agree();
DROP VIEW payouts_books;
DROP TRIGGER payout_begin ON payouts_payout; DROP TRIGGER payout_step ON payouts_payout;
DROP TRIGGER closed ON payouts_payout; DROP TRIGGER closed_truncate ON payouts_payout;
DROP FUNCTION payouts_begin(); DROP FUNCTION payouts_step(); DROP FUNCTION payouts_legal(text, text);
DROP TRIGGER destination_kept ON payouts_destination; DROP FUNCTION payouts_destination_kept();
DROP TRIGGER closed ON payouts_destination; DROP TRIGGER closed_truncate ON payouts_destination;
DROP TRIGGER closed ON payouts_attempt; DROP TRIGGER closed ON payouts_run; DROP TRIGGER closed ON payouts_providernotice;
DROP TRIGGER closed ON payouts_report;
ALTER TABLE payouts_threshold DROP CONSTRAINT threshold_destination, DROP CONSTRAINT threshold_whole_cents;
ALTER TABLE payouts_payout DROP CONSTRAINT payout_run, DROP CONSTRAINT payout_destination,
    DROP CONSTRAINT payout_key_derived, DROP CONSTRAINT payout_whole_cents;
REVOKE ALL ON payouts_destination, payouts_payout, payouts_attempt, payouts_run, payouts_providernotice,
    payouts_threshold, payouts_report, payouts_turn FROM touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0001_payouts"), ("ledger", "0003_seals"), ("accounts", "0003_second_factor")]
    operations = [
        migrations.RunSQL([COLUMNS, DESTINATIONS, STEPS, BOOKS, CLOSED, RIGHTS, PROMISES], UNDO),
    ]
