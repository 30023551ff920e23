"""Money that moves is told of by the database itself (R21): each statement that posts transfers writes its event."""

from django.db import migrations

TOLD = """
-- Named so that it runs before `ledger_post`, and holds no account while it writes.
CREATE FUNCTION ledger_announce() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO common_outbox (kind, body, made_at)
    SELECT 'MoneyMoved',
           jsonb_build_object('transfer_ids', jsonb_agg(f.id ORDER BY f.id),
                              'batch_ids', coalesce(jsonb_agg(DISTINCT f.batch_id) FILTER (WHERE f.batch_id IS NOT NULL),
                                                    '[]')),
           market_now()
      FROM fresh f HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER announced AFTER INSERT ON ledger_transfer REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_announce();
ALTER TABLE ledger_transfer ENABLE ALWAYS TRIGGER announced;

CREATE VIEW inv_r21_money AS
    SELECT t.id AS transfer_id
      FROM ledger_transfer t
     WHERE t.made_at > market_now() - interval '1 hour'
       AND t.xid >= (SELECT min(e.xid) FROM common_outbox e WHERE e.kind = 'MoneyMoved')
       AND NOT EXISTS (SELECT 1 FROM common_outbox e WHERE e.xid = t.xid AND e.kind = 'MoneyMoved'
                          AND e.body -> 'transfer_ids' @> to_jsonb(t.id));
COMMENT ON VIEW inv_r21_money IS 'Every transfer of the last hour has its event, written by the same transaction.';
GRANT SELECT ON inv_r21_money TO touchstone_runtime;
"""

UNDO = """
DROP VIEW inv_r21_money;
DROP TRIGGER announced ON ledger_transfer;
DROP FUNCTION ledger_announce();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_seals"), ("common", "0004_told")]
    operations = [migrations.RunSQL(TOLD, UNDO)]
