"""What staff may do: roles that one function gives and another takes, each with its row in the audit log."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

ROLES = """
-- Who was staff could do everything until now.
INSERT INTO accounts_staffrole (user_id, role, granted_at)
SELECT id, 'superuser', market_now() FROM accounts_user WHERE is_staff;
ALTER TABLE accounts_staffrole SET (vacuum_truncate = off, toast.vacuum_truncate = off);
GRANT SELECT ON accounts_staffrole TO touchstone_runtime;

CREATE FUNCTION accounts_has_role(p_user bigint, p_roles text[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM accounts_staffrole s JOIN accounts_user u ON u.id = s.user_id
                    WHERE s.user_id = p_user AND u.is_staff AND u.is_active
                      AND (s.role = ANY (p_roles) OR s.role = 'superuser'))
$$;
REVOKE ALL ON FUNCTION accounts_has_role(bigint, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION accounts_has_role(bigint, text[]) TO touchstone_runtime;

-- Who may give and take roles on the running site: superusers, and nobody his own.
CREATE FUNCTION accounts_require_granter(p_user bigint, p_by bigint) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF p_by IS NULL OR p_by = p_user OR NOT accounts_has_role(p_by, '{superuser}') THEN
        RAISE EXCEPTION 'a superuser gives and takes roles, and not his own'
            USING errcode = '42501', constraint = 'staff_granter';
    END IF;
END $$;
REVOKE ALL ON FUNCTION accounts_require_granter(bigint, bigint) FROM PUBLIC;

CREATE FUNCTION accounts_roles_of(p_user bigint) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT jsonb_build_object('roles', coalesce(jsonb_agg(s.role ORDER BY s.role), '[]'))
      FROM accounts_staffrole s WHERE s.user_id = p_user
$$;
REVOKE ALL ON FUNCTION accounts_roles_of(bigint) FROM PUBLIC;

-- Give and take without asking who may. Nobody may call them but their owner, who has the console of the server: there
-- nobody is named, and so the first superuser comes to be. The running site has the two behind them.
CREATE FUNCTION accounts_give_role(p_user bigint, p_role text, p_by bigint, p_request_id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before jsonb := accounts_roles_of(p_user);
BEGIN
    INSERT INTO accounts_staffrole (user_id, role, granted_by_id) VALUES (p_user, p_role, p_by) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE accounts_user SET is_staff = true WHERE id = p_user AND NOT is_staff;
    PERFORM accounts_record('permission.staff_granted', p_by, CASE WHEN p_by IS NULL THEN 'console' ELSE 'staff' END,
        'user', (SELECT public_id::text FROM accounts_user WHERE id = p_user), '', before, accounts_roles_of(p_user),
        p_request_id);
    RETURN true;
END $$;

CREATE FUNCTION accounts_take_role(p_user bigint, p_role text, p_by bigint, p_request_id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before jsonb := accounts_roles_of(p_user);
BEGIN
    DELETE FROM accounts_staffrole WHERE user_id = p_user AND role = p_role;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE accounts_user SET is_staff = false
     WHERE id = p_user AND is_staff AND NOT EXISTS (SELECT 1 FROM accounts_staffrole s WHERE s.user_id = p_user);
    PERFORM accounts_record('permission.staff_revoked', p_by, CASE WHEN p_by IS NULL THEN 'console' ELSE 'staff' END,
        'user', (SELECT public_id::text FROM accounts_user WHERE id = p_user), '', before, accounts_roles_of(p_user),
        p_request_id);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION accounts_give_role(bigint, text, bigint, text), accounts_take_role(bigint, text, bigint, text)
    FROM PUBLIC;

DROP FUNCTION grant_staff(bigint);
CREATE FUNCTION grant_staff(p_user bigint, p_role text, p_by bigint, p_request_id text DEFAULT '') RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM accounts_require_granter(p_user, p_by);
    RETURN accounts_give_role(p_user, p_role, p_by, p_request_id);
END $$;
CREATE FUNCTION revoke_staff(p_user bigint, p_role text, p_by bigint, p_request_id text DEFAULT '') RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM accounts_require_granter(p_user, p_by);
    RETURN accounts_take_role(p_user, p_role, p_by, p_request_id);
END $$;
REVOKE ALL ON FUNCTION grant_staff(bigint, text, bigint, text), revoke_staff(bigint, text, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_staff(bigint, text, bigint, text), revoke_staff(bigint, text, bigint, text)
    TO touchstone_runtime;

-- Roles come and go by those two only, whoever owns the table: a row that is written elsewhere has no row in the log.
CREATE FUNCTION accounts_staffrole_logged() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM accounts_act a JOIN accounts_user u ON u.public_id::text = a.subject_id
                    WHERE a.xid = pg_current_xact_id() AND a.subject = 'user'
                      AND u.id = coalesce(NEW.user_id, OLD.user_id)
                      AND a.act IN ('permission.staff_granted', 'permission.staff_revoked')) THEN
        RAISE EXCEPTION 'roles are given by grant_staff() and taken by revoke_staff()'
            USING errcode = '23514', constraint = 'staffrole_logged';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER logged AFTER INSERT OR UPDATE OR DELETE ON accounts_staffrole DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION accounts_staffrole_logged();
CREATE TRIGGER closed BEFORE UPDATE ON accounts_staffrole FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON accounts_staffrole
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE accounts_staffrole ENABLE ALWAYS TRIGGER logged;
ALTER TABLE accounts_staffrole ENABLE ALWAYS TRIGGER closed;
ALTER TABLE accounts_staffrole ENABLE ALWAYS TRIGGER closed_truncate;
"""

UNDO = """
DROP TRIGGER logged ON accounts_staffrole;
DROP TRIGGER closed ON accounts_staffrole;
DROP TRIGGER closed_truncate ON accounts_staffrole;
DROP FUNCTION accounts_staffrole_logged();
DROP FUNCTION revoke_staff(bigint, text, bigint, text);
DROP FUNCTION grant_staff(bigint, text, bigint, text);
DROP FUNCTION accounts_take_role(bigint, text, bigint, text);
DROP FUNCTION accounts_give_role(bigint, text, bigint, text);
DROP FUNCTION accounts_roles_of(bigint);
DROP FUNCTION accounts_require_granter(bigint, bigint);
DROP FUNCTION accounts_has_role(bigint, text[]);
CREATE FUNCTION grant_staff(user_id bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS
    'UPDATE accounts_user SET is_staff = true WHERE id = user_id AND NOT is_staff';
REVOKE ALL ON FUNCTION grant_staff(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_staff(bigint) TO touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_acts")]
    operations = [
        migrations.CreateModel(
            name="StaffGrant",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "user_id", "role", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="staff_grants",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("support", "Support"),
                            ("finance", "Finance"),
                            ("quality", "Quality"),
                            ("superuser", "Superuser"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "granted_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                (
                    "granted_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "accounts_staffrole",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["support", "finance", "quality", "superuser"])),
                        name="staff_role",
                    )
                ],
            },
        ),
        migrations.RunSQL([ROLES], UNDO),
    ]
