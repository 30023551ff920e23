"""The one table that limits anyone. It is never changed but by lifting, once."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GUARDS = """
ALTER TABLE accounts_sanction
    ALTER public_id SET DEFAULT gen_random_uuid(),
    ADD CONSTRAINT sanction_has_evidence CHECK (jsonb_typeof(evidence) = 'object' AND evidence <> '{}');

-- Its times are the database's own: it begins when it is there, behind all that other triggers waited for (they run in
-- order of their names), and ends when it is lifted.
CREATE FUNCTION accounts_sanction_step() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    lifts text[] := ARRAY['lifted_at', 'lifted_by_id', 'lift_reason'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.lifted_at IS NOT NULL THEN
            RAISE EXCEPTION 'a sanction begins in force' USING errcode = '23514', constraint = 'sanction_step';
        END IF;
        NEW.made_at := market_now();
        RETURN NEW;
    END IF;
    IF OLD.lifted_at IS NOT NULL OR NEW.lifted_at IS NULL OR to_jsonb(NEW) - lifts IS DISTINCT FROM to_jsonb(OLD) - lifts THEN
        RAISE EXCEPTION 'a sanction is lifted once and otherwise fixed'
            USING errcode = '23514', constraint = 'sanction_step';
    END IF;
    NEW.lifted_at := market_now();
    RETURN NEW;
END $$;
CREATE TRIGGER sanction_step BEFORE INSERT OR UPDATE ON accounts_sanction
    FOR EACH ROW EXECUTE FUNCTION accounts_sanction_step();
CREATE TRIGGER closed BEFORE DELETE ON accounts_sanction FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON accounts_sanction
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE accounts_sanction ENABLE ALWAYS TRIGGER sanction_step;
ALTER TABLE accounts_sanction ENABLE ALWAYS TRIGGER closed;
ALTER TABLE accounts_sanction ENABLE ALWAYS TRIGGER closed_truncate;

GRANT SELECT, INSERT, UPDATE (lifted_at, lifted_by_id, lift_reason) ON accounts_sanction TO touchstone_runtime;
"""

UNDO = """
REVOKE ALL ON accounts_sanction FROM touchstone_runtime;
DROP TRIGGER closed_truncate ON accounts_sanction;
DROP TRIGGER closed ON accounts_sanction;
DROP TRIGGER sanction_step ON accounts_sanction;
DROP FUNCTION accounts_sanction_step();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_second_factor"),
    ]

    operations = [
        migrations.CreateModel(
            name="Sanction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("batch", "Batch"),
                            ("project", "Project"),
                            ("requester", "Requester"),
                            ("platform", "Platform"),
                        ],
                        max_length=9,
                    ),
                ),
                ("scope_id", models.BigIntegerField(null=True)),
                (
                    "measure",
                    models.CharField(
                        choices=[
                            ("slow_down", "Slow Down"),
                            ("extra_gold", "Extra Gold"),
                            ("limit", "Limit"),
                            ("review", "Review"),
                            ("ban", "Ban"),
                        ],
                        max_length=10,
                    ),
                ),
                ("pace_s", models.PositiveIntegerField(null=True)),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("low_accuracy", "Low Accuracy"),
                            ("disagreement", "Disagreement"),
                            ("haste", "Haste"),
                            ("skips", "Skips"),
                            ("repetition", "Repetition"),
                            ("spam", "Spam"),
                            ("copying", "Copying"),
                            ("rejections", "Rejections"),
                            ("terms", "Terms"),
                            ("other", "Other"),
                        ],
                        max_length=12,
                    ),
                ),
                ("words", models.TextField()),
                ("evidence", models.JSONField()),
                ("firing_id", models.BigIntegerField(null=True)),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                ("appeal_until", models.DateTimeField()),
                ("lifted_at", models.DateTimeField(null=True)),
                ("lift_reason", models.TextField(blank=True, db_default="", default="")),
                (
                    "lifted_by",
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
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sanctions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("lifted_at", None)), fields=["user", "expires_at"], name="sanction_in_force"
                    ),
                    models.Index(fields=["user", "id"], name="sanction_of_user"),
                    models.Index(fields=["scope", "scope_id"], name="sanction_of_scope"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("firing_id", "measure"), name="sanction_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("scope", "platform"), ("scope_id", None)),
                            models.Q(("scope__in", ["batch", "project", "requester"]), ("scope_id__isnull", False)),
                            _connector="OR",
                        ),
                        name="sanction_scope",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("measure", "slow_down"),
                                ("pace_s__gte", 1),
                                ("pace_s__isnull", False),
                                ("pace_s__lte", 86400),
                            ),
                            models.Q(("measure__in", ["extra_gold", "limit", "review", "ban"]), ("pace_s", None)),
                            _connector="OR",
                        ),
                        name="sanction_pace",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "reason__in",
                                [
                                    "low_accuracy",
                                    "disagreement",
                                    "haste",
                                    "skips",
                                    "repetition",
                                    "spam",
                                    "copying",
                                    "rejections",
                                    "terms",
                                    "other",
                                ],
                            )
                        ),
                        name="sanction_reason",
                    ),
                    models.CheckConstraint(condition=models.Q(("words", ""), _negated=True), name="sanction_has_words"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("firing_id", None), ("made_by__isnull", False)),
                            models.Q(("firing_id__isnull", False), ("made_by", None)),
                            _connector="OR",
                        ),
                        name="sanction_has_author",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("measure", "ban"), _negated=True),
                            models.Q(("made_by__isnull", False), ("scope", "platform")),
                            _connector="OR",
                        ),
                        name="ban_by_a_person",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("appeal_until__gt", models.F("made_at")), ("expires_at__gt", models.F("made_at"))
                        ),
                        name="sanction_ends",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lift_reason", ""), ("lifted_at", None), ("lifted_by", None)),
                            models.Q(("lifted_at__isnull", False), models.Q(("lift_reason", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="lift_has_reason",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARDS, UNDO),
    ]
