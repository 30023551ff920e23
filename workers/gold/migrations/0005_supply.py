"""Gold that is committed to before anybody meets it, that is added while a batch runs, and that can be taken out."""

from django.conf import settings
from django.db import migrations, models
from django.db.models.deletion import PROTECT

COMMIT = """
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON gold_commitment FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON gold_commitment FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE gold_commitment ENABLE ALWAYS TRIGGER closed;
ALTER TABLE gold_commitment ENABLE ALWAYS TRIGGER closed_truncate;

-- What a key is committed by: its salt and what is written here, which is opened later as it stands.
CREATE FUNCTION gold_text(p_external_id text, p_key jsonb) RETURNS text LANGUAGE sql IMMUTABLE
RETURN jsonb_build_array(p_external_id, p_key)::text;

-- The leaves of a commitment, in order: one of each of its keys, and others that nobody can tell from them.
CREATE FUNCTION gold_leaves(p_batch bigint, p_seq smallint, p_seed bytea, p_size integer) RETURNS bytea[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH own AS (
        SELECT sha256(g.salt || convert_to(gold_text(t.external_id, g.key), 'UTF8')) AS leaf
          FROM batches_goldkey g JOIN batches_task t ON t.id = g.task_id
         WHERE g.batch_id = p_batch AND g.sealed = p_seq
    ), filled AS (
        SELECT leaf FROM own
        UNION ALL
        SELECT sha256(p_seed || int4send(n)) FROM generate_series(1, p_size - (SELECT count(*)::integer FROM own)) n
    )
    SELECT array_agg(leaf ORDER BY leaf) FROM filled;
$$;

-- Commit to the keys of the batch that no commitment has: the root of a tree over their leaves. How many leaves it has
-- follows from the tasks of the batch at its beginning, and is the same each time later, so that it says nothing of the
-- keys, not even whether there are any.
CREATE FUNCTION gold_commit(p_batch bigint) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    number smallint := (SELECT coalesce(max(c.seq), 0) + 1 FROM gold_commitment c WHERE c.batch_id = p_batch);
    seed bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
    keys integer;
    size integer := 256;
    wanted bigint;
    level bytea[];
BEGIN
    UPDATE batches_goldkey SET sealed = number WHERE batch_id = p_batch AND sealed IS NULL;
    GET DIAGNOSTICS keys = ROW_COUNT;
    IF number > 1 AND keys = 0 THEN
        RETURN number - 1;
    END IF;
    wanted := greatest(keys, CASE WHEN number = 1 THEN least(65536, (SELECT l.tasks FROM batches_tail l
                                                                      WHERE l.batch_id = p_batch)) ELSE 0 END);
    WHILE size < wanted LOOP
        size := size * 2;
    END LOOP;
    level := gold_leaves(p_batch, number, seed, size);
    WHILE cardinality(level) > 1 LOOP
        level := array(SELECT sha256('\\x01'::bytea || string_agg(u.node, ''::bytea ORDER BY u.n))
                         FROM unnest(level) WITH ORDINALITY u(node, n) GROUP BY (u.n - 1) / 2 ORDER BY (u.n - 1) / 2);
    END LOOP;
    INSERT INTO gold_commitment (batch_id, seq, root, leaves, seed, made_at)
    VALUES (p_batch, number, level[1], size, seed, market_now());
    RETURN number;
END $$;

CREATE FUNCTION gold_commit_published() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM gold_commit(NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER keys_committed AFTER UPDATE ON batches_batch FOR EACH ROW
    WHEN (OLD.state = 'draft' AND NEW.state = 'published') EXECUTE FUNCTION gold_commit_published();
ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER keys_committed;

SELECT gold_commit(b.id) FROM batches_batch b WHERE b.published_at IS NOT NULL ORDER BY b.id;
"""

SUPPLY = """
-- How many places the batch has, and how many of them were gold so far or are drawn to be. The positions that are drawn
-- and not reached count, so that a budget is not drawn on twice.
CREATE FUNCTION gold_spent(p_batch bigint, OUT places bigint, OUT spent bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    SELECT (SELECT l.places FROM batches_tail l WHERE l.batch_id = p_batch),
           (SELECT coalesce(sum(g.shown), 0) FROM batches_goldkey g WHERE g.batch_id = p_batch)
           + (SELECT coalesce(sum(cardinality(s.gold_positions)), 0) FROM gold_schedule s WHERE s.batch_id = p_batch)
$$;

-- Make what is left of a task gold, by what the crowd says of it; with p_ask once the requester agrees. Of how many places:
-- none where the task has no open place, is in quarantine or gold already, where the batch has reserved tasks or takes no
-- work, nor where it is too much like a key that was shown. The caller holds the batch FOR UPDATE, so that no claim runs
-- that has the task in sight, and the task.
CREATE FUNCTION gold_offer(p_batch bigint, p_task bigint, p_key jsonb, p_hash bigint, p_posterior double precision,
                           p_ask boolean) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    of record;
BEGIN
    SELECT b.project_id, t.overlap - t.taken AS free INTO of
      FROM batches_batch b JOIN batches_task t ON t.batch_id = b.id
     WHERE b.id = p_batch AND t.id = p_task AND b.state IN ('published', 'paused')
       AND t.taken < t.overlap AND t.quarantined_at IS NULL AND t.refunded = 0
       AND NOT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = t.id)
       AND NOT EXISTS (SELECT 1 FROM batches_task r WHERE r.batch_id = p_batch AND r.reserved);
    IF NOT FOUND OR batches_alike(of.project_id, p_hash, p_task) IS NOT NULL THEN
        RETURN 0;
    END IF;
    -- Ranks above those of chance, and as far apart: every walk through the keys comes to what is added later.
    INSERT INTO batches_goldkey (task_id, batch_id, key, cap, origin, state, why, simhash, posterior, rank)
    SELECT p_task, p_batch, p_key, of.free, 'consensus', CASE WHEN p_ask THEN 'waiting' ELSE 'live' END,
           CASE WHEN p_ask THEN 'ask' ELSE '' END, p_hash, p_posterior,
           greatest(1000000000000000, coalesce(max(g.rank), 0)) + 1
           + floor(random() * 2e15 / greatest(count(*), 8))::bigint
      FROM batches_goldkey g WHERE g.batch_id = p_batch;
    RETURN of.free;
END $$;

-- Give a key of the batch another state, if it is in one of those; whether it was. What waited for the requester gets the
-- places that are open now, and must not have become too much like another meanwhile.
CREATE FUNCTION gold_set_state(p_batch bigint, p_task bigint, p_from text[], p_to text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    mine record;
BEGIN
    SELECT g.state, g.simhash, g.cap, g.origin, t.overlap - t.taken - t.refunded AS free, t.quarantined_at, b.project_id
      INTO mine
      FROM batches_goldkey g JOIN batches_task t ON t.id = g.task_id JOIN batches_batch b ON b.id = g.batch_id
     WHERE g.task_id = p_task AND g.batch_id = p_batch AND g.state = ANY (p_from) FOR NO KEY UPDATE OF g;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF mine.state = 'waiting' AND p_to = 'live' THEN
        IF mine.free <= 0 OR mine.quarantined_at IS NOT NULL
           OR batches_alike(mine.project_id, mine.simhash, p_task) IS NOT NULL THEN
            RETURN false;
        END IF;
        UPDATE batches_goldkey SET state = 'live', why = '', cap = CASE WHEN origin = 'consensus' THEN mine.free ELSE cap END
         WHERE task_id = p_task;
    ELSE
        UPDATE batches_goldkey SET state = p_to WHERE task_id = p_task;
    END IF;
    RETURN true;
END $$;
"""

RIGHTS = """
ALTER TABLE gold_commitment ALTER made_at SET DEFAULT market_now();
GRANT SELECT (batch_id, seq, root, leaves, made_at) ON gold_commitment TO touchstone_runtime;
GRANT SELECT ON gold_commitment TO gold_reader;
GRANT INSERT (given) ON gold_verdict TO touchstone_runtime;
-- SKIP LOCKED, and to hold a row that is there, need the right to update something.
GRANT SELECT, INSERT, DELETE, UPDATE (made_at) ON gold_toaudit TO gold_reader;
GRANT SELECT, INSERT ON gold_look TO touchstone_runtime;
GRANT USAGE ON SEQUENCE gold_look_id_seq TO touchstone_runtime;
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON gold_look FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON gold_look FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE gold_look ENABLE ALWAYS TRIGGER closed;
ALTER TABLE gold_look ENABLE ALWAYS TRIGGER closed_truncate;
REVOKE EXECUTE ON FUNCTION gold_leaves(bigint, smallint, bytea, integer), gold_commit(bigint), gold_commit_published(),
    gold_spent(bigint), gold_offer(bigint, bigint, jsonb, bigint, double precision, boolean),
    gold_set_state(bigint, bigint, text[], text) FROM PUBLIC;
-- What tells a key from others is for the gold reader; how much gold there is in all, a claim asks for too.
GRANT EXECUTE ON FUNCTION gold_leaves(bigint, smallint, bytea, integer), gold_commit(bigint),
    gold_offer(bigint, bigint, jsonb, bigint, double precision, boolean),
    gold_set_state(bigint, bigint, text[], text), gold_text(text, jsonb) TO gold_reader;
GRANT EXECUTE ON FUNCTION gold_spent(bigint) TO touchstone_runtime;
GRANT SELECT ON batches_task, batches_payload, batches_batch, batches_tail, profiles_worker TO gold_reader;
"""

UNDO = """
DROP TRIGGER keys_committed ON batches_batch;
DROP FUNCTION gold_set_state(bigint, bigint, text[], text);
DROP FUNCTION gold_offer(bigint, bigint, jsonb, bigint, double precision, boolean);
DROP FUNCTION gold_spent(bigint);
DROP FUNCTION gold_commit_published();
DROP FUNCTION gold_commit(bigint);
DROP FUNCTION gold_leaves(bigint, smallint, bytea, integer);
DROP FUNCTION gold_text(text, jsonb);
DROP TRIGGER closed ON gold_look; DROP TRIGGER closed_truncate ON gold_look;
DROP TRIGGER closed ON gold_commitment; DROP TRIGGER closed_truncate ON gold_commitment;
REVOKE SELECT ON batches_task, batches_payload, batches_batch, batches_tail, profiles_worker FROM gold_reader;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gold", "0004_timed"),
        ("batches", "0011_gold_keys"),
        ("profiles", "0005_histories"),
        ("reputation", "0003_skills"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Commitment",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "batch_id", "seq", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("seq", models.SmallIntegerField()),
                ("root", models.BinaryField()),
                ("leaves", models.PositiveIntegerField()),
                ("seed", models.BinaryField()),
                ("made_at", models.DateTimeField()),
                (
                    "batch",
                    models.ForeignKey(db_index=False, on_delete=PROTECT, related_name="+", to="batches.batch"),
                ),
            ],
        ),
        migrations.AddField("verdict", "given", models.JSONField(null=True)),
        migrations.CreateModel(
            name="ToAudit",
            fields=[
                ("task_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("made_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Look",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("what", models.CharField(max_length=20)),
                ("made_at", models.DateTimeField()),
                (
                    "batch",
                    models.ForeignKey(db_index=False, on_delete=PROTECT, related_name="+", to="batches.batch"),
                ),
                (
                    "user",
                    models.ForeignKey(db_index=False, on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={"indexes": [models.Index(fields=["batch", "id"], name="look_at_batch")]},
        ),
        migrations.AddIndex("schedule", models.Index(fields=["batch"], name="schedule_of_batch")),
        migrations.RunSQL([COMMIT, SUPPLY, RIGHTS], UNDO),
    ]
