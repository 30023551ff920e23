"""Invitations to organisations; members can leave, but never the last owner."""

import uuid

import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

GUARDS = """
ALTER TABLE accounts_memberinvitation SET (vacuum_truncate = off, toast.vacuum_truncate = off);
GRANT SELECT, INSERT, UPDATE (ended_at, accepted_by_id) ON accounts_memberinvitation TO touchstone_runtime;
GRANT DELETE ON accounts_member TO touchstone_runtime;

CREATE FUNCTION accounts_memberinvitation_step() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'this invitation has ended' USING errcode = '23514', constraint = 'memberinvitation_is_ended';
    END IF;
    -- It opens no more than whoever made it may give, when it is made and when it is accepted.
    IF (TG_OP = 'INSERT' OR NEW.accepted_by_id IS NOT NULL)
       AND NOT EXISTS (SELECT 1 FROM accounts_member m WHERE m.requester_id = NEW.requester_id
                        AND m.user_id = NEW.made_by_id AND m.role = 'owner') THEN
        RAISE EXCEPTION 'owners ask people to join' USING errcode = '23514', constraint = 'memberinvitation_by_owner';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER step BEFORE INSERT OR UPDATE ON accounts_memberinvitation
    FOR EACH ROW EXECUTE FUNCTION accounts_memberinvitation_step();
ALTER TABLE accounts_memberinvitation ENABLE ALWAYS TRIGGER step;

CREATE FUNCTION accounts_member_owner() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    -- One at a time for each organisation: of two owners who go at once, the second sees that the first has gone.
    PERFORM 1 FROM accounts_requester WHERE id = OLD.requester_id FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT 1 FROM accounts_member WHERE requester_id = OLD.requester_id AND role = 'owner') THEN
        RAISE EXCEPTION 'organisation % would be without an owner', OLD.requester_id
            USING errcode = '23514', constraint = 'last_owner';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER last_owner AFTER UPDATE OR DELETE ON accounts_member
    FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION accounts_member_owner();
ALTER TABLE accounts_member ENABLE ALWAYS TRIGGER last_owner;
"""
UNDO = """
DROP TRIGGER last_owner ON accounts_member;
DROP FUNCTION accounts_member_owner();
DROP TRIGGER step ON accounts_memberinvitation;
DROP FUNCTION accounts_memberinvitation_step();
REVOKE DELETE ON accounts_member FROM touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_told"),
    ]

    operations = [
        migrations.CreateModel(
            name="MemberInvitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("email", models.EmailField(max_length=254)),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("manager", "Manager"),
                            ("reviewer", "Reviewer"),
                            ("viewer", "Viewer"),
                        ],
                        max_length=10,
                    ),
                ),
                ("code_hash", models.BinaryField(max_length=32, unique=True)),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "accepted_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="member_invitations",
                        to="accounts.requester",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("requester", "email"),
                        name="memberinvitation_one_open",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["owner", "manager", "reviewer", "viewer"])),
                        name="memberinvitation_role",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("email", django.db.models.functions.text.Lower("email"))),
                        name="memberinvitation_email_lower_case",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("made_at"))),
                        name="memberinvitation_expires_later",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("accepted_by", None), ("ended_at__isnull", False), _connector="OR"),
                        name="memberinvitation_accepted_is_ended",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARDS, UNDO),
    ]
