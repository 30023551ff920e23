"""Personal streams with dense numbers, versions of topics, and the one way to write them."""

from django.db import migrations, models

TABLES = """
INSERT INTO streams_epoch (id, epoch) VALUES (1, gen_random_uuid());
ALTER TABLE streams_epoch ADD CONSTRAINT streams_one_epoch CHECK (id = 1);
ALTER TABLE streams_stream ADD CONSTRAINT streams_trimmed CHECK (0 <= trimmed AND trimmed <= seq), SET (fillfactor = 70);
ALTER TABLE streams_topic SET (fillfactor = 50);
GRANT SELECT ON streams_epoch, streams_stream, streams_entry, streams_topic TO touchstone_runtime;
GRANT SELECT, INSERT, DELETE ON streams_skipped TO touchstone_runtime;
-- Facts begin with what happens from now on.
INSERT INTO common_outboxcursor (reader, xid, last_id, moved_at)
VALUES ('streams', (pg_snapshot_xmin(pg_current_snapshot())::text::numeric - 1)::text::xid8, 9223372036854775807,
        market_now())
ON CONFLICT DO NOTHING;
"""
# The runtime role writes streams by these functions only, so numbers are dense whatever a program does.
FUNCTIONS = """
CREATE FUNCTION streams_append(of_events bigint[], of_streams text[], of_kinds text[], of_bodies jsonb[])
RETURNS TABLE (name text, seq bigint) LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH given AS (
        SELECT g.event_id, g.stream, g.kind, g.body, row_number() OVER (PARTITION BY g.stream ORDER BY g.place) AS nth,
               count(*) OVER (PARTITION BY g.stream) AS many
          FROM unnest(of_events, of_streams, of_kinds, of_bodies) WITH ORDINALITY AS g(event_id, stream, kind, body, place)
    ), heads AS (
        INSERT INTO streams_stream AS s (name, seq, trimmed)
        SELECT DISTINCT stream, many, 0 FROM given ORDER BY stream
        ON CONFLICT (name) DO UPDATE SET seq = s.seq + excluded.seq RETURNING s.name, s.seq
    ), written AS (
        INSERT INTO streams_entry (stream, seq, event_id, kind, body, made_at, stored_at)
        SELECT g.stream, h.seq - g.many + g.nth, g.event_id, g.kind, g.body, coalesce(e.made_at, market_now()),
               market_now()
          FROM given g JOIN heads h ON h.name = g.stream LEFT JOIN common_outbox e ON e.id = g.event_id
    )
    SELECT h.name, h.seq FROM heads h
$$;

CREATE FUNCTION streams_touch(topics text[]) RETURNS TABLE (name text, version bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    INSERT INTO streams_topic AS t (name, version) SELECT DISTINCT g.topic, 1 FROM unnest(topics) AS g(topic) ORDER BY 1
    ON CONFLICT (name) DO UPDATE SET version = t.version + 1 RETURNING t.name, t.version
$$;

-- Always the oldest entries of a stream, so that what is kept begins right after `trimmed`.
CREATE FUNCTION streams_trim(older_than interval, about bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH old AS (
        SELECT e.stream, max(e.seq) AS seq FROM (
            SELECT stream, seq FROM streams_entry WHERE stored_at < market_now() - older_than
             ORDER BY stored_at LIMIT about) e
         GROUP BY e.stream
    ), marked AS (
        UPDATE streams_stream s SET trimmed = old.seq FROM old WHERE s.name = old.stream AND s.trimmed < old.seq
        RETURNING s.name, s.trimmed
    ), gone AS (
        DELETE FROM streams_entry e USING marked m WHERE e.stream = m.name AND e.seq <= m.trimmed RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION streams_append(bigint[], text[], text[], jsonb[]), streams_touch(text[]),
    streams_trim(interval, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION streams_append(bigint[], text[], text[], jsonb[]), streams_touch(text[]),
    streams_trim(interval, bigint) TO touchstone_runtime;

CREATE VIEW inv_r22_streams AS
    SELECT s.name, s.seq, s.trimmed, e.kept, e.first, e.last FROM streams_stream s
      LEFT JOIN (SELECT stream, count(*) AS kept, min(seq) AS first, max(seq) AS last
                   FROM streams_entry GROUP BY stream) e ON e.stream = s.name
     WHERE coalesce(e.kept, 0) <> s.seq - s.trimmed OR coalesce(e.last, s.seq) <> s.seq
        OR coalesce(e.first, s.trimmed + 1) <> s.trimmed + 1;
COMMENT ON VIEW inv_r22_streams IS 'The numbers of a stream have no gap, from the oldest that is kept to the newest.';
GRANT SELECT ON inv_r22_streams TO touchstone_runtime;
"""
UNDO = """
DROP VIEW inv_r22_streams;
DROP FUNCTION streams_append(bigint[], text[], text[], jsonb[]);
DROP FUNCTION streams_touch(text[]);
DROP FUNCTION streams_trim(interval, bigint);
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = [("common", "0003_second_chances")]
    operations = [
        migrations.CreateModel(
            name="Epoch",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("epoch", models.UUIDField()),
            ],
            options={
                "db_table": "streams_epoch",
            },
        ),
        migrations.CreateModel(
            name="Skipped",
            fields=[
                ("event_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("kind", models.TextField()),
                ("error", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "streams_skipped",
            },
        ),
        migrations.CreateModel(
            name="Stream",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("trimmed", models.BigIntegerField()),
            ],
            options={
                "db_table": "streams_stream",
            },
        ),
        migrations.CreateModel(
            name="Topic",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("version", models.BigIntegerField()),
            ],
            options={
                "db_table": "streams_topic",
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "stream", "seq", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("stream", models.TextField()),
                ("seq", models.BigIntegerField()),
                ("event_id", models.BigIntegerField()),
                ("kind", models.TextField()),
                ("body", models.JSONField()),
                ("made_at", models.DateTimeField()),
                ("stored_at", models.DateTimeField()),
            ],
            options={
                "db_table": "streams_entry",
                "indexes": [models.Index(fields=["stored_at"], name="streams_stored_at")],
                "constraints": [
                    models.UniqueConstraint(fields=("stream", "event_id", "kind"), name="streams_fact_once")
                ],
            },
        ),
        migrations.RunSQL(TABLES, "DELETE FROM common_outboxcursor WHERE reader = 'streams';"),
        migrations.RunSQL(FUNCTIONS, UNDO),
    ]
