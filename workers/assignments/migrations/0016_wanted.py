"""What quality rules want done about answers: more places, votes that do not count, acceptance that waits, reviews."""

import datetime
from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from marketplace.common.rewriting import changed

MONEY = import_module("workers.assignments.migrations.0012_money")
PROMISES = import_module("workers.assignments.migrations.0007_promises")

RESERVE_BEFORE = MONEY.FLOW.before(
    MONEY.RESERVES[MONEY.RESERVES.index("CREATE FUNCTION assignments_reserve_step") :], ["assignments_reserve_step"]
)
# What lies aside for disputes follows from the places, and those may become more.
RESERVE = changed(
    RESERVE_BEFORE,
    ("NEW.dispute_places <> OLD.dispute_places\n", "NEW.dispute_places < OLD.dispute_places\n"),
    (
        "    IF NEW.topup_released_at IS NOT NULL AND",
        """    IF NEW.dispute_places > OLD.dispute_places AND NEW.dispute_places <> (
            SELECT (l.places * b.dispute_basis_points + 9999) / 10000 FROM batches_tail l
              JOIN batches_batch b ON b.id = l.batch_id WHERE l.batch_id = NEW.batch_id) THEN
        RAISE EXCEPTION 'what lies aside for disputes follows from the terms and the places'
            USING errcode = '23514', constraint = 'reserve_disputes_by_terms';
    END IF;
    IF NEW.topup_released_at IS NOT NULL AND""",
    ),
)

MORE = """
CREATE FUNCTION assignments_reserve_more() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE assignments_reserve r SET dispute_places = r.dispute_places + NEW.disputes WHERE r.batch_id = NEW.batch_id;
    RETURN NULL;
END $$;
CREATE TRIGGER reserve_more AFTER UPDATE ON batches_moreplaces FOR EACH ROW
    WHEN (OLD.open AND NOT NEW.open AND NEW.disputes > 0) EXECUTE FUNCTION assignments_reserve_more();
ALTER TABLE batches_moreplaces ENABLE ALWAYS TRIGGER reserve_more;

-- Give tasks of an open batch more places, and put those that were full to the end of its queue. The caller holds the
-- batch (shared) and the tasks, and moves the money under keys with `number`; without it the transaction cannot end.
CREATE FUNCTION assignments_more_places(p_batch bigint, p_tasks bigint[], p_by integer)
RETURNS TABLE (number integer, raised bigint[], places bigint, disputes bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    task bigint;
BEGIN
    FOR number, raised, places, disputes IN SELECT m.* FROM batches_more_places(p_batch, p_tasks, p_by) m LOOP
        FOREACH task IN ARRAY raised LOOP
            IF NOT EXISTS (SELECT 1 FROM batches_openplace o WHERE o.task_id = task) THEN
                PERFORM assignments_requeue(p_batch, task);
            END IF;
        END LOOP;
        RETURN NEXT;
    END LOOP;
END $$;
"""

HOLDS = """
ALTER TABLE assignments_hold ALTER end_reason SET DEFAULT '';

-- R18: whether an answer with this deadline is kept from being accepted by itself. Nothing keeps one for longer than
-- seven days, however many holds follow each other.
CREATE FUNCTION assignments_is_held(p_worker bigint, p_batch bigint, p_deadline timestamptz, p_now timestamptz)
RETURNS boolean LANGUAGE sql STABLE
RETURN p_deadline + interval '7 days' > p_now
   AND EXISTS (SELECT 1 FROM assignments_hold h WHERE h.worker_id = p_worker AND h.batch_id = p_batch
                  AND h.ended_at IS NULL AND h.until > p_now);

CREATE FUNCTION assignments_hold_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
       OR to_jsonb(NEW) - 'ended_at' - 'end_reason' <> to_jsonb(OLD) - 'ended_at' - 'end_reason' THEN
        RAISE EXCEPTION 'a hold ends once and is otherwise fixed' USING errcode = '23514', constraint = 'hold_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_step BEFORE UPDATE OR DELETE ON assignments_hold
    FOR EACH ROW EXECUTE FUNCTION assignments_hold_step();
-- It is dated now, so that the longest life counts from when it was made.
CREATE FUNCTION assignments_hold_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.ended_at IS NOT NULL OR NEW.made_at > market_now() THEN
        RAISE EXCEPTION 'a hold begins now' USING errcode = '23514', constraint = 'hold_begins';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_begins BEFORE INSERT ON assignments_hold FOR EACH ROW EXECUTE FUNCTION assignments_hold_begins();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON assignments_hold FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE assignments_hold ENABLE ALWAYS TRIGGER hold_step;
ALTER TABLE assignments_hold ENABLE ALWAYS TRIGGER hold_begins;
ALTER TABLE assignments_hold ENABLE ALWAYS TRIGGER closed_truncate;
"""

APPENDED = "".join(
    f"""
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER closed;
ALTER TABLE {table} ENABLE ALWAYS TRIGGER closed_truncate;
"""
    for table in ("assignments_discount", "assignments_reviewwish")
)

RIGHTS = """
REVOKE EXECUTE ON FUNCTION assignments_reserve_more(), assignments_more_places(bigint, bigint[], integer),
    assignments_hold_step(), assignments_hold_begins() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assignments_more_places(bigint, bigint[], integer),
    assignments_is_held(bigint, bigint, timestamptz, timestamptz) TO touchstone_runtime;
GRANT SELECT, INSERT ON assignments_hold, assignments_discount, assignments_reviewwish TO touchstone_runtime;
GRANT UPDATE (ended_at, end_reason) ON assignments_hold TO touchstone_runtime;
"""

ADDED = {
    "inv_r18_holds": (
        "Every hold is short, and what keeps holds, discounts and wishes as they were made is always on.",
        """
        SELECT h.id AS hold_id, h.made_at, h.until, NULL AS guard FROM assignments_hold h
         WHERE h.until > h.made_at + interval '37 days'
        UNION ALL
        SELECT NULL, NULL, NULL, wanted.relname || '.' || wanted.tgname
          FROM (VALUES ('assignments_hold', 'hold_step'), ('assignments_hold', 'hold_begins'),
                       ('assignments_discount', 'closed'), ('assignments_reviewwish', 'closed'),
                       ('batches_moreplaces', 'reserve_more')) AS wanted(relname, tgname)
         WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                            WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A')
        """,
    ),
}

UNDO = f"""
DROP FUNCTION assignments_more_places(bigint, bigint[], integer);
DROP TRIGGER reserve_more ON batches_moreplaces;
DROP FUNCTION assignments_reserve_more();
{RESERVE_BEFORE}
DROP FUNCTION assignments_is_held(bigint, bigint, timestamptz, timestamptz);
DROP TRIGGER hold_begins ON assignments_hold;
DROP TRIGGER hold_step ON assignments_hold;
DROP FUNCTION assignments_hold_begins();
DROP FUNCTION assignments_hold_step();
"""


def to(model: str, **more: object) -> models.ForeignKey:
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=model, **more)


def made(name: str) -> tuple[list[tuple[str, models.Field]], list[models.CheckConstraint]]:
    """By a rule's firing or by a person, with a reason."""
    fields = [
        ("reason", models.TextField()),
        ("firing_id", models.BigIntegerField(null=True)),
        ("made_at", models.DateTimeField()),
        ("made_by", to(settings.AUTH_USER_MODEL, null=True)),
    ]
    one = models.Q(firing_id=None, made_by__isnull=False) | models.Q(firing_id__isnull=False, made_by=None)
    return fields, [
        models.CheckConstraint(condition=one, name=f"{name}_made_by"),
        models.CheckConstraint(condition=~models.Q(reason=""), name=f"{name}_has_reason"),
    ]


def own_id() -> tuple[str, models.Field]:
    return "id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


DISCOUNT, HOLD, WISH = made("discount"), made("hold"), made("reviewwish")


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0015_gold_supply"),
        ("batches", "0012_more_places"),
        ("profiles", "0003_persons"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Discount",
            fields=[
                (
                    "assignment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="discount",
                        serialize=False,
                        to="assignments.assignment",
                    ),
                ),
                *DISCOUNT[0],
            ],
            options={"constraints": DISCOUNT[1]},
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                own_id(),
                ("until", models.DateTimeField()),
                *HOLD[0],
                ("ended_at", models.DateTimeField(null=True)),
                ("end_reason", models.TextField(blank=True)),
                ("batch", to("batches.batch", db_index=False)),
                ("worker", to("profiles.worker", db_index=False)),
            ],
            options={
                "constraints": [
                    *HOLD[1],
                    models.CheckConstraint(
                        condition=models.Q(until__gt=models.F("made_at"))
                        & models.Q(until__lte=models.F("made_at") + datetime.timedelta(days=37)),
                        name="hold_is_short",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(ended_at=None, end_reason="")
                        | (models.Q(ended_at__isnull=False) & ~models.Q(end_reason="")),
                        name="hold_end_has_reason",
                    ),
                    models.UniqueConstraint(fields=["firing_id", "worker", "batch"], name="hold_once"),
                ],
                "indexes": [
                    models.Index(
                        fields=["worker", "batch", "until"], condition=models.Q(ended_at=None), name="hold_live"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReviewWish",
            fields=[
                own_id(),
                *WISH[0],
                (
                    "assignment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="review_wishes",
                        to="assignments.assignment",
                    ),
                ),
                ("batch", to("batches.batch", db_index=False)),
            ],
            options={
                "constraints": [
                    *WISH[1],
                    models.UniqueConstraint(
                        fields=["assignment", "firing_id", "made_by"], nulls_distinct=False, name="reviewwish_once"
                    ),
                ],
                "indexes": [models.Index(fields=["batch", "id"], name="reviewwish_of_batch")],
            },
        ),
        # Constraints of what was just made must be checked before its triggers change.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunSQL([RESERVE, MORE, HOLDS, APPENDED, RIGHTS], UNDO),
        migrations.RunSQL(PROMISES.made(ADDED), PROMISES.dropped(list(ADDED))),
    ]
