"""What the runtime role may do with workers; a pseudonym, once given, is for ever."""

from django.db import migrations

RIGHTS = """
GRANT SELECT, INSERT, UPDATE (country, languages) ON profiles_worker TO touchstone_runtime;
GRANT SELECT, INSERT ON profiles_pseudonym TO touchstone_runtime;

CREATE TRIGGER pseudonym_final BEFORE UPDATE OR DELETE ON profiles_pseudonym
    FOR EACH ROW EXECUTE FUNCTION append_only();
ALTER TABLE profiles_pseudonym ENABLE ALWAYS TRIGGER pseudonym_final;

CREATE VIEW inv_r43_pseudonym AS
    SELECT p.requester_id, p.worker_id, p.code FROM profiles_pseudonym p JOIN profiles_worker w ON w.id = p.worker_id
     WHERE p.code !~ '^w_[A-Za-z0-9_-]{22}$' OR p.code LIKE '%' || replace(w.public_id::text, '-', '') || '%';
COMMENT ON VIEW inv_r43_pseudonym IS 'Requesters know workers by random ids that say nothing about them.';
GRANT SELECT ON inv_r43_pseudonym TO touchstone_runtime;
"""

UNDO = """
DROP VIEW inv_r43_pseudonym;
DROP TRIGGER pseudonym_final ON profiles_pseudonym;
REVOKE ALL ON profiles_pseudonym, profiles_worker FROM touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0001_people")]
    operations = [migrations.RunSQL(RIGHTS, UNDO)]
