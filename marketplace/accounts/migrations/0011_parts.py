"""Who has a part in a matter: whoever was ever a member of an organisation, and all accounts of one person (R41, R42)."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GUARDS = """
ALTER TABLE accounts_formermember SET (vacuum_truncate = off, toast.vacuum_truncate = off);
GRANT SELECT ON accounts_formermember TO touchstone_runtime;
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON accounts_formermember FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON accounts_formermember
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE accounts_formermember ENABLE ALWAYS TRIGGER closed;
ALTER TABLE accounts_formermember ENABLE ALWAYS TRIGGER closed_truncate;

-- Whoever leaves is remembered: to decide as a stranger, leaving for a moment is not enough.
CREATE FUNCTION accounts_member_left() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO accounts_formermember (requester_id, user_id) VALUES (OLD.requester_id, OLD.user_id)
        ON CONFLICT (requester_id, user_id) DO NOTHING;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION accounts_member_left() FROM PUBLIC;
CREATE TRIGGER remembered AFTER DELETE ON accounts_member FOR EACH ROW EXECUTE FUNCTION accounts_member_left();
ALTER TABLE accounts_member ENABLE ALWAYS TRIGGER remembered;

-- Whether two accounts are one person's. Here that is known of an account and itself only; `workers.profiles`, which knows
-- of links between accounts, puts its own in this place.
CREATE FUNCTION accounts_same_person(p_one bigint, p_other bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS 'SELECT coalesce(p_one = p_other, false)';

-- Whether somebody, by any of his accounts, is or ever was a member of the organisation.
CREATE FUNCTION accounts_has_part(p_requester bigint, p_user bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT 1 FROM accounts_member m
                    WHERE m.requester_id = p_requester AND accounts_same_person(m.user_id, p_user))
        OR EXISTS (SELECT 1 FROM accounts_formermember m
                    WHERE m.requester_id = p_requester AND accounts_same_person(m.user_id, p_user));
END $$;
REVOKE EXECUTE ON FUNCTION accounts_same_person(bigint, bigint), accounts_has_part(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION accounts_same_person(bigint, bigint), accounts_has_part(bigint, bigint) TO touchstone_runtime;
"""
UNDO = """
DROP FUNCTION accounts_has_part(bigint, bigint);
DROP FUNCTION accounts_same_person(bigint, bigint);
DROP TRIGGER remembered ON accounts_member;
DROP FUNCTION accounts_member_left();
DROP TRIGGER closed ON accounts_formermember;
DROP TRIGGER closed_truncate ON accounts_formermember;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_configuration")]

    operations = [
        migrations.CreateModel(
            name="FormerMember",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "requester",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.requester",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "left_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("requester", "user"), name="formermember_once")],
            },
        ),
        migrations.RunSQL(GUARDS, UNDO),
    ]
