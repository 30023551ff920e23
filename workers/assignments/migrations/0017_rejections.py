"""Rejections that say why and by which instructions, answers that come back for repair, and rejections under appeal."""

from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from marketplace.common.rewriting import changed

FLOW = import_module("workers.assignments.migrations.0006_flow")
MONEY = import_module("workers.assignments.migrations.0012_money")

OLD_REJECTIONS = """
-- What was rejected before has its row too. Nobody wrote down who did it then, and a comment was not asked for.
INSERT INTO assignments_rejection (assignment_id, batch_id, reason, comment, version_id, made_at)
SELECT a.id, a.batch_id, coalesce(nullif(a.end_reason, ''), 'wrong'),
       CASE WHEN a.comment ~ '[^[:space:]]' THEN a.comment ELSE 'No comment was asked for then.' END,
       a.version_id, coalesce(a.decided_at, a.submitted_at)
  FROM assignments_assignment a
 WHERE a.state IN ('rejected', 'upheld') ORDER BY a.id;
SET CONSTRAINTS ALL IMMEDIATE;
"""

REJECTIONS = """
-- R42: a rejection names its reason in words, who made it, and the instructions that the worker was shown.
CREATE FUNCTION assignments_rejection_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    of record;
BEGIN
    SELECT a.state, a.batch_id, a.version_id INTO of FROM assignments_assignment a WHERE a.id = NEW.assignment_id;
    IF of.state IS DISTINCT FROM 'submitted' OR of.batch_id IS DISTINCT FROM NEW.batch_id THEN
        RAISE EXCEPTION 'only a submitted answer is rejected' USING errcode = '23514', constraint = 'rejection_of_submitted';
    END IF;
    IF NEW.version_id <> of.version_id THEN
        RAISE EXCEPTION 'the worker was shown other instructions'
            USING errcode = '23514', constraint = 'rejection_version_shown';
    END IF;
    IF NEW.made_by_id IS NULL THEN
        RAISE EXCEPTION 'a rejection is made by somebody' USING errcode = '23514', constraint = 'rejection_made_by';
    END IF;
    NEW.made_at := market_now();
    RETURN NEW;
END $$;
CREATE TRIGGER rejection_step BEFORE INSERT ON assignments_rejection
    FOR EACH ROW EXECUTE FUNCTION assignments_rejection_step();

CREATE FUNCTION assignments_rejected_with_reason() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM assignments_rejection r WHERE r.assignment_id = NEW.id AND r.reason = NEW.end_reason
                      AND r.comment = NEW.comment) THEN
        RAISE EXCEPTION 'a rejection says why, in words' USING errcode = '23514', constraint = 'rejected_with_reason';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER rejected_with_reason AFTER UPDATE ON assignments_assignment FOR EACH ROW
    WHEN (NEW.state = 'rejected' AND OLD.state <> 'rejected') EXECUTE FUNCTION assignments_rejected_with_reason();

-- The row alone rejects nothing, so it does not stay alone.
CREATE FUNCTION assignments_rejection_done() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM assignments_assignment a WHERE a.id = NEW.assignment_id
                      AND a.state IN ('rejected', 'upheld')) THEN
        RAISE EXCEPTION 'the answer was not rejected' USING errcode = '23514', constraint = 'rejection_done';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER rejection_done AFTER INSERT ON assignments_rejection
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION assignments_rejection_done();
"""

REPAIRS = """
-- An answer comes back for repair once, with a reason, while it is undecided.
CREATE FUNCTION assignments_repair_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM assignments_assignment a WHERE a.id = NEW.assignment_id AND a.state = 'submitted'
                      AND a.batch_id = NEW.batch_id AND a.submitted_at = NEW.submitted_at) THEN
        RAISE EXCEPTION 'only a submitted answer comes back' USING errcode = '23514', constraint = 'repair_of_submitted';
    END IF;
    NEW.made_at := market_now();
    RETURN NEW;
END $$;
CREATE TRIGGER repair_step BEFORE INSERT ON assignments_repair
    FOR EACH ROW EXECUTE FUNCTION assignments_repair_step();

CREATE FUNCTION assignments_repair_with_reason() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    -- The row names the very submission that it returns: a second return would need a second row.
    IF NOT EXISTS (SELECT 1 FROM assignments_repair r WHERE r.assignment_id = NEW.id AND r.submitted_at = OLD.submitted_at) THEN
        RAISE EXCEPTION 'an answer comes back for repair once, with a reason'
            USING errcode = '23514', constraint = 'repair_once';
    END IF;
    IF NEW.attempts <> OLD.attempts + 1 THEN
        RAISE EXCEPTION 'a repair counts as an attempt' USING errcode = '23514', constraint = 'lease_attempts';
    END IF;
    -- What a person uses of a day goes with the day on which his lease begins.
    IF (NEW.leased_at AT TIME ZONE 'UTC')::date <> (OLD.leased_at AT TIME ZONE 'UTC')::date THEN
        PERFORM assignments_count_use(OLD, -1);
        PERFORM assignments_count_use(NEW, 1);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER repair_with_reason AFTER UPDATE ON assignments_assignment FOR EACH ROW
    WHEN (OLD.state = 'submitted' AND NEW.state = 'leased') EXECUTE FUNCTION assignments_repair_with_reason();

CREATE FUNCTION assignments_repair_done() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM assignments_assignment a WHERE a.id = NEW.assignment_id AND a.state = 'submitted'
                  AND a.submitted_at = NEW.submitted_at) THEN
        RAISE EXCEPTION 'the answer did not go back' USING errcode = '23514', constraint = 'repair_done';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER repair_done AFTER INSERT ON assignments_repair
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION assignments_repair_done();
"""

CONTESTS = """
-- R18: while a rejection is contested its money stays aside. It begins in time and ends once.
CREATE FUNCTION assignments_contest_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.ended_at IS NOT NULL OR NOT EXISTS (
                SELECT 1 FROM assignments_rejection r
                  JOIN assignments_assignment a ON a.id = r.assignment_id AND a.state = 'rejected'
                  JOIN batches_batch b ON b.id = r.batch_id
                 WHERE r.assignment_id = NEW.assignment_id AND r.batch_id = NEW.batch_id
                   AND r.made_at > market_now() - make_interval(secs => b.appeal_s)) THEN
            RAISE EXCEPTION 'this rejection cannot be contested any more' USING errcode = '23514', constraint = 'contest_in_time';
        END IF;
        NEW.made_at := market_now();
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
       OR to_jsonb(NEW) - 'ended_at' <> to_jsonb(OLD) - 'ended_at' THEN
        RAISE EXCEPTION 'a contest ends once' USING errcode = '23514', constraint = 'contest_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER contest_step BEFORE INSERT OR UPDATE OR DELETE ON assignments_contest
    FOR EACH ROW EXECUTE FUNCTION assignments_contest_step();

CREATE FUNCTION assignments_reserve_contested() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM assignments_contest c WHERE c.batch_id = NEW.batch_id AND c.ended_at IS NULL) THEN
        RAISE EXCEPTION 'a rejection is being contested' USING errcode = '23514', constraint = 'reserve_disputes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reserve_contested BEFORE UPDATE ON assignments_reserve FOR EACH ROW
    WHEN (NEW.disputes_released_at IS NOT NULL AND OLD.disputes_released_at IS NULL)
    EXECUTE FUNCTION assignments_reserve_contested();

-- Nobody in person undoes a rejection only where it was contested: others' work or the clock decided then.
CREATE FUNCTION assignments_uphold_by() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM assignments_contest c WHERE c.assignment_id = NEW.assignment_id) THEN
        RAISE EXCEPTION 'a rejection is undone by somebody' USING errcode = '23514', constraint = 'uphold_by';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER uphold_by BEFORE INSERT ON assignments_uphold FOR EACH ROW
    WHEN (NEW.made_by_id IS NULL) EXECUTE FUNCTION assignments_uphold_by();
"""

# What is contested lies aside as well, however long ago it was rejected.
RELEASE = changed(
    FLOW.before(MONEY.RESERVES, ["assignments_release_places"]),
    (
        "AND a.decided_at > (SELECT market_now()) - make_interval(secs => b.appeal_s)\n     WHERE",
        "AND (a.decided_at > (SELECT market_now()) - make_interval(secs => b.appeal_s)"
        " OR EXISTS (SELECT 1 FROM assignments_contest c WHERE c.assignment_id = a.id AND c.ended_at IS NULL))\n     WHERE",
    ),
)

GUARDS = [
    ("assignments_rejection", "rejection_step"),
    ("assignments_rejection", "rejection_done"),
    ("assignments_assignment", "rejected_with_reason"),
    ("assignments_repair", "repair_step"),
    ("assignments_repair", "repair_done"),
    ("assignments_assignment", "repair_with_reason"),
    ("assignments_contest", "contest_step"),
    ("assignments_reserve", "reserve_contested"),
    ("assignments_uphold", "uphold_by"),
    *((f"assignments_{table}", "closed_truncate") for table in ("rejection", "repair", "contest")),
    *((f"assignments_{table}", "closed") for table in ("rejection", "repair")),
]
FUNCTIONS = (
    "rejection_step", "rejected_with_reason", "rejection_done", "repair_step", "repair_with_reason", "repair_done",
    "contest_step", "reserve_contested", "uphold_by",
)  # fmt: skip

RIGHTS = f"""
{
    "".join(
        f"CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON assignments_{table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION append_only();"
        for table in ("rejection", "repair", "contest")
    )
}
{
    "".join(
        f"CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON assignments_{table}"
        " FOR EACH ROW EXECUTE FUNCTION append_only();"
        for table in ("rejection", "repair")
    )
}
{"".join(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger};" for table, trigger in GUARDS)}
REVOKE EXECUTE ON FUNCTION {", ".join(f"assignments_{name}()" for name in FUNCTIONS)} FROM PUBLIC;
GRANT SELECT, INSERT ON assignments_rejection, assignments_repair, assignments_contest TO touchstone_runtime;
GRANT UPDATE (ended_at) ON assignments_contest TO touchstone_runtime;
"""

VIEWS = f"""
CREATE VIEW inv_r42_guards AS
    SELECT wanted.relname, wanted.tgname
      FROM (VALUES {", ".join(f"('{table}', '{trigger}')" for table, trigger in GUARDS)}) AS wanted(relname, tgname)
     WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                        WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A');
COMMENT ON VIEW inv_r42_guards IS 'Every trigger that guards rejections, repairs and contests exists and is always enabled.';
CREATE VIEW inv_r42_reason AS
    SELECT a.id AS assignment_id, a.state FROM assignments_assignment a
      LEFT JOIN assignments_rejection r ON r.assignment_id = a.id
     WHERE (a.state IN ('rejected', 'upheld')) <> (r.assignment_id IS NOT NULL)
        OR r.version_id <> a.version_id OR (a.state = 'rejected' AND r.made_by_id IS NOT NULL AND r.comment <> a.comment);
COMMENT ON VIEW inv_r42_reason IS 'Exactly what was rejected has its reason in words, and the instructions that its worker was shown.';
GRANT SELECT ON inv_r42_guards, inv_r42_reason TO touchstone_runtime;
"""

UNDO = f"""
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM assignments_contest WHERE ended_at IS NULL) THEN
        RAISE EXCEPTION 'rejections are being contested: an earlier version would give their money back';
    END IF;
    IF EXISTS (SELECT 1 FROM assignments_uphold WHERE made_by_id IS NULL) THEN
        RAISE EXCEPTION 'rejections were undone by nobody in person: an earlier version cannot say so';
    END IF;
END $$;
DROP VIEW inv_r42_guards, inv_r42_reason;
{FLOW.before(MONEY.RESERVES, ["assignments_release_places"])}
{"".join(f"DROP TRIGGER {trigger} ON {table};" for table, trigger in GUARDS)}
{"".join(f"DROP FUNCTION assignments_{name}();" for name in FUNCTIONS)}
"""


def to(model: str, **more: object) -> models.ForeignKey:
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=model, **more)


def own(model: str, name: str) -> models.OneToOneField:
    return models.OneToOneField(
        on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name=name, serialize=False, to=model
    )


WORDS = models.Q(comment__regex=r"\S")
REASONS = ["wrong", "incomplete", "spam", "off_instructions"]
LABELS = [("wrong", "Wrong"), ("incomplete", "Incomplete"), ("spam", "Spam"), ("off_instructions", "Off Instructions")]


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0016_wanted"),
        ("projects", "0001_projects"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Rejection",
            fields=[
                ("assignment", own("assignments.assignment", "rejection")),
                ("reason", models.CharField(choices=LABELS, max_length=20)),
                ("comment", models.TextField()),
                ("made_at", models.DateTimeField()),
                ("review_id", models.BigIntegerField(null=True)),
                ("agreed", models.BooleanField(null=True)),
                ("batch", to("batches.batch", db_index=False)),
                ("version", to("projects.version", db_index=False)),
                ("made_by", to(settings.AUTH_USER_MODEL, null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=WORDS, name="rejection_has_comment"),
                    models.CheckConstraint(condition=models.Q(reason__in=REASONS), name="rejection_reason"),
                ],
                "indexes": [
                    models.Index(
                        fields=["batch"],
                        condition=models.Q(review_id=None, made_by__isnull=False),
                        name="rejection_unreviewed",
                    ),
                    models.Index(fields=["batch", "made_at"], name="rejection_of_batch"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Repair",
            fields=[
                ("assignment", own("assignments.assignment", "repair")),
                ("submitted_at", models.DateTimeField()),
                ("reason", models.CharField(choices=LABELS, max_length=20)),
                ("comment", models.TextField()),
                ("made_at", models.DateTimeField()),
                ("batch", to("batches.batch", db_index=False)),
                ("made_by", to(settings.AUTH_USER_MODEL)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=WORDS, name="repair_has_comment"),
                    models.CheckConstraint(condition=models.Q(reason__in=REASONS), name="repair_reason"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Contest",
            fields=[
                (
                    "rejection",
                    models.OneToOneField(
                        db_column="assignment_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="contest",
                        serialize=False,
                        to="assignments.rejection",
                    ),
                ),
                ("made_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("batch", to("batches.batch", db_index=False)),
            ],
            options={
                "indexes": [models.Index(fields=["batch"], condition=models.Q(ended_at=None), name="contest_open")],
            },
        ),
        migrations.AlterField("uphold", "made_by", to(settings.AUTH_USER_MODEL, null=True)),
        migrations.RunSQL(OLD_REJECTIONS, migrations.RunSQL.noop),
        migrations.RunSQL([REJECTIONS, REPAIRS, CONTESTS, RELEASE, RIGHTS, VIEWS], UNDO),
    ]
