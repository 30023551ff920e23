"""No assignment changes its state, and nobody is paid, without the event that tells of it (R21)."""

from django.db import migrations

TOLD = """
-- Like `common_told`, with the kinds by the step. A late answer takes its lease anew and submits it by one step, which
-- one event tells.
CREATE FUNCTION assignments_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM public.common_outbox e
                WHERE e.xid = pg_current_xact_id() AND e.body -> 'assignment_ids' @> to_jsonb(NEW.id)
                  AND e.kind = CASE NEW.state WHEN 'leased' THEN 'PlaceTaken' WHEN 'submitted' THEN 'AnswerSubmitted'
                                              WHEN 'accepted' THEN 'AnswerAccepted' WHEN 'rejected' THEN 'AnswerRejected'
                                              WHEN 'upheld' THEN 'AnswerUpheld' WHEN 'expired' THEN 'LeaseExpired'
                                              WHEN 'returned' THEN 'LeaseReturned' END) THEN
        RETURN NULL;
    END IF;
    IF tg_op = 'UPDATE' AND NEW.state = 'leased' AND EXISTS (
        SELECT 1 FROM public.common_outbox e
         WHERE e.xid = pg_current_xact_id() AND e.body -> 'assignment_ids' @> to_jsonb(NEW.id)
           AND e.kind = CASE OLD.state WHEN 'submitted' THEN 'AnswerReturned' ELSE 'AnswerSubmitted' END) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'no event tells that assignment % is %', NEW.id, NEW.state
        USING errcode = '23514', constraint = 'told', table = tg_table_name;
END $$;
CREATE CONSTRAINT TRIGGER told AFTER INSERT ON assignments_assignment DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION assignments_told();
CREATE CONSTRAINT TRIGGER told_step AFTER UPDATE ON assignments_assignment DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION assignments_told();
CREATE CONSTRAINT TRIGGER told AFTER UPDATE ON assignments_settlement DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.settled_at IS NULL AND NEW.settled_at IS NOT NULL)
    EXECUTE FUNCTION common_told('assignment_ids', 'assignment_id', '{PaymentSettled}');
CREATE CONSTRAINT TRIGGER told AFTER INSERT ON assignments_extra DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.settled_at IS NOT NULL)
    EXECUTE FUNCTION common_told('worker_ids', 'worker_id', '{BonusPaid}');
CREATE CONSTRAINT TRIGGER told_paid AFTER UPDATE ON assignments_extra DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.settled_at IS NULL AND NEW.settled_at IS NOT NULL)
    EXECUTE FUNCTION common_told('worker_ids', 'worker_id', '{BonusPaid}');
ALTER TABLE assignments_assignment ENABLE ALWAYS TRIGGER told, ENABLE ALWAYS TRIGGER told_step;
ALTER TABLE assignments_settlement ENABLE ALWAYS TRIGGER told;
ALTER TABLE assignments_extra ENABLE ALWAYS TRIGGER told, ENABLE ALWAYS TRIGGER told_paid;
"""

PROMISE = """
CREATE VIEW inv_r21_events AS
    WITH known AS (
        SELECT e.kind, ids.id FROM common_outbox e, jsonb_array_elements(e.body -> 'assignment_ids') AS ids (id)
         WHERE e.kind IN ('AnswerSubmitted', 'PaymentSettled') AND e.made_at > market_now() - interval '30 min'),
    since AS (SELECT greatest(market_now() - interval '10 min', min(e.made_at)) AS moment FROM common_outbox e)
    SELECT a.id AS assignment_id, 'AnswerSubmitted' AS missing FROM assignments_assignment a, since s
     WHERE a.submitted_at > s.moment
       AND NOT EXISTS (SELECT 1 FROM known k WHERE k.kind = 'AnswerSubmitted' AND k.id = to_jsonb(a.id))
    UNION ALL
    SELECT d.assignment_id, 'PaymentSettled' FROM assignments_settlement d, since s
     WHERE d.settled_at > s.moment
       AND NOT EXISTS (SELECT 1 FROM known k WHERE k.kind = 'PaymentSettled' AND k.id = to_jsonb(d.assignment_id));
COMMENT ON VIEW inv_r21_events IS 'Every answer and every payment of the last minutes has its event.';
GRANT SELECT ON inv_r21_events TO touchstone_runtime;
"""

UNDO = """
DROP VIEW inv_r21_events;
DROP TRIGGER told_paid ON assignments_extra;
DROP TRIGGER told ON assignments_extra;
DROP TRIGGER told ON assignments_settlement;
DROP TRIGGER told_step ON assignments_assignment;
DROP TRIGGER told ON assignments_assignment;
DROP FUNCTION assignments_told();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0020_waiting"),
        ("batches", "0015_told"),
        ("ledger", "0004_told"),
        ("accounts", "0006_told"),
    ]
    operations = [migrations.RunSQL([TOLD, PROMISE], UNDO)]
