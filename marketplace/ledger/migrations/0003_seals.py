"""A chain of hashes over all transfers, built after their commit by one sealer (R2, R36), and corrections by reversal."""

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

COLUMNS = """
CREATE INDEX transfer_order ON ledger_transfer (xid, id);
ALTER TABLE ledger_sealer
    ADD COLUMN xid xid8 NOT NULL DEFAULT '0',
    ADD COLUMN server bigint NOT NULL DEFAULT (pg_control_system()).system_identifier,
    ADD CONSTRAINT one_sealer CHECK (id = 1);
INSERT INTO ledger_sealer (id, seq, hash, last_id) VALUES (1, 0, sha256('touchstone'), 0);
ALTER TABLE ledger_seal ADD CONSTRAINT seal_sizes CHECK (length(leaf) = 32 AND length(hash) = 32);
"""

SEALS = """
-- What a transfer says, as one hash. Of addresses and memo only hashes go in, made under the key of the transfer: so a
-- party that may not know one of them can still recompute the leaf from the hash it is given, and cannot see that two
-- transfers concern the same stranger.
CREATE FUNCTION ledger_hidden(p_key text, p_text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN encode(sha256(convert_to(p_key || E'\\n' || p_text, 'UTF8')), 'hex');

CREATE FUNCTION ledger_leaf(p_key text, p_kind text, p_source text, p_destination text, p_currency text, p_amount bigint,
                            p_made_at timestamptz, p_memo text, p_reverses text)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(convert_to(jsonb_build_array(
    1, p_key, p_kind, ledger_hidden(p_key, p_source), ledger_hidden(p_key, p_destination), p_currency,
    p_amount, (extract(epoch FROM p_made_at) * 1000000)::bigint, ledger_hidden(p_key, p_memo), p_reverses)::text, 'UTF8'));

-- Seal up to p_limit committed transfers, in the order of their transactions; returns how many. One sealer at a time:
-- who finds the row of the sealer locked has nothing to do. A transfer is taken only when every transaction that began
-- before its own has ended, so none can appear behind the end of the chain.
CREATE FUNCTION ledger_seal_next(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    sealer ledger_sealer;
    transfer record;
    horizon xid8;
    here bigint := (SELECT system_identifier FROM pg_control_system());
    restored boolean;
    sealed integer := 0;
BEGIN
    IF p_limit IS NULL OR p_limit < 1 THEN
        RAISE EXCEPTION 'seal at least one' USING errcode = '22023';
    END IF;
    SELECT * INTO sealer FROM ledger_sealer WHERE id = 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    horizon := pg_snapshot_xmin(pg_current_snapshot());
    restored := sealer.server <> here;
    IF restored THEN
        -- Restored into another server, whose transactions are numbered anew. What came along is committed, whatever its
        -- number: seal all of it while nobody writes, and count from here.
        LOCK TABLE ledger_transfer IN SHARE MODE;
        sealer.xid := '0';
        sealer.last_id := 0;
        horizon := '9223372036854775807';
        p_limit := NULL;
    END IF;
    FOR transfer IN
        SELECT t.id, t.xid, ledger_leaf(t.key, t.kind, s.address, d.address, t.currency, t.amount_micros, t.made_at,
                                        t.memo, r.key) AS leaf
          FROM ledger_transfer t
          JOIN ledger_account s ON s.id = t.source_id
          JOIN ledger_account d ON d.id = t.destination_id
          LEFT JOIN ledger_transfer r ON r.id = t.reverses_id
         WHERE (t.xid, t.id) > (sealer.xid, sealer.last_id) AND t.xid < horizon
           AND NOT EXISTS (SELECT 1 FROM ledger_seal x WHERE x.transfer_id = t.id)
         ORDER BY t.xid, t.id LIMIT p_limit
    LOOP
        sealer.seq := sealer.seq + 1;
        sealer.hash := sha256(sealer.hash || transfer.leaf);
        sealer.xid := transfer.xid;
        sealer.last_id := transfer.id;
        INSERT INTO ledger_seal (seq, transfer_id, leaf, hash, sealed_at)
        VALUES (sealer.seq, transfer.id, transfer.leaf, sealer.hash, market_now());
        sealed := sealed + 1;
    END LOOP;
    IF restored THEN
        -- Whoever waits for the lock may be older than this transaction, and comes next.
        sealer.xid := pg_snapshot_xmin(pg_current_snapshot());
        sealer.last_id := 0;
    END IF;
    UPDATE ledger_sealer
       SET seq = sealer.seq, hash = sealer.hash, xid = sealer.xid, last_id = sealer.last_id, server = here WHERE id = 1;
    RETURN sealed;
END $$;
REVOKE EXECUTE ON FUNCTION ledger_seal_next(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_seal_next(integer) TO touchstone_runtime;
GRANT SELECT ON ledger_seal, ledger_sealer TO touchstone_runtime;

-- The end of the chain as it was on a day, to be kept where nobody here can reach it; made once for each day.
CREATE FUNCTION ledger_anchor_today() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    made integer;
BEGIN
    INSERT INTO ledger_anchor (day, seq, hash, made_at)
    SELECT (market_now() AT TIME ZONE 'UTC')::date, k.seq, k.hash, market_now() FROM ledger_sealer k
    ON CONFLICT (day) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END $$;
REVOKE EXECUTE ON FUNCTION ledger_anchor_today() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_anchor_today() TO touchstone_runtime;
GRANT SELECT, UPDATE (sent_at) ON ledger_anchor TO touchstone_runtime;
CREATE FUNCTION ledger_anchor_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.day, NEW.seq, NEW.hash, NEW.made_at) IS DISTINCT FROM (OLD.day, OLD.seq, OLD.hash, OLD.made_at)
       OR OLD.sent_at IS NOT NULL THEN
        RAISE EXCEPTION 'an anchor stays, and is sent once' USING errcode = '23514', constraint = 'anchor_kept';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER anchor_kept BEFORE UPDATE OR DELETE ON ledger_anchor FOR EACH ROW EXECUTE FUNCTION ledger_anchor_kept();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON ledger_anchor FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE ledger_anchor ENABLE ALWAYS TRIGGER anchor_kept;
ALTER TABLE ledger_anchor ENABLE ALWAYS TRIGGER closed_truncate;

CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON ledger_seal FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON ledger_seal FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER closed BEFORE DELETE ON ledger_sealer FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON ledger_sealer FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE ledger_seal ENABLE ALWAYS TRIGGER closed;
ALTER TABLE ledger_seal ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE ledger_sealer ENABLE ALWAYS TRIGGER closed;
ALTER TABLE ledger_sealer ENABLE ALWAYS TRIGGER closed_truncate;
"""

REVERSAL = """
-- A correction is another transfer that takes back, wholly or in part, what one said, and says which; each is taken back
-- once at most (`reverses_id` is unique), and a reversal is not reversed: one makes a new transfer.
CREATE FUNCTION ledger_reversal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first record;
BEGIN
    SELECT t.source_id, t.destination_id, t.currency, t.amount_micros, t.reverses_id INTO first
      FROM ledger_transfer t WHERE t.id = NEW.reverses_id;
    IF NOT FOUND OR first.reverses_id IS NOT NULL
       OR (NEW.source_id, NEW.destination_id, NEW.currency) <> (first.destination_id, first.source_id, first.currency)
       OR NEW.amount_micros > first.amount_micros THEN
        RAISE EXCEPTION 'a reversal takes back what one transfer moved, between the same accounts'
            USING errcode = '23514', constraint = 'reversal_terms';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reversal BEFORE INSERT ON ledger_transfer FOR EACH ROW
    WHEN (NEW.reverses_id IS NOT NULL) EXECUTE FUNCTION ledger_reversal();
ALTER TABLE ledger_transfer ENABLE ALWAYS TRIGGER reversal;
"""

PROMISES = """
CREATE VIEW inv_r36_chain AS
    SELECT x.seq, x.transfer_id
      FROM ledger_seal x
      LEFT JOIN ledger_seal before ON before.seq = x.seq - 1
     WHERE x.hash IS DISTINCT FROM sha256(
               CASE WHEN x.seq = 1 THEN sha256('touchstone') ELSE before.hash END || x.leaf)
    UNION ALL
    SELECT k.seq, NULL FROM ledger_sealer k
     WHERE k.seq <> (SELECT count(*) FROM ledger_seal)
        OR k.seq > 0 AND k.hash IS DISTINCT FROM (SELECT x.hash FROM ledger_seal x WHERE x.seq = k.seq)
    UNION ALL
    SELECT n.seq, NULL FROM ledger_anchor n
     WHERE n.seq > 0 AND n.hash IS DISTINCT FROM (SELECT x.hash FROM ledger_seal x WHERE x.seq = n.seq);
COMMENT ON VIEW inv_r36_chain IS 'Each seal is the hash of the one before it and of its leaf, without a gap, to the head and by every anchor.';

CREATE VIEW inv_r36_skipped AS
    SELECT t.id AS transfer_id, t.key FROM ledger_sealer k JOIN ledger_transfer t ON (t.xid, t.id) <= (k.xid, k.last_id)
     WHERE NOT EXISTS (SELECT 1 FROM ledger_seal x WHERE x.transfer_id = t.id);
COMMENT ON VIEW inv_r36_skipped IS 'No transfer stands before the end of the chain without a seal.';

CREATE VIEW inv_r36_leaf AS
    SELECT x.seq, t.id AS transfer_id, t.key
      FROM ledger_seal x
      JOIN ledger_transfer t ON t.id = x.transfer_id
      JOIN ledger_account s ON s.id = t.source_id
      JOIN ledger_account d ON d.id = t.destination_id
      LEFT JOIN ledger_transfer r ON r.id = t.reverses_id
     WHERE x.leaf <> ledger_leaf(t.key, t.kind, s.address, d.address, t.currency, t.amount_micros, t.made_at, t.memo, r.key);
COMMENT ON VIEW inv_r36_leaf IS 'Every sealed transfer says what it said when it was sealed.';

CREATE OR REPLACE VIEW inv_r02 AS
    SELECT wanted.relname, wanted.tgname
      FROM (VALUES ('ledger_transfer', 'ledger_post'), ('ledger_transfer', 'ledger_transfer_own'),
                   ('ledger_transfer', 'reversal'), ('ledger_transfer', 'closed'), ('ledger_transfer', 'closed_truncate'),
                   ('ledger_posting', 'posting_by_trigger'), ('ledger_posting', 'closed'),
                   ('ledger_posting', 'closed_truncate'), ('ledger_account', 'balance_by_trigger'),
                   ('ledger_account', 'account_starts_empty'), ('ledger_account', 'closed'),
                   ('ledger_account', 'closed_truncate'), ('ledger_seal', 'closed'), ('ledger_seal', 'closed_truncate'),
                   ('ledger_sealer', 'closed'), ('ledger_sealer', 'closed_truncate'), ('ledger_anchor', 'anchor_kept'),
                   ('ledger_anchor', 'closed_truncate')) AS wanted(relname, tgname)
     WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                        WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A');

CREATE VIEW inv_r03_history AS
    SELECT account_id, version, balance_after_micros, delta_micros, before_micros
      FROM (SELECT p.account_id, p.version, p.balance_after_micros, p.delta_micros,
                   coalesce(lag(p.balance_after_micros) OVER walk, 0) AS before_micros
              FROM ledger_posting p WINDOW walk AS (PARTITION BY p.account_id ORDER BY p.version)) step
     WHERE balance_after_micros <> before_micros + delta_micros;
COMMENT ON VIEW inv_r03_history IS 'The balance after each posting is the one before it and its change.';
GRANT SELECT ON inv_r03_history, inv_r36_chain, inv_r36_skipped, inv_r36_leaf TO touchstone_runtime;
"""

GUARDS = import_module("marketplace.ledger.migrations.0002_guards")
UNDO = f"""
{
    GUARDS.PROMISES[
        GUARDS.PROMISES.index("CREATE VIEW inv_r02") : GUARDS.PROMISES.index("COMMENT ON VIEW inv_r02")
    ].replace("CREATE VIEW", "CREATE OR REPLACE VIEW")
}
DROP VIEW inv_r03_history, inv_r36_chain, inv_r36_skipped, inv_r36_leaf;
DROP TRIGGER reversal ON ledger_transfer; DROP FUNCTION ledger_reversal();
DROP TRIGGER closed ON ledger_seal; DROP TRIGGER closed_truncate ON ledger_seal;
DROP TRIGGER closed ON ledger_sealer; DROP TRIGGER closed_truncate ON ledger_sealer;
DROP TRIGGER anchor_kept ON ledger_anchor; DROP TRIGGER closed_truncate ON ledger_anchor;
DROP FUNCTION ledger_anchor_kept(); DROP FUNCTION ledger_anchor_today(); DROP FUNCTION ledger_seal_next(integer);
DROP FUNCTION ledger_leaf(text, text, text, text, text, bigint, timestamptz, text, text);
DROP FUNCTION ledger_hidden(text, text);
DROP INDEX transfer_order;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_guards")]
    operations = [
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "transfer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="seal", to="ledger.transfer"
                    ),
                ),
                ("leaf", models.BinaryField()),
                ("hash", models.BinaryField()),
                ("sealed_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Sealer",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("hash", models.BinaryField()),
                ("last_id", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Anchor",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("hash", models.BinaryField()),
                ("made_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.RunSQL([COLUMNS, SEALS, REVERSAL, PROMISES], UNDO),
    ]
