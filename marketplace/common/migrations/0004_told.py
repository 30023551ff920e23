"""An event exists exactly when its change does (R21), and none is skipped (R22): what the database itself refuses."""

from django.db import migrations

TOLD = """
-- For deferred triggers: at its commit a transaction has written the event of what it changed. Arguments: where the
-- event's body names whom it concerns, the column that holds this id, and the kinds that will do. Without rights of its
-- own and with every name in full, as it runs for each row and a setting would cost as much as the look.
CREATE FUNCTION common_told() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject jsonb := to_jsonb(NEW) -> tg_argv[1];
BEGIN
    IF NOT EXISTS (SELECT 1 FROM public.common_outbox e
                    WHERE e.xid = pg_current_xact_id() AND e.kind = ANY (tg_argv[2]::text[])
                      AND e.body -> tg_argv[0] @> subject) THEN
        RAISE EXCEPTION 'no event tells what changed in % (% %): one of %', tg_table_name, tg_argv[1], subject, tg_argv[2]
            USING errcode = '23514', constraint = 'told', table = tg_table_name;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION common_told() IS 'Refuses a commit without the event that tells of it (R21).';
"""

# Readers go by the order of transactions, so nobody may date an event back, move a cursor past the horizon or take away
# what a reader has not seen.
READERS = """
REVOKE INSERT ON common_outbox FROM touchstone_runtime;
GRANT INSERT (kind, body, made_at) ON common_outbox TO touchstone_runtime;
GRANT DELETE ON common_outboxcursor TO touchstone_runtime;

CREATE FUNCTION common_event_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.made_at > public.market_now() - interval '7 days'
       OR EXISTS (SELECT 1 FROM public.common_outboxcursor c WHERE (c.xid, c.last_id) < (OLD.xid, OLD.id)) THEN
        RAISE EXCEPTION 'the event is kept for 7 days and until every reader has seen it'
            USING errcode = '23514', constraint = 'event_kept';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER event_kept BEFORE DELETE ON common_outbox FOR EACH ROW EXECUTE FUNCTION common_event_kept();
CREATE TRIGGER closed BEFORE UPDATE ON common_outbox FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON common_outbox FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE FUNCTION common_cursor_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.xid >= pg_snapshot_xmin(pg_current_snapshot()) THEN
        RAISE EXCEPTION 'a reader stays behind transactions that still run'
            USING errcode = '23514', constraint = 'cursor_step';
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.xid, NEW.last_id) < (OLD.xid, OLD.last_id) THEN
        RAISE EXCEPTION 'a reader does not go back' USING errcode = '23514', constraint = 'cursor_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cursor_step BEFORE INSERT OR UPDATE ON common_outboxcursor
    FOR EACH ROW EXECUTE FUNCTION common_cursor_step();

ALTER TABLE common_outbox ENABLE ALWAYS TRIGGER event_kept;
ALTER TABLE common_outbox ENABLE ALWAYS TRIGGER closed;
ALTER TABLE common_outbox ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE common_outboxcursor ENABLE ALWAYS TRIGGER cursor_step;
"""

UNDO_READERS = """
DROP TRIGGER cursor_step ON common_outboxcursor;
DROP FUNCTION common_cursor_step();
DROP TRIGGER closed_truncate ON common_outbox;
DROP TRIGGER closed ON common_outbox;
DROP TRIGGER event_kept ON common_outbox;
DROP FUNCTION common_event_kept();
REVOKE DELETE ON common_outboxcursor FROM touchstone_runtime;
REVOKE INSERT (kind, body, made_at) ON common_outbox FROM touchstone_runtime;
GRANT INSERT ON common_outbox TO touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("common", "0003_second_chances")]
    operations = [
        migrations.RunSQL(TOLD, "DROP FUNCTION common_told();"),
        migrations.RunSQL(READERS, UNDO_READERS),
    ]
