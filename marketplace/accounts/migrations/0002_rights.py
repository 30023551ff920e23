"""What the runtime role may do with people, and who may become staff."""

from django.db import migrations

RIGHTS = """
GRANT SELECT, INSERT, UPDATE ON accounts_user TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (name) ON accounts_requester TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (role) ON accounts_member TO touchstone_runtime;
GRANT SELECT, INSERT, DELETE ON accounts_apikey TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (used_at) ON accounts_invitation TO touchstone_runtime;
"""

STAFF = """
-- Sign-in libraries save whole users, so a column's right cannot be withheld; a trigger can. No insert and no update of
-- the application makes staff, whatever it was given as input: only a call of grant_staff does.
CREATE FUNCTION accounts_guard_staff() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.is_staff AND current_user <> (SELECT tableowner FROM pg_tables WHERE schemaname = 'public'
                                                                       AND tablename = 'accounts_user') THEN
        IF TG_OP = 'INSERT' OR NOT OLD.is_staff THEN
            RAISE EXCEPTION 'staff are made by grant_staff() only' USING errcode = '42501', constraint = 'staff_guard';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER staff_guard BEFORE INSERT OR UPDATE ON accounts_user
    FOR EACH ROW WHEN (NEW.is_staff) EXECUTE FUNCTION accounts_guard_staff();
ALTER TABLE accounts_user ENABLE ALWAYS TRIGGER staff_guard;

CREATE FUNCTION grant_staff(user_id bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS
    'UPDATE accounts_user SET is_staff = true WHERE id = user_id AND NOT is_staff';
REVOKE ALL ON FUNCTION grant_staff(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_staff(bigint) TO touchstone_runtime;
"""

UNDO = """
DROP FUNCTION grant_staff(bigint);
DROP TRIGGER staff_guard ON accounts_user;
DROP FUNCTION accounts_guard_staff();
REVOKE ALL ON accounts_user, accounts_requester, accounts_member, accounts_apikey, accounts_invitation
    FROM touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_people")]
    operations = [
        migrations.RunSQL(
            RIGHTS + STAFF,
            UNDO,
        )
    ]
