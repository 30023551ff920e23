"""What the guards of chains of hashes share: who may write a link, and that what was written down of its end stays."""

from django.db import migrations

GUARDS = """
-- For rows that only another trigger writes: there the depth is two.
CREATE FUNCTION common_by_trigger_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% is written by a trigger only', tg_table_name
            USING errcode = '23514', constraint = 'by_trigger_only';
    END IF;
    RETURN NEW;
END $$;

-- For the ends of a chain that were written down, with the columns day, seq, hash, made_at and sent_at.
CREATE FUNCTION common_anchor_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - 'sent_at' IS DISTINCT FROM to_jsonb(OLD) - 'sent_at'
       OR OLD.sent_at IS NOT NULL THEN
        RAISE EXCEPTION 'an anchor stays, and is sent once' USING errcode = '23514', constraint = 'anchor_kept';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("common", "0004_told")]
    operations = [
        migrations.RunSQL(GUARDS, "DROP FUNCTION common_anchor_kept(); DROP FUNCTION common_by_trigger_only();")
    ]
