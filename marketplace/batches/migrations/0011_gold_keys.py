"""Gold keys with an origin and a state: guarded so that what was committed stays, and that only a live key is shown;
and a look for keys that are too much like one that workers may have met."""

from django.db import migrations, models

COLUMNS = """
ALTER TABLE batches_goldkey
    ADD COLUMN origin varchar(9) NOT NULL DEFAULT 'requester',
    ADD COLUMN state varchar(7) NOT NULL DEFAULT 'live',
    ADD COLUMN why varchar(5) NOT NULL DEFAULT '',
    ADD COLUMN salt bytea NOT NULL DEFAULT (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
    ADD COLUMN simhash bigint,
    ADD COLUMN alike_id bigint,
    ADD COLUMN posterior double precision,
    ADD COLUMN earlier smallint NOT NULL DEFAULT 0,
    ADD COLUMN frozen smallint,
    ADD COLUMN sealed smallint,
    ADD COLUMN confirmed_at timestamp with time zone,
    ADD COLUMN added_at timestamp with time zone NOT NULL DEFAULT market_now();
"""
COLUMNS_GONE = """
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM batches_goldkey WHERE origin <> 'requester' OR state <> 'live') THEN
        RAISE EXCEPTION 'some keys are not the requester''s or not live: an earlier version would show them';
    END IF;
END $$;
ALTER TABLE batches_goldkey DROP COLUMN origin, DROP COLUMN state, DROP COLUMN why, DROP COLUMN salt,
    DROP COLUMN simhash, DROP COLUMN alike_id, DROP COLUMN posterior, DROP COLUMN earlier, DROP COLUMN frozen,
    DROP COLUMN sealed, DROP COLUMN confirmed_at, DROP COLUMN added_at;
"""

HIDDEN = """
-- Whether the task is gold now, so that it is in no queue. One whose consensus waits for the requester, or was given up,
-- is an ordinary task.
CREATE FUNCTION batches_is_gold(p_task bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = p_task
                      AND (g.origin = 'requester' OR g.state IN ('live', 'flagged')))
$$;

CREATE OR REPLACE FUNCTION batches_gold_unqueued() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM batches_openplace o USING fresh f
     WHERE o.task_id = f.task_id AND (f.origin = 'requester' OR f.state IN ('live', 'flagged'));
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION batches_is_gold(bigint) FROM PUBLIC;
"""

ALIKE = """
-- The four quarters of a hash, each marked with its place: hashes that differ in three bits at most share a quarter.
CREATE FUNCTION batches_bands(p_hash bigint) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY[(p_hash & 65535)::integer, 65536 + ((p_hash >> 16) & 65535)::integer,
             131072 + ((p_hash >> 32) & 65535)::integer, 196608 + ((p_hash >> 48) & 65535)::integer];
CREATE INDEX gold_alike ON batches_goldkey USING gin (batches_bands(simhash));

-- A key of the project that is as good as the same as this payload and that workers have met, or may meet any moment.
CREATE FUNCTION batches_alike(p_project bigint, p_hash bigint, p_but bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    SELECT g.task_id FROM batches_goldkey g JOIN batches_batch b ON b.id = g.batch_id
     WHERE batches_bands(g.simhash) && batches_bands(p_hash)
       AND bit_count((g.simhash # p_hash)::bit(64)) <= 3
       AND b.project_id = p_project AND g.task_id <> p_but
       AND (g.shown > 0 OR g.state = 'live' AND b.published_at IS NOT NULL)
     ORDER BY g.task_id LIMIT 1
$$;

-- Before a batch opens: its keys that are too much like another wait, one of each kind excepted where none was shown.
CREATE FUNCTION batches_part_alike() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    mine record;
    other bigint;
BEGIN
    FOR mine IN SELECT g.task_id, g.simhash FROM batches_goldkey g
                 WHERE g.batch_id = NEW.id AND g.state = 'live' AND g.simhash IS NOT NULL ORDER BY g.task_id
    LOOP
        other := batches_alike(NEW.project_id, mine.simhash, mine.task_id);
        IF other IS NOT NULL THEN
            UPDATE batches_goldkey SET state = 'waiting', why = 'alike', alike_id = other WHERE task_id = mine.task_id;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER keys_alike AFTER UPDATE ON batches_batch FOR EACH ROW
    WHEN (OLD.state = 'draft' AND NEW.state = 'published') EXECUTE FUNCTION batches_part_alike();
ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER keys_alike;
REVOKE EXECUTE ON FUNCTION batches_alike(bigint, bigint, bigint), batches_part_alike() FROM PUBLIC;
"""

GUARDS = """
-- R38: what a key says, and its salt, never change; only a live key is shown, and never less often than it was.
CREATE FUNCTION batches_key_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT 1 FROM batches_batch b WHERE b.id = OLD.batch_id AND b.published_at IS NOT NULL) THEN
            RAISE EXCEPTION 'a key stays once its batch is published' USING errcode = '23514', constraint = 'key_final';
        END IF;
        RETURN OLD;
    END IF;
    IF (NEW.task_id, NEW.batch_id, NEW.key, NEW.salt, NEW.origin, NEW.rank, NEW.added_at)
       IS DISTINCT FROM (OLD.task_id, OLD.batch_id, OLD.key, OLD.salt, OLD.origin, OLD.rank, OLD.added_at)
       OR NEW.simhash IS DISTINCT FROM OLD.simhash OR NEW.posterior IS DISTINCT FROM OLD.posterior
       OR OLD.sealed IS NOT NULL AND NEW.sealed IS DISTINCT FROM OLD.sealed THEN
        RAISE EXCEPTION 'what a key says does not change' USING errcode = '23514', constraint = 'key_final';
    END IF;
    IF NEW.shown <> OLD.shown AND NOT (NEW.shown > OLD.shown AND OLD.state = 'live' AND NEW.state = 'live') THEN
        RAISE EXCEPTION 'only a live key is shown' USING errcode = '23514', constraint = 'key_live';
    END IF;
    IF (NEW.cap, NEW.earlier) IS DISTINCT FROM (OLD.cap, OLD.earlier)
       AND NOT (OLD.origin = 'consensus' AND OLD.state = 'waiting' AND NEW.state = 'live' AND OLD.shown = 0) THEN
        RAISE EXCEPTION 'how often a key may be shown does not change' USING errcode = '23514', constraint = 'key_final';
    END IF;
    IF NEW.state <> OLD.state THEN
        IF (OLD.state, NEW.state) NOT IN (('live', 'waiting'), ('live', 'flagged'), ('live', 'retired'),
                ('waiting', 'live'), ('waiting', 'retired'), ('flagged', 'live'), ('flagged', 'retired'))
           OR NEW.state = 'waiting' AND OLD.shown > 0 OR OLD.state = 'waiting' AND NEW.state = 'live' AND OLD.why = 'alike'
        THEN
            RAISE EXCEPTION 'a key does not go from % to %', OLD.state, NEW.state
                USING errcode = '23514', constraint = 'key_step';
        END IF;
        NEW.frozen := CASE WHEN NEW.state <> 'live' THEN OLD.shown END;
        -- Whoever looked at what was said against a flagged key has judged it: from now on only what comes later counts.
        NEW.confirmed_at := CASE WHEN OLD.state = 'flagged' AND NEW.state = 'live' THEN market_now() ELSE OLD.confirmed_at END;
    ELSIF NEW.frozen IS DISTINCT FROM OLD.frozen OR NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at THEN
        RAISE EXCEPTION 'what was shown is known' USING errcode = '23514', constraint = 'key_final';
    END IF;
    RETURN NEW;
END $$;
-- A showing changes nothing but its count: it is judged here, so that it costs no more than what it stands beside.
CREATE TRIGGER key_step BEFORE UPDATE ON batches_goldkey FOR EACH ROW
    WHEN (NOT (NEW.shown = OLD.shown + 1 AND OLD.state = 'live'
               AND (NEW.task_id, NEW.batch_id, NEW.key, NEW.salt, NEW.origin, NEW.state, NEW.rank, NEW.cap, NEW.earlier,
                    NEW.added_at)
                 = (OLD.task_id, OLD.batch_id, OLD.key, OLD.salt, OLD.origin, OLD.state, OLD.rank, OLD.cap, OLD.earlier,
                    OLD.added_at)
               AND NEW.simhash IS NOT DISTINCT FROM OLD.simhash AND NEW.posterior IS NOT DISTINCT FROM OLD.posterior
               AND NEW.sealed IS NOT DISTINCT FROM OLD.sealed AND NEW.frozen IS NOT DISTINCT FROM OLD.frozen
               AND NEW.confirmed_at IS NOT DISTINCT FROM OLD.confirmed_at))
    EXECUTE FUNCTION batches_key_step();
CREATE TRIGGER key_stays BEFORE DELETE ON batches_goldkey FOR EACH ROW EXECUTE FUNCTION batches_key_step();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON batches_goldkey FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A requester's key comes with its task, while the batch is a draft; the crowd's comes while the batch is open.
CREATE FUNCTION batches_key_comes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM (SELECT DISTINCT batch_id, origin FROM fresh) f JOIN batches_batch b ON b.id = f.batch_id
                WHERE (f.origin = 'requester') <> (b.state = 'draft') OR b.state NOT IN ('draft', 'published', 'paused'))
       OR EXISTS (SELECT 1 FROM fresh f LEFT JOIN batches_task t ON t.id = f.task_id
                   WHERE t.batch_id IS DISTINCT FROM f.batch_id OR t.reserved OR f.shown <> 0
                      OR f.cap > t.overlap OR octet_length(f.salt) <> 32) THEN
        RAISE EXCEPTION 'a key belongs to a task of its batch that nobody has reserved, and comes with it'
            USING errcode = '23514', constraint = 'key_of_task';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER key_comes AFTER INSERT ON batches_goldkey REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION batches_key_comes();
ALTER TABLE batches_goldkey ENABLE ALWAYS TRIGGER key_step;
ALTER TABLE batches_goldkey ENABLE ALWAYS TRIGGER key_stays;
ALTER TABLE batches_goldkey ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE batches_goldkey ENABLE ALWAYS TRIGGER key_comes;
REVOKE EXECUTE ON FUNCTION batches_key_step(), batches_key_comes() FROM PUBLIC;
"""

RIGHTS = """
GRANT INSERT (simhash) ON batches_goldkey TO touchstone_runtime;
GRANT SELECT ON batches_goldkey TO gold_reader;
-- R37: an open task that is in no queue is gold. Only functions of claims look into the queue.
REVOKE SELECT ON batches_openplace FROM touchstone_runtime;
GRANT SELECT ON batches_openplace TO gold_reader;
"""

UNDO = """
REVOKE SELECT ON batches_openplace FROM gold_reader;
GRANT SELECT ON batches_openplace TO touchstone_runtime;
DROP TRIGGER keys_alike ON batches_batch;
DROP TRIGGER key_step ON batches_goldkey; DROP TRIGGER key_stays ON batches_goldkey;
DROP TRIGGER closed_truncate ON batches_goldkey; DROP TRIGGER key_comes ON batches_goldkey;
DROP FUNCTION batches_key_step(); DROP FUNCTION batches_key_comes(); DROP FUNCTION batches_part_alike();
DROP FUNCTION batches_alike(bigint, bigint, bigint);
DROP INDEX gold_alike;
DROP FUNCTION batches_bands(bigint);
CREATE OR REPLACE FUNCTION batches_gold_unqueued() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM batches_openplace WHERE task_id IN (SELECT task_id FROM fresh);
    RETURN NULL;
END $$;
DROP FUNCTION batches_is_gold(bigint);
REVOKE SELECT ON batches_goldkey FROM gold_reader;
GRANT SELECT (task_id, batch_id, key, cap, shown) ON batches_goldkey TO gold_reader;
REVOKE INSERT (simhash) ON batches_goldkey FROM touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("batches", "0010_quality"), ("common", "0001_foundations")]
    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(COLUMNS, COLUMNS_GONE)],
            [
                migrations.AddField(
                    "goldkey",
                    "origin",
                    models.CharField(
                        choices=[("requester", "Requester"), ("consensus", "Consensus")],
                        default="requester",
                        max_length=9,
                    ),
                ),
                migrations.AddField(
                    "goldkey",
                    "state",
                    models.CharField(
                        choices=[
                            ("live", "Live"),
                            ("waiting", "Waiting"),
                            ("flagged", "Flagged"),
                            ("retired", "Retired"),
                        ],
                        default="live",
                        max_length=7,
                    ),
                ),
                migrations.AddField("goldkey", "why", models.CharField(blank=True, default="", max_length=5)),
                migrations.AddField("goldkey", "salt", models.BinaryField()),
                migrations.AddField("goldkey", "simhash", models.BigIntegerField(null=True)),
                migrations.AddField("goldkey", "alike_id", models.BigIntegerField(null=True)),
                migrations.AddField("goldkey", "posterior", models.FloatField(null=True)),
                migrations.AddField("goldkey", "earlier", models.SmallIntegerField(default=0)),
                migrations.AddField("goldkey", "frozen", models.SmallIntegerField(null=True)),
                migrations.AddField("goldkey", "sealed", models.SmallIntegerField(null=True)),
                migrations.AddField("goldkey", "confirmed_at", models.DateTimeField(null=True)),
                migrations.AddField("goldkey", "added_at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveIndex("goldkey", "gold_supply"),
        migrations.AddIndex(
            "goldkey",
            models.Index(
                condition=models.Q(("shown__lt", models.F("cap")), ("state", "live")),
                fields=["batch_id", "rank"],
                name="gold_supply",
            ),
        ),
        migrations.AddIndex("goldkey", models.Index(fields=["batch_id", "task"], name="gold_of_batch")),
        migrations.AddConstraint(
            "goldkey",
            models.CheckConstraint(
                condition=models.Q(
                    ("origin__in", ["requester", "consensus"]),
                    ("state__in", ["live", "waiting", "flagged", "retired"]),
                ),
                name="gold_key_state",
            ),
        ),
        migrations.RunSQL([HIDDEN, ALIKE, GUARDS, RIGHTS], UNDO),
    ]
