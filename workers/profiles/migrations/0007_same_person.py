"""Accounts are one person's, where nobody may decide about himself, if a link says so or ever said so."""

from django.db import migrations

SAME = """
-- A link that was ended counts here: whoever could end it first and decide then would decide about himself.
CREATE OR REPLACE FUNCTION accounts_same_person(p_one bigint, p_other bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(p_one = p_other, false)
        OR EXISTS (SELECT 1 FROM profiles_worker o JOIN profiles_worker w ON w.person_id = o.person_id
                    WHERE o.user_id = p_one AND w.user_id = p_other)
        OR EXISTS (SELECT 1 FROM profiles_worker o JOIN profiles_linkedaccount l ON l.worker_id = o.id
                     JOIN profiles_linkedaccount k ON k.link_id = l.link_id JOIN profiles_worker w ON w.id = k.worker_id
                    WHERE o.user_id = p_one AND w.user_id = p_other)
$$;
"""
UNDO = """
CREATE OR REPLACE FUNCTION accounts_same_person(p_one bigint, p_other bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS 'SELECT coalesce(p_one = p_other, false)';
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0006_consents"), ("accounts", "0011_parts")]

    operations = [migrations.RunSQL(SAME, UNDO)]
