"""A draft may be set up step by step: its terms, its overlap, its items and its keys change until it is published. And
pilots: what kind a batch is, and whose rest it is; columns of a file under other names."""

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

from marketplace.common.rewriting import changed

KEYS = import_module("marketplace.batches.migrations.0011_gold_keys")
PLACES = import_module("marketplace.batches.migrations.0012_more_places")
STEP_BEFORE = import_module("marketplace.batches.migrations.0010_quality").TERMS
MORE = ("aggregation", "kind", "pilot_id", "expected_s")
STEP = changed(
    STEP_BEFORE,
    *((f"{row}.quality)", f"{row}.quality, {', '.join(f'{row}.{name}' for name in MORE)})") for row in ("NEW", "OLD")),
)


def function(sql: str, name: str) -> str:
    """One function of an earlier migration, to be made anew."""
    begin = sql.index(f"CREATE FUNCTION {name}(")
    return sql[begin : sql.index("END $$;", begin) + len("END $$;")].replace(
        "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
    )


OF_DRAFT = "EXISTS (SELECT 1 FROM batches_batch b WHERE b.id = NEW.batch_id AND b.state = 'draft')"
KEY_STEP_BEFORE = function(KEYS.GUARDS, "batches_key_step")
KEY_STEP = changed(
    KEY_STEP_BEFORE,
    (
        "AND NOT (OLD.origin = 'consensus' AND OLD.state = 'waiting' AND NEW.state = 'live' AND OLD.shown = 0) THEN",
        "AND NOT (OLD.origin = 'consensus' AND OLD.state = 'waiting' AND NEW.state = 'live' AND OLD.shown = 0)\n"
        f"       AND NOT (NEW.earlier = OLD.earlier AND OLD.shown = 0 AND {OF_DRAFT}) THEN",
    ),
)
RISES_BEFORE = function(PLACES.GUARDS, "batches_overlap_rises")
# Of a draft nothing is held yet: what publishing holds is computed from what is there then.
RISES = changed(RISES_BEFORE, ("IF NEW.overlap = OLD.overlap THEN", f"IF NEW.overlap = OLD.overlap OR {OF_DRAFT} THEN"))

HELD = """
    PERFORM 1 FROM batches_batch WHERE id = p_batch AND state = 'draft' FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT 1 FROM batches_import WHERE batch_id = p_batch AND finished_at IS NULL) THEN
        RAISE EXCEPTION 'the batch is no draft, or an import into it is not finished'
            USING errcode = '23514', constraint = 'change_of_draft';
    END IF;
"""
TERMS = [
    "kind",
    "pilot_id",
    "expected_s",
    "name",
    "currency",
    "price_micros",
    "fee_micros",
    "time_limit_s",
    "auto_accept_s",
    "lease_cap",
    '"order"',
    "lease_max_s",
    "worker_limit",
    "daily_limit",
    "pair_limit",
    "max_attempts",
    "head_start_s",
    "dispute_basis_points",
    "target_hourly_micros",
    "topup_basis_points",
    "audience",
    "gold_policy",
    "aggregation",
    "quality",
]

FUNCTIONS = f"""
-- Other terms for a draft: those that are named, but for the overlap, which has a function of its own. The program has
-- no right to change a price in any other way.
CREATE FUNCTION batches_set_terms(p_batch bigint, p_terms jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changed integer;
BEGIN
    UPDATE batches_batch b SET ({", ".join(TERMS)})
         = (SELECT {", ".join(f"r.{name}" for name in TERMS)} FROM jsonb_populate_record(b, p_terms) r)
     WHERE b.id = p_batch AND b.state = 'draft';
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END $$;

-- Another overlap for a draft: of its tasks too, but for those that came with an overlap of their own; how many changed.
CREATE FUNCTION batches_set_overlap(p_batch bigint, p_overlap integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    before integer;
    risen integer;
BEGIN
    {HELD}
    SELECT overlap INTO before FROM batches_batch WHERE id = p_batch;
    UPDATE batches_task SET overlap = p_overlap WHERE batch_id = p_batch AND overlap = before;
    GET DIAGNOSTICS risen = ROW_COUNT;
    UPDATE batches_goldkey g SET cap = p_overlap FROM batches_task t
     WHERE g.batch_id = p_batch AND t.id = g.task_id AND t.overlap = p_overlap AND g.cap = before;
    UPDATE batches_tail SET places = places + risen::bigint * (p_overlap - before) WHERE batch_id = p_batch;
    UPDATE batches_batch SET overlap = p_overlap WHERE id = p_batch;
    RETURN risen;
END $$;

-- Take tasks out of a draft, with all that belongs to them; how many.
CREATE FUNCTION batches_take_out(p_batch bigint, p_tasks bigint[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    gone bigint[];
    gone_places bigint;
BEGIN
    {HELD}
    SELECT array_agg(id), sum(overlap) INTO gone, gone_places
      FROM batches_task WHERE batch_id = p_batch AND id = ANY(p_tasks);
    IF gone IS NULL THEN
        RETURN 0;
    END IF;
    DELETE FROM batches_reservation WHERE task_id = ANY(gone);
    DELETE FROM batches_goldkey WHERE task_id = ANY(gone);
    DELETE FROM batches_openplace WHERE task_id = ANY(gone);
    DELETE FROM batches_payload WHERE task_id = ANY(gone);
    DELETE FROM batches_task WHERE id = ANY(gone);
    UPDATE batches_tail SET tasks = tasks - cardinality(gone), places = places - gone_places WHERE batch_id = p_batch;
    RETURN cardinality(gone);
END $$;

-- Take keys of a draft back: their tasks are ordinary again, and queued like the others; how many.
CREATE FUNCTION batches_take_keys(p_batch bigint, p_tasks bigint[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    of_batch text;
    gone bigint[];
BEGIN
    {HELD}
    SELECT "order" INTO of_batch FROM batches_batch WHERE id = p_batch;
    WITH taken AS (DELETE FROM batches_goldkey WHERE batch_id = p_batch AND task_id = ANY(p_tasks) RETURNING task_id)
    SELECT coalesce(array_agg(task_id ORDER BY task_id), '{{}}') INTO gone FROM taken;
    INSERT INTO batches_openplace (task_id, batch_id, bucket, rank)
    SELECT t.id, t.batch_id,
           CASE of_batch WHEN 'spread' THEN floor(random() * 64)
                         WHEN 'priority' THEN t.priority WHEN 'uncertainty' THEN t.priority ELSE 0 END,
           CASE of_batch WHEN 'sequential' THEN t.id ELSE floor(random() * (1::bigint << 59)) END
      FROM batches_task t WHERE t.id = ANY(gone) AND NOT t.reserved ORDER BY t.id;
    RETURN cardinality(gone);
END $$;

-- How many keys its requester brought into a batch: a number that says of no task that it is gold.
CREATE FUNCTION batches_keys_in(p_batch bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM batches_goldkey WHERE batch_id = p_batch AND origin = 'requester'
$$;
REVOKE EXECUTE ON FUNCTION batches_set_terms(bigint, jsonb), batches_set_overlap(bigint, integer),
    batches_take_out(bigint, bigint[]), batches_take_keys(bigint, bigint[]), batches_keys_in(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION batches_set_terms(bigint, jsonb), batches_set_overlap(bigint, integer),
    batches_take_out(bigint, bigint[]), batches_take_keys(bigint, bigint[]), batches_keys_in(bigint) TO touchstone_runtime;
"""

GONE = """
DROP FUNCTION batches_keys_in(bigint);
DROP FUNCTION batches_take_keys(bigint, bigint[]);
DROP FUNCTION batches_take_out(bigint, bigint[]);
DROP FUNCTION batches_set_overlap(bigint, integer);
DROP FUNCTION batches_set_terms(bigint, jsonb);
"""


class Migration(migrations.Migration):
    dependencies = [("batches", "0015_told")]
    operations = [
        migrations.AddField(
            "batch",
            "kind",
            models.CharField(
                choices=[("regular", "Regular"), ("pilot", "Pilot")],
                db_default="regular",
                default="regular",
                max_length=7,
            ),
        ),
        migrations.AddField(
            "batch",
            "pilot",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="rests", to="batches.batch"
            ),
        ),
        migrations.AddField("batch", "expected_s", models.PositiveIntegerField(null=True)),
        migrations.AddConstraint(
            "batch",
            models.CheckConstraint(condition=models.Q(kind__in=["regular", "pilot"]), name="batch_kind"),
        ),
        migrations.AddConstraint(
            "batch",
            models.CheckConstraint(
                condition=models.Q(expected_s=None) | models.Q(expected_s__gte=1, expected_s__lte=604_800),
                name="batch_expected",
            ),
        ),
        migrations.AddField("import", "mapping", models.JSONField(null=True)),
        # What waits for the end of the transaction would stand in the way of what follows.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunSQL([STEP, KEY_STEP, RISES, FUNCTIONS], [GONE, RISES_BEFORE, KEY_STEP_BEFORE, STEP_BEFORE]),
    ]
