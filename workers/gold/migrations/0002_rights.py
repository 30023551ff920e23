"""Verdicts are written by the runtime role and read by the gold reader alone."""

from django.db import migrations

FORWARD = """
GRANT SELECT, INSERT, UPDATE ON gold_schedule TO touchstone_runtime;
GRANT SELECT, INSERT, DELETE ON gold_toscore TO touchstone_runtime;
-- SKIP LOCKED needs the right to update something; the time of arrival is harmless.
GRANT UPDATE (made_at) ON gold_toscore TO touchstone_runtime;
GRANT INSERT ON gold_verdict TO touchstone_runtime;
GRANT SELECT ON gold_verdict TO gold_reader;
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON gold_verdict FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON gold_verdict FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE gold_verdict ENABLE ALWAYS TRIGGER closed;
ALTER TABLE gold_verdict ENABLE ALWAYS TRIGGER closed_truncate;
"""


class Migration(migrations.Migration):
    dependencies = [("gold", "0001_gold"), ("common", "0001_foundations"), ("batches", "0002_guards")]
    operations = [
        migrations.RunSQL(
            [FORWARD], "DROP TRIGGER closed ON gold_verdict; DROP TRIGGER closed_truncate ON gold_verdict;"
        )
    ]
