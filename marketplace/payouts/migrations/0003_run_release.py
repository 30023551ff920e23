"""Four eyes on the file by which a bank pays: who made a run does not release it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

NOW = models.Func(function="market_now", output_field=models.DateTimeField())

GUARDS = """
-- Runs of before: whoever had made one was given its file at once.
INSERT INTO payouts_runrelease (run_id, made_by_id, made_at) SELECT id, made_by_id, made_at FROM payouts_run;

CREATE FUNCTION payouts_release_begin() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT accounts_has_role(NEW.made_by_id, '{finance}')
       OR EXISTS (SELECT 1 FROM payouts_run r WHERE r.id = NEW.run_id AND r.made_by_id = NEW.made_by_id)
       OR EXISTS (SELECT 1 FROM payouts_payout p WHERE p.run_id = NEW.run_id AND p.user_id = NEW.made_by_id) THEN
        RAISE EXCEPTION 'somebody of finance releases a run who has neither made it nor is paid by it'
            USING errcode = '23514', constraint = 'release_by_another';
    END IF;
    -- The file asks for each of them. One that ended meanwhile has its money back, and would be paid a second time; the
    -- locks make whoever reports an end come before or after, and never in between.
    PERFORM 1 FROM payouts_payout p WHERE p.run_id = NEW.run_id ORDER BY p.id FOR NO KEY UPDATE;
    IF EXISTS (SELECT 1 FROM payouts_payout p WHERE p.run_id = NEW.run_id AND p.state <> 'sent') THEN
        RAISE EXCEPTION 'a run is released while none of its payouts has ended'
            USING errcode = '23514', constraint = 'release_of_sent';
    END IF;
    NEW.made_at := market_now();
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION payouts_release_begin() FROM PUBLIC;
-- Without a release there is no file, so nobody can have paid.
CREATE FUNCTION payouts_settled_when_released() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM payouts_runrelease r WHERE r.run_id = NEW.run_id) THEN
        RAISE EXCEPTION 'nothing of a run is settled before its release'
            USING errcode = '23514', constraint = 'settled_when_released';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION payouts_settled_when_released() FROM PUBLIC;
CREATE TRIGGER settled_when_released BEFORE UPDATE OF state ON payouts_payout FOR EACH ROW
    WHEN (NEW.state = 'settled' AND OLD.state <> 'settled' AND NEW.run_id IS NOT NULL)
    EXECUTE FUNCTION payouts_settled_when_released();
ALTER TABLE payouts_payout ENABLE ALWAYS TRIGGER settled_when_released;

CREATE TRIGGER release_begin BEFORE INSERT ON payouts_runrelease
    FOR EACH ROW EXECUTE FUNCTION payouts_release_begin();
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON payouts_runrelease FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON payouts_runrelease
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE payouts_runrelease ENABLE ALWAYS TRIGGER release_begin;
ALTER TABLE payouts_runrelease ENABLE ALWAYS TRIGGER closed;
ALTER TABLE payouts_runrelease ENABLE ALWAYS TRIGGER closed_truncate;
ALTER TABLE payouts_runrelease SET (vacuum_truncate = off, toast.vacuum_truncate = off);
GRANT SELECT, INSERT (run_id, made_by_id) ON payouts_runrelease TO touchstone_runtime;

CREATE VIEW inv_r11_runs AS
    SELECT p.public_id::text AS subject, 'settled in a run that nobody released' AS wrong
      FROM payouts_payout p LEFT JOIN payouts_runrelease r ON r.run_id = p.run_id
     WHERE p.run_id IS NOT NULL AND p.settled_at IS NOT NULL AND r.run_id IS NULL
    UNION ALL
    SELECT p.public_id::text, 'ended before its run was released'
      FROM payouts_payout p JOIN payouts_runrelease r ON r.run_id = p.run_id WHERE p.ended_at < r.made_at
    UNION ALL
    SELECT wanted.relname, wanted.tgname || ' does not guard it'
      FROM (VALUES ('payouts_payout', 'settled_when_released'), ('payouts_runrelease', 'release_begin'),
                   ('payouts_runrelease', 'closed'), ('payouts_runrelease', 'closed_truncate')) AS wanted(relname, tgname)
     WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                        WHERE c.relname = wanted.relname AND t.tgname = wanted.tgname AND t.tgenabled = 'A');
COMMENT ON VIEW inv_r11_runs IS 'A file asks for no payout that had ended before, and nothing of it is settled before it was released.';
GRANT SELECT ON inv_r11_runs TO touchstone_runtime;
"""

UNDO = """
DROP VIEW inv_r11_runs;
DROP TRIGGER settled_when_released ON payouts_payout;
DROP FUNCTION payouts_settled_when_released();
DROP TRIGGER release_begin ON payouts_runrelease;
DROP TRIGGER closed ON payouts_runrelease;
DROP TRIGGER closed_truncate ON payouts_runrelease;
DROP FUNCTION payouts_release_begin();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0002_guards"), ("accounts", "0009_staff_roles")]
    operations = [
        migrations.CreateModel(
            name="RunRelease",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="release",
                        serialize=False,
                        to="payouts.run",
                    ),
                ),
                ("made_at", models.DateTimeField(db_default=NOW, editable=False)),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.RunSQL([GUARDS], UNDO),
    ]
