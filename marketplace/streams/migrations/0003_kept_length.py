"""No table is shortened while the market runs: what is late because of it is every event (R22, R23).

Vacuum that gives the empty end of a table back holds a transaction id while it waits for its lock, up to five seconds,
and events are read only once every older transaction has ended. The tables that empty themselves, the queues, fill
again at once, so the space is wanted anyhow. A later migration that makes a table sets this for it.
"""

from django.db import migrations

EACH = """
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT c.oid::regclass AS name, c.reltoastrelid <> 0 AS toast FROM pg_class c
                WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
                  AND pg_has_role(current_user, c.relowner, 'USAGE') LOOP
        EXECUTE format('ALTER TABLE %s ' || CASE WHEN one.toast THEN '{toast}' ELSE '{alone}' END, one.name);
    END LOOP;
END $$;
"""
OFF = EACH.format(toast="SET (vacuum_truncate = off, toast.vacuum_truncate = off)", alone="SET (vacuum_truncate = off)")
BACK = EACH.format(toast="RESET (vacuum_truncate, toast.vacuum_truncate)", alone="RESET (vacuum_truncate)")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_told"),
        ("appeals", "0002_guards"),
        ("assignments", "0022_settlement_of_batch"),
        ("batches", "0015_told"),
        ("billing", "0003_earlier_deposits"),
        ("common", "0004_told"),
        ("earnings", "0001_holders"),
        ("gold", "0005_supply"),
        ("ledger", "0004_told"),
        ("payouts", "0002_guards"),
        ("profiles", "0006_consents"),
        ("projects", "0002_published_is_final"),
        ("reputation", "0004_rules"),
        ("results", "0009_with_gold"),
        ("streams", "0002_reading"),
        ("webhooks", "0002_guards"),
    ]
    operations = [migrations.RunSQL(OFF, BACK)]
