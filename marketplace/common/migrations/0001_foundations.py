"""Roles, the market's clock, append-only tables, stored responses and the outbox."""

from django.db import migrations, models

ROLES = """
DO $$
BEGIN
    -- Roles belong to the whole server, so another database of it may have made them already, even just now.
    BEGIN CREATE ROLE touchstone_runtime NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
    BEGIN CREATE ROLE gold_reader NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
END $$;
GRANT USAGE ON SCHEMA public TO touchstone_runtime, gold_reader;
"""

CLOCK = """
CREATE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS 'SELECT clock_timestamp()';
COMMENT ON FUNCTION market_now() IS 'The only clock for deadlines and fences; tests replace it to move time.';

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', tg_table_name USING errcode = '23514', constraint = 'append_only';
END $$;
"""

TABLES = """
ALTER TABLE common_idempotency SET (fillfactor = 70);
ALTER TABLE common_outbox ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX outbox_order ON common_outbox (xid, id);
ALTER TABLE common_outboxcursor ADD COLUMN xid xid8 NOT NULL DEFAULT '0';
GRANT SELECT, INSERT, UPDATE (status, body), DELETE ON common_idempotency TO touchstone_runtime;
GRANT SELECT, INSERT, DELETE ON common_outbox TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE ON common_outboxcursor TO touchstone_runtime;

CREATE VIEW inv_r16_response AS
    SELECT principal, key FROM common_idempotency WHERE status IS NULL OR body IS NULL;
COMMENT ON VIEW inv_r16_response IS 'Every committed idempotency key holds the answer that was given.';
GRANT SELECT ON inv_r16_response TO touchstone_runtime;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [
        migrations.RunSQL(ROLES, migrations.RunSQL.noop),
        migrations.RunSQL(CLOCK, "DROP FUNCTION append_only(); DROP FUNCTION market_now();"),
        migrations.CreateModel(
            name="Idempotency",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "principal", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("principal", models.TextField()),
                ("key", models.TextField()),
                ("body_hash", models.BinaryField()),
                ("status", models.SmallIntegerField(null=True)),
                ("body", models.BinaryField(null=True)),
                ("made_at", models.DateTimeField()),
            ],
            options={
                "db_table": "common_idempotency",
                "indexes": [models.Index(fields=["made_at"], name="idempotency_made_at")],
            },
        ),
        migrations.CreateModel(
            name="OutboxEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.TextField()),
                ("body", models.JSONField()),
                ("made_at", models.DateTimeField()),
            ],
            options={"db_table": "common_outbox"},
        ),
        migrations.CreateModel(
            name="OutboxCursor",
            fields=[
                ("reader", models.TextField(primary_key=True, serialize=False)),
                ("last_id", models.BigIntegerField()),
                ("moved_at", models.DateTimeField()),
            ],
            options={"db_table": "common_outboxcursor"},
        ),
        migrations.RunSQL(TABLES, "DROP VIEW inv_r16_response;"),
    ]
