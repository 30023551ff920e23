"""A sanction is not made, nor lifted, without the event that tells of it (R21)."""

from django.db import migrations

TOLD = """
CREATE CONSTRAINT TRIGGER told AFTER INSERT ON accounts_sanction DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION common_told('sanction_id', 'id', '{Sanctioned}');
CREATE CONSTRAINT TRIGGER told_lifted AFTER UPDATE ON accounts_sanction DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION common_told('sanction_id', 'id', '{SanctionLifted}');
ALTER TABLE accounts_sanction ENABLE ALWAYS TRIGGER told;
ALTER TABLE accounts_sanction ENABLE ALWAYS TRIGGER told_lifted;
"""

UNDO = """
DROP TRIGGER told_lifted ON accounts_sanction;
DROP TRIGGER told ON accounts_sanction;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_tickets"), ("common", "0004_told")]
    operations = [migrations.RunSQL(TOLD, UNDO)]
