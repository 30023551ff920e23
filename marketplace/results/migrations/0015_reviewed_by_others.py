"""Nobody reviews rejections that he has a part in, by any of his accounts, or of his own answers (R41, R42)."""

from importlib import import_module

from django.db import migrations

from marketplace.common.rewriting import changed

FLOW = import_module("workers.assignments.migrations.0006_flow")
REVIEWS = import_module("marketplace.results.migrations.0005_rejections").REVIEWS

ANSWERS = """
-- Whether somebody, by any of his accounts, gave one of the answers of the review. Of many answers by few workers each
-- worker is asked about once.
CREATE FUNCTION results_review_of_own(p_review bigint, p_user bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    WITH given AS MATERIALIZED (
        SELECT DISTINCT w.user_id FROM results_rejectionitem i
          JOIN assignments_assignment a ON a.id = i.assignment_id
          JOIN profiles_worker w ON w.id = a.worker_id
         WHERE i.review_id = p_review)
    SELECT EXISTS (SELECT 1 FROM given g WHERE accounts_same_person(g.user_id, p_user))
$$;
REVOKE EXECUTE ON FUNCTION results_review_of_own(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION results_review_of_own(bigint, bigint) TO touchstone_runtime;
"""
BEFORE = FLOW.before(REVIEWS, ["results_review_step"])
SINCE = changed(
    BEFORE,
    (
        """    ELSIF NEW.decided_by_id = NEW.made_by_id OR EXISTS (
            SELECT 1 FROM accounts_member m JOIN batches_batch b ON b.requester_id = m.requester_id
             WHERE b.id = NEW.batch_id AND m.user_id = NEW.decided_by_id) THEN
        RAISE EXCEPTION 'nobody reviews rejections of his own organisation'
            USING errcode = '23514', constraint = 'review_not_ones_own';
""",
        """    ELSIF accounts_same_person(NEW.made_by_id, NEW.decided_by_id)
          OR accounts_has_part((SELECT b.requester_id FROM batches_batch b WHERE b.id = NEW.batch_id), NEW.decided_by_id) THEN
        RAISE EXCEPTION 'nobody reviews rejections of his own organisation'
            USING errcode = '23514', constraint = 'review_not_ones_own';
    ELSIF results_review_of_own(NEW.id, NEW.decided_by_id) THEN
        RAISE EXCEPTION 'nobody reviews rejections of his own answers'
            USING errcode = '23514', constraint = 'review_not_ones_own';
""",
    ),
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_parts"),
        ("profiles", "0007_same_person"),
        ("results", "0014_dataset_links"),
    ]

    operations = [
        migrations.RunSQL([ANSWERS, SINCE], [BEFORE, "DROP FUNCTION results_review_of_own(bigint, bigint);"]),
    ]
