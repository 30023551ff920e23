"""Rejections that wait for a review, and the wall that no program passes without one."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

REVIEWS = """
ALTER TABLE results_rejectionreview ALTER public_id SET DEFAULT gen_random_uuid(), ALTER decision SET DEFAULT '';
ALTER TABLE results_rejectionitem ALTER outcome SET DEFAULT '';

-- R42: a review is decided once, with a reason, by somebody who is not of the requester.
CREATE FUNCTION results_review_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'open' OR NEW.decided_at IS NOT NULL OR NEW.decided_by_id IS NOT NULL OR NEW.applied_at IS NOT NULL THEN
            RAISE EXCEPTION 'a review begins open' USING errcode = '23514', constraint = 'review_step';
        END IF;
        NEW.made_at := market_now();
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a review stays' USING errcode = '23514', constraint = 'review_step';
    END IF;
    IF to_jsonb(NEW) - ARRAY['state', 'decided_by_id', 'decided_at', 'decision', 'applied_at']
       <> to_jsonb(OLD) - ARRAY['state', 'decided_by_id', 'decided_at', 'decision', 'applied_at'] THEN
        RAISE EXCEPTION 'what a review is about does not change' USING errcode = '23514', constraint = 'review_step';
    END IF;
    IF OLD.state = 'approved' AND OLD.applied_at IS NULL AND NEW.applied_at IS NOT NULL
       AND to_jsonb(NEW) - 'applied_at' = to_jsonb(OLD) - 'applied_at' THEN
        RETURN NEW;
    END IF;
    IF OLD.state <> 'open' OR NEW.state NOT IN ('approved', 'refused', 'lapsed') OR NEW.applied_at IS NOT NULL
       OR NEW.decided_at IS NULL THEN
        RAISE EXCEPTION 'a review is decided once' USING errcode = '23514', constraint = 'review_step';
    END IF;
    IF NEW.state = 'lapsed' THEN
        IF NEW.decided_by_id IS NOT NULL OR EXISTS (
                SELECT 1 FROM results_rejectionitem i JOIN assignments_assignment a ON a.id = i.assignment_id
                 WHERE i.review_id = NEW.id AND a.state = 'submitted' AND a.submitted_at = i.submitted_at) THEN
            RAISE EXCEPTION 'there still is something to decide' USING errcode = '23514', constraint = 'review_lapsed';
        END IF;
    ELSIF NEW.decided_by_id IS NULL OR NEW.decision !~ '[^[:space:]]' THEN
        RAISE EXCEPTION 'a review is decided by somebody, with a reason' USING errcode = '23514', constraint = 'review_decision';
    ELSIF NEW.decided_by_id = NEW.made_by_id OR EXISTS (
            SELECT 1 FROM accounts_member m JOIN batches_batch b ON b.requester_id = m.requester_id
             WHERE b.id = NEW.batch_id AND m.user_id = NEW.decided_by_id) THEN
        RAISE EXCEPTION 'nobody reviews rejections of his own organisation'
            USING errcode = '23514', constraint = 'review_not_ones_own';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER review_step BEFORE INSERT OR UPDATE OR DELETE ON results_rejectionreview
    FOR EACH ROW EXECUTE FUNCTION results_review_step();

-- Items come with their open review, and each gets its outcome once.
CREATE FUNCTION results_items_come() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added i
                 LEFT JOIN results_rejectionreview v ON v.id = i.review_id AND v.state = 'open'
                 LEFT JOIN assignments_assignment a ON a.id = i.assignment_id AND a.batch_id = v.batch_id
                                                   AND a.state = 'submitted' AND a.submitted_at = i.submitted_at
                WHERE a.id IS NULL OR i.outcome <> '') THEN
        RAISE EXCEPTION 'a review is about submitted answers of its batch' USING errcode = '23514', constraint = 'review_items';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER items_come AFTER INSERT ON results_rejectionitem REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION results_items_come();
CREATE FUNCTION results_item_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.outcome <> '' OR NEW.outcome = ''
       OR to_jsonb(NEW) - 'outcome' <> to_jsonb(OLD) - 'outcome' THEN
        RAISE EXCEPTION 'an item has one outcome' USING errcode = '23514', constraint = 'review_item_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER item_step BEFORE UPDATE OR DELETE ON results_rejectionitem
    FOR EACH ROW EXECUTE FUNCTION results_item_step();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON results_rejectionreview
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON results_rejectionitem
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
"""

WALL = """
-- R42: of any batch five answers, and of a large one every tenth, may be rejected without a review; what is under review
-- only once it is approved. One look for each statement that rejects; nothing else pays for it. Those who reject of one
-- batch at once wait for each other here, or each would count without the other.
CREATE FUNCTION results_rejections_wall() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    p_batch bigint;
    unreviewed bigint;
    answered bigint;
BEGIN
    FOR p_batch IN SELECT DISTINCT r.batch_id FROM added r ORDER BY 1 LOOP
        PERFORM 1 FROM batches_batch b WHERE b.id = p_batch FOR NO KEY UPDATE;
        IF EXISTS (SELECT 1 FROM added r JOIN assignments_assignment a ON a.id = r.assignment_id
                     LEFT JOIN results_rejectionitem i ON i.assignment_id = a.id AND i.submitted_at = a.submitted_at
                     LEFT JOIN results_rejectionreview v ON v.id = i.review_id
                    WHERE r.batch_id = p_batch AND (r.review_id IS DISTINCT FROM v.id OR v.state <> 'approved')) THEN
            RAISE EXCEPTION 'this rejection waits for its review' USING errcode = '23514', constraint = 'rejection_review';
        END IF;
        SELECT count(*) INTO unreviewed FROM assignments_rejection r
         WHERE r.batch_id = p_batch AND r.review_id IS NULL AND r.made_by_id IS NOT NULL;
        IF unreviewed > 5 THEN
            SELECT coalesce(sum(d.submitted + d.accepted + d.rejected), 0) INTO answered
              FROM (SELECT p.submitted, p.accepted, p.rejected FROM batches_progress p WHERE p.batch_id = p_batch
                    UNION ALL
                    SELECT p.submitted, p.accepted, p.rejected FROM batches_progressdelta p WHERE p.batch_id = p_batch) d;
            IF unreviewed * 10 > answered THEN
                RAISE EXCEPTION 'so many rejections need a review' USING errcode = '23514', constraint = 'rejections_unreviewed';
            END IF;
        END IF;
    END LOOP;
    -- They become part of reputations when nobody can contest them any more.
    INSERT INTO results_reviewdue (assignment_id, due_at)
    SELECT r.assignment_id, r.made_at + make_interval(secs => b.appeal_s)
      FROM added r JOIN batches_batch b ON b.id = r.batch_id ORDER BY 1;
    RETURN NULL;
END $$;
CREATE TRIGGER rejections_wall AFTER INSERT ON assignments_rejection REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION results_rejections_wall();
"""

BACK = """
-- R42: what went back for repair and never came again is paid to nobody. So of any batch no more may be out, together with
-- what was rejected without a review, than may be rejected so; what its worker gave up himself does not count.
CREATE FUNCTION results_repairs_wall() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    p_batch bigint;
    lost bigint;
    gone bigint;
    answered bigint;
BEGIN
    FOR p_batch IN SELECT DISTINCT r.batch_id FROM added r ORDER BY 1 LOOP
        PERFORM 1 FROM batches_batch b WHERE b.id = p_batch FOR NO KEY UPDATE;
        SELECT count(*), count(*) FILTER (WHERE a.state IN ('leased', 'expired')) INTO lost, gone
          FROM assignments_repair r JOIN assignments_assignment a ON a.id = r.assignment_id
         WHERE r.batch_id = p_batch AND a.submitted_at = r.submitted_at AND a.state <> 'returned';
        lost := lost + (SELECT count(*) FROM assignments_rejection r
                         WHERE r.batch_id = p_batch AND r.review_id IS NULL AND r.made_by_id IS NOT NULL);
        IF lost > 5 THEN
            SELECT gone + coalesce(sum(d.submitted + d.accepted + d.rejected), 0) INTO answered
              FROM (SELECT p.submitted, p.accepted, p.rejected FROM batches_progress p WHERE p.batch_id = p_batch
                    UNION ALL
                    SELECT p.submitted, p.accepted, p.rejected FROM batches_progressdelta p WHERE p.batch_id = p_batch) d;
            IF lost * 10 > answered THEN
                RAISE EXCEPTION 'so many answers are out for repair' USING errcode = '23514', constraint = 'repairs_out';
            END IF;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER repairs_wall AFTER INSERT ON assignments_repair REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION results_repairs_wall();
"""

FINAL = """
-- R42: no rejection counts against its worker while he can contest it or does, whoever records it.
CREATE FUNCTION results_review_is_final() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM assignments_rejection r
                 JOIN batches_batch b ON b.id = r.batch_id
                 LEFT JOIN assignments_contest c ON c.assignment_id = r.assignment_id
                WHERE r.assignment_id = NEW.assignment_id
                  AND CASE WHEN c.assignment_id IS NULL
                           THEN r.made_at + make_interval(secs => b.appeal_s) > market_now()
                           ELSE c.ended_at IS NULL END) THEN
        RAISE EXCEPTION 'this rejection can still be contested' USING errcode = '23514', constraint = 'review_is_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER review_is_final BEFORE INSERT ON reputation_outcome FOR EACH ROW
    WHEN (NEW.kind = 'review' AND NEW.score < 0.5) EXECUTE FUNCTION results_review_is_final();
"""

GUARDS = [
    ("reputation_outcome", "review_is_final"),
    ("results_rejectionreview", "review_step"),
    ("results_rejectionitem", "items_come"),
    ("results_rejectionitem", "item_step"),
    ("assignments_rejection", "rejections_wall"),
    ("assignments_repair", "repairs_wall"),
    ("results_rejectionreview", "closed_truncate"),
    ("results_rejectionitem", "closed_truncate"),
]

RIGHTS = f"""
{"".join(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger};" for table, trigger in GUARDS)}
REVOKE EXECUTE ON FUNCTION results_review_step(), results_items_come(), results_item_step(), results_rejections_wall(),
    results_repairs_wall(), results_review_is_final() FROM PUBLIC;
GRANT SELECT, INSERT ON results_rejectionreview, results_rejectionitem TO touchstone_runtime;
GRANT UPDATE (state, decided_by_id, decided_at, decision, applied_at) ON results_rejectionreview TO touchstone_runtime;
GRANT UPDATE (outcome) ON results_rejectionitem TO touchstone_runtime;
GRANT SELECT, UPDATE (due_at), DELETE ON results_reviewdue TO touchstone_runtime;

CREATE VIEW inv_r42 AS
    SELECT b.id AS batch_id, r.unreviewed, greatest(5, t.answered / 10.0) AS allowed
      FROM batches_batch b
      CROSS JOIN LATERAL (SELECT count(*) AS unreviewed FROM assignments_rejection r
                            LEFT JOIN results_rejectionreview v ON v.id = r.review_id AND v.state = 'approved'
                                                               AND v.batch_id = r.batch_id
                           WHERE r.batch_id = b.id AND r.made_by_id IS NOT NULL AND v.id IS NULL) r
      CROSS JOIN LATERAL (SELECT count(*) AS answered FROM assignments_assignment a
                           WHERE a.batch_id = b.id AND a.submitted_at IS NOT NULL) t
     WHERE r.unreviewed > 5 AND r.unreviewed * 10 > t.answered;
COMMENT ON VIEW inv_r42 IS 'No batch has more rejections without an approved review than five, or a tenth of its answers.';
CREATE VIEW inv_r42_walls AS
    SELECT wanted.relname, wanted.tgname
      FROM (VALUES {", ".join(f"('{table}', '{trigger}')" for table, trigger in GUARDS)}) AS wanted(relname, tgname)
     WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                        WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A');
COMMENT ON VIEW inv_r42_walls IS 'Every trigger that guards reviews of rejections exists and is always enabled.';
GRANT SELECT ON inv_r42, inv_r42_walls TO touchstone_runtime;
"""
UNDO = f"""
DROP VIEW inv_r42, inv_r42_walls;
{"".join(f"DROP TRIGGER {trigger} ON {table};" for table, trigger in GUARDS)}
DROP FUNCTION results_review_step(); DROP FUNCTION results_items_come(); DROP FUNCTION results_item_step();
DROP FUNCTION results_rejections_wall(); DROP FUNCTION results_repairs_wall();
DROP FUNCTION results_review_is_final();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0017_rejections"),
        ("batches", "0009_money_terms"),
        ("reputation", "0003_skills"),
        ("results", "0004_consensus"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ReviewDue",
            fields=[
                (
                    "assignment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="assignments.assignment",
                    ),
                ),
                ("due_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="RejectionReview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("approved", "Approved"),
                            ("refused", "Refused"),
                            ("lapsed", "Lapsed"),
                        ],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("cause", models.CharField(choices=[("count", "Count"), ("consensus", "Consensus")], max_length=9)),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("wrong", "Wrong"),
                            ("incomplete", "Incomplete"),
                            ("spam", "Spam"),
                            ("off_instructions", "Off Instructions"),
                        ],
                        max_length=20,
                    ),
                ),
                ("comment", models.TextField()),
                ("evidence", models.JSONField()),
                ("answers", models.PositiveIntegerField()),
                ("made_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                ("decision", models.TextField(blank=True)),
                ("applied_at", models.DateTimeField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="batches.batch"
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RejectionItem",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "assignment_id", "submitted_at", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("submitted_at", models.DateTimeField()),
                ("agreed", models.BooleanField(null=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[("rejected", "Rejected"), ("passed", "Passed")], max_length=8, blank=True
                    ),
                ),
                (
                    "assignment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="assignments.assignment",
                    ),
                ),
                (
                    "review",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="results.rejectionreview",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="rejectionreview",
            index=models.Index(condition=models.Q(("state", "open")), fields=["id"], name="review_open"),
        ),
        migrations.AddIndex(
            model_name="rejectionreview",
            index=models.Index(
                condition=models.Q(("applied_at", None), ("state", "approved")), fields=["id"], name="review_to_apply"
            ),
        ),
        migrations.AddConstraint(
            model_name="rejectionreview",
            constraint=models.CheckConstraint(condition=models.Q(("comment__regex", "\\S")), name="review_has_comment"),
        ),
        migrations.AddConstraint(
            model_name="rejectionreview",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "approved", "refused", "lapsed"])), name="review_state"
            ),
        ),
        migrations.AddIndex(
            model_name="rejectionitem",
            index=models.Index(fields=["review", "assignment"], name="item_of_review"),
        ),
        migrations.AddIndex(
            model_name="rejectionitem",
            index=models.Index(condition=models.Q(("outcome", "")), fields=["review"], name="item_waiting"),
        ),
        migrations.RunSQL([REVIEWS, WALL, BACK, FINAL, RIGHTS], UNDO),
    ]
