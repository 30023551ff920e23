"""What holds the money: postings and balances by trigger, closed history, rights, and the promises as views."""

from django.db import migrations

COLUMNS = """
ALTER TABLE ledger_account
    ALTER balance_micros SET DEFAULT 0,
    ALTER version SET DEFAULT 0,
    ADD COLUMN may_go_negative boolean NOT NULL GENERATED ALWAYS AS (address LIKE 'outside:%') STORED,
    ADD CONSTRAINT no_overdraft CHECK (balance_micros >= 0 OR address LIKE 'outside:%'),
    ADD CONSTRAINT account_id_currency UNIQUE (id, currency),
    SET (fillfactor = 50);
ALTER TABLE ledger_transfer
    ALTER memo SET DEFAULT '',
    ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ADD CONSTRAINT transfer_source_currency FOREIGN KEY (source_id, currency) REFERENCES ledger_account (id, currency),
    ADD CONSTRAINT transfer_destination_currency
        FOREIGN KEY (destination_id, currency) REFERENCES ledger_account (id, currency);
CREATE INDEX transfer_batch ON ledger_transfer (batch_id, kind) INCLUDE (amount_micros) WHERE batch_id IS NOT NULL;
"""

TRIGGERS = """
-- R3, R4, R8: balances follow transfers. Accounts are locked in id order; the statement that fires this is the last of
-- its transaction, so a hot account is held for as short as can be. Order within the statement is order of postings.
CREATE FUNCTION ledger_post() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    short record;
BEGIN
    PERFORM 1 FROM ledger_account
        WHERE id IN (SELECT source_id FROM fresh UNION SELECT destination_id FROM fresh)
        ORDER BY id FOR NO KEY UPDATE;

    INSERT INTO ledger_posting (account_id, version, transfer_id, delta_micros, balance_after_micros)
    SELECT a.id,
           a.version + row_number() OVER walk,
           leg.transfer_id,
           leg.delta,
           a.balance_micros + sum(leg.delta) OVER walk
      FROM (SELECT id AS transfer_id, source_id AS account_id, -amount_micros AS delta FROM fresh
            UNION ALL
            SELECT id, destination_id, amount_micros FROM fresh) leg
      JOIN ledger_account a ON a.id = leg.account_id
    WINDOW walk AS (PARTITION BY a.id ORDER BY leg.transfer_id ROWS UNBOUNDED PRECEDING);

    SELECT a.address, a.currency, -p.balance_after_micros AS missing INTO short
      FROM ledger_posting p
      JOIN ledger_account a ON a.id = p.account_id
      JOIN fresh f ON f.id = p.transfer_id
     WHERE p.balance_after_micros < 0 AND NOT a.may_go_negative
     ORDER BY p.balance_after_micros LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'account % would go below zero', short.address USING errcode = '23514',
            constraint = 'no_overdraft', detail = short.address || '|' || short.currency || '|' || short.missing;
    END IF;

    UPDATE ledger_account a
       SET balance_micros = a.balance_micros + s.delta, version = a.version + s.steps
      FROM (SELECT account_id, sum(delta) AS delta, count(*) AS steps
              FROM (SELECT source_id AS account_id, -amount_micros AS delta FROM fresh
                    UNION ALL
                    SELECT destination_id, amount_micros FROM fresh) leg
             GROUP BY account_id) s
     WHERE a.id = s.account_id;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_post AFTER INSERT ON ledger_transfer REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_post();

-- A transfer belongs to the transaction that writes it; nobody may claim another one or another time.
CREATE FUNCTION ledger_transfer_own() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.xid := pg_current_xact_id();
    NEW.made_at := market_now();
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_transfer_own BEFORE INSERT ON ledger_transfer
    FOR EACH ROW EXECUTE FUNCTION ledger_transfer_own();

-- Balances and postings are written from inside ledger_post only: there the trigger depth is two.
CREATE FUNCTION ledger_by_trigger_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% is written by transfers only', tg_table_name
            USING errcode = '23514', constraint = 'by_trigger_only';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER posting_by_trigger BEFORE INSERT ON ledger_posting
    FOR EACH ROW EXECUTE FUNCTION ledger_by_trigger_only();
CREATE TRIGGER balance_by_trigger BEFORE UPDATE ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION ledger_by_trigger_only();

CREATE FUNCTION ledger_account_starts_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.balance_micros <> 0 OR NEW.version <> 0 THEN
        RAISE EXCEPTION 'an account starts empty' USING errcode = '23514', constraint = 'account_starts_empty';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_starts_empty BEFORE INSERT ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION ledger_account_starts_empty();

-- R2: history is closed, for the replica role and for truncation too.
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON ledger_transfer FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON ledger_transfer FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON ledger_posting FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON ledger_posting FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE DELETE ON ledger_account FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON ledger_account FOR EACH STATEMENT EXECUTE FUNCTION append_only();

ALTER TABLE ledger_transfer ENABLE ALWAYS TRIGGER ledger_post;
ALTER TABLE ledger_transfer ENABLE ALWAYS TRIGGER ledger_transfer_own;
ALTER TABLE ledger_transfer ENABLE ALWAYS TRIGGER closed;
ALTER TABLE ledger_transfer ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE ledger_posting ENABLE ALWAYS TRIGGER posting_by_trigger;
ALTER TABLE ledger_posting ENABLE ALWAYS TRIGGER closed;
ALTER TABLE ledger_posting ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE ledger_account ENABLE ALWAYS TRIGGER balance_by_trigger;
ALTER TABLE ledger_account ENABLE ALWAYS TRIGGER account_starts_empty;
ALTER TABLE ledger_account ENABLE ALWAYS TRIGGER closed;
ALTER TABLE ledger_account ENABLE ALWAYS TRIGGER closed_truncate;
"""

RIGHTS = """
GRANT SELECT, INSERT (address, currency) ON ledger_account TO touchstone_runtime;
GRANT SELECT, INSERT (key, kind, source_id, destination_id, currency, amount_micros, batch_id, memo, reverses_id,
                      made_at) ON ledger_transfer TO touchstone_runtime;
GRANT SELECT ON ledger_posting TO touchstone_runtime;
"""

PROMISES = """
CREATE VIEW inv_r01 AS
    SELECT t.id AS transfer_id, count(p.*) AS postings, coalesce(sum(p.delta_micros), 0) AS sum_micros
      FROM ledger_transfer t LEFT JOIN ledger_posting p ON p.transfer_id = t.id
     GROUP BY t.id HAVING count(p.*) <> 2 OR coalesce(sum(p.delta_micros), 0) <> 0;
COMMENT ON VIEW inv_r01 IS 'Every transfer has exactly two postings, and they sum to zero.';

CREATE VIEW inv_r02 AS
    SELECT wanted.relname, wanted.tgname
      FROM (VALUES ('ledger_transfer', 'ledger_post'), ('ledger_transfer', 'ledger_transfer_own'),
                   ('ledger_transfer', 'closed'), ('ledger_transfer', 'closed_truncate'),
                   ('ledger_posting', 'posting_by_trigger'), ('ledger_posting', 'closed'),
                   ('ledger_posting', 'closed_truncate'), ('ledger_account', 'balance_by_trigger'),
                   ('ledger_account', 'account_starts_empty'), ('ledger_account', 'closed'),
                   ('ledger_account', 'closed_truncate')) AS wanted(relname, tgname)
     WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                        WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A');
COMMENT ON VIEW inv_r02 IS 'History is closed: every trigger that guards money exists and is always enabled.';

CREATE VIEW inv_r03 AS
    SELECT a.id AS account_id, a.address, a.balance_micros, s.sum_micros, a.version, s.postings, s.last_micros
      FROM ledger_account a
      LEFT JOIN LATERAL (SELECT coalesce(sum(p.delta_micros), 0) AS sum_micros, count(*) AS postings,
                                coalesce(max(p.version), 0) AS last_version,
                                coalesce((array_agg(p.balance_after_micros ORDER BY p.version DESC))[1], 0) AS last_micros
                           FROM ledger_posting p WHERE p.account_id = a.id) s ON true
     WHERE a.balance_micros <> s.sum_micros OR a.version <> s.postings OR a.version <> s.last_version
        OR a.balance_micros <> s.last_micros;
COMMENT ON VIEW inv_r03 IS 'Every balance is the sum of its postings, which are numbered without a gap.';

CREATE VIEW inv_r04 AS
    SELECT id AS account_id, address, currency, balance_micros FROM ledger_account
     WHERE balance_micros < 0 AND address NOT LIKE 'outside:%'
    UNION ALL
    SELECT a.id, a.address, a.currency, p.balance_after_micros
      FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id
     WHERE p.balance_after_micros < 0 AND a.address NOT LIKE 'outside:%';
COMMENT ON VIEW inv_r04 IS 'No account but those of the outside world is or ever was below zero.';

CREATE VIEW inv_r06_sum AS
    SELECT currency, sum(balance_micros) AS sum_micros FROM ledger_account GROUP BY currency HAVING sum(balance_micros) <> 0;
COMMENT ON VIEW inv_r06_sum IS 'In every currency all balances together are zero.';

CREATE VIEW inv_r09 AS
    SELECT id AS transfer_id, amount_micros FROM ledger_transfer
     WHERE amount_micros NOT BETWEEN 1 AND 1000000000000000 OR source_id = destination_id
    UNION ALL
    SELECT a.attrelid::bigint, a.attnum FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relkind = 'r' AND a.attname LIKE '%\\_micros' AND a.atttypid <> 'bigint'::regtype AND a.attnum > 0
       AND NOT a.attisdropped;
COMMENT ON VIEW inv_r09 IS 'Money is whole numbers of micro-units within bounds, in every table.';

GRANT SELECT ON inv_r01, inv_r02, inv_r03, inv_r04, inv_r06_sum, inv_r09 TO touchstone_runtime;
"""

DROP = """
DROP VIEW inv_r01, inv_r02, inv_r03, inv_r04, inv_r06_sum, inv_r09;
DROP TRIGGER closed ON ledger_account; DROP TRIGGER closed_truncate ON ledger_account;
DROP TRIGGER closed ON ledger_posting; DROP TRIGGER closed_truncate ON ledger_posting;
DROP TRIGGER closed ON ledger_transfer; DROP TRIGGER closed_truncate ON ledger_transfer;
DROP TRIGGER ledger_post ON ledger_transfer; DROP TRIGGER ledger_transfer_own ON ledger_transfer;
DROP TRIGGER posting_by_trigger ON ledger_posting; DROP TRIGGER balance_by_trigger ON ledger_account;
DROP TRIGGER account_starts_empty ON ledger_account;
DROP FUNCTION ledger_post(); DROP FUNCTION ledger_transfer_own(); DROP FUNCTION ledger_by_trigger_only();
DROP FUNCTION ledger_account_starts_empty();
ALTER TABLE ledger_transfer DROP COLUMN xid, DROP CONSTRAINT transfer_source_currency,
    DROP CONSTRAINT transfer_destination_currency;
DROP INDEX transfer_batch;
ALTER TABLE ledger_account DROP CONSTRAINT account_id_currency, DROP CONSTRAINT no_overdraft, DROP COLUMN may_go_negative;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_money"), ("common", "0001_foundations")]
    operations = [migrations.RunSQL([COLUMNS, TRIGGERS, RIGHTS, PROMISES], DROP)]
