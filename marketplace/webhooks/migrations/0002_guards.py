"""What was told stays what it was, is told in order, and a try is written down before it begins."""

from django.db import migrations

STEPS = """
CREATE FUNCTION webhooks_subscription_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'removed' OR (NEW.id, NEW.public_id, NEW.requester_id, NEW.made_by_id, NEW.made_at)
                                IS DISTINCT FROM (OLD.id, OLD.public_id, OLD.requester_id, OLD.made_by_id, OLD.made_at) THEN
        RAISE EXCEPTION 'a webhook stays whose it is, and a removed one as it is'
            USING errcode = '23514', constraint = 'webhook_step';
    END IF;
    IF NEW.state <> OLD.state THEN
        NEW.state_since := market_now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER webhook_step BEFORE UPDATE ON webhooks_subscription
    FOR EACH ROW EXECUTE FUNCTION webhooks_subscription_step();

CREATE FUNCTION webhooks_delivery_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'waiting' OR (NEW.id, NEW.public_id, NEW.lane_id, NEW.subscription_id, NEW.event_id, NEW.is_replay)
                IS DISTINCT FROM (OLD.id, OLD.public_id, OLD.lane_id, OLD.subscription_id, OLD.event_id, OLD.is_replay) THEN
        RAISE EXCEPTION 'a delivery ends once' USING errcode = '23514', constraint = 'delivery_step';
    END IF;
    IF EXISTS (SELECT 1 FROM webhooks_delivery d
                WHERE d.lane_id = NEW.lane_id AND d.id < NEW.id AND d.state = 'waiting') THEN
        RAISE EXCEPTION 'an earlier delivery of this batch still waits'
            USING errcode = '23514', constraint = 'delivery_order';
    END IF;
    IF NEW.state <> 'waiting' THEN
        NEW.ended_at := market_now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER delivery_step BEFORE UPDATE ON webhooks_delivery
    FOR EACH ROW EXECUTE FUNCTION webhooks_delivery_step();

CREATE FUNCTION webhooks_attempt_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR (NEW.id, NEW.delivery_id, NEW.number, NEW.began_at)
                  IS DISTINCT FROM (OLD.id, OLD.delivery_id, OLD.number, OLD.began_at) THEN
        RAISE EXCEPTION 'an attempt ends once' USING errcode = '23514', constraint = 'attempt_step';
    END IF;
    NEW.ended_at := market_now();
    RETURN NEW;
END $$;
CREATE TRIGGER attempt_step BEFORE UPDATE ON webhooks_attempt
    FOR EACH ROW EXECUTE FUNCTION webhooks_attempt_step();
CREATE TRIGGER closed BEFORE UPDATE ON webhooks_event FOR EACH ROW EXECUTE FUNCTION append_only();
ALTER TABLE webhooks_subscription ENABLE ALWAYS TRIGGER webhook_step;
ALTER TABLE webhooks_delivery ENABLE ALWAYS TRIGGER delivery_step;
ALTER TABLE webhooks_attempt ENABLE ALWAYS TRIGGER attempt_step;
ALTER TABLE webhooks_event ENABLE ALWAYS TRIGGER closed;
"""

RIGHTS = """
GRANT SELECT, INSERT, UPDATE (url, events, description, state, secret, previous_secret, previous_until)
    ON webhooks_subscription TO touchstone_runtime;
GRANT SELECT, INSERT, DELETE ON webhooks_event TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (due_at, lease, lease_until) ON webhooks_lane TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (state, tries), DELETE ON webhooks_delivery TO touchstone_runtime;
GRANT SELECT, INSERT (delivery_id, number, error), UPDATE (status, duration_ms, error), DELETE
    ON webhooks_attempt TO touchstone_runtime;
"""

PROMISES = """
CREATE VIEW inv_r31_order AS
    SELECT d.id AS delivery, e.id AS earlier FROM webhooks_delivery d
      JOIN webhooks_delivery e ON e.lane_id = d.lane_id AND e.id < d.id AND e.state = 'waiting'
     WHERE d.state <> 'waiting'
    UNION ALL
    SELECT d.id, NULL FROM webhooks_delivery d WHERE d.state = 'delivered'
       AND NOT EXISTS (SELECT 1 FROM webhooks_attempt a WHERE a.delivery_id = d.id AND a.status BETWEEN 200 AND 299)
    UNION ALL
    SELECT d.id, NULL FROM webhooks_delivery d JOIN webhooks_lane l ON l.id = d.lane_id
     WHERE d.state = 'waiting' AND l.due_at IS NULL;
COMMENT ON VIEW inv_r31_order IS
    'Webhooks of a batch go out in order, what counts as delivered was answered so, and none that waits is forgotten.';
GRANT SELECT ON inv_r31_order TO touchstone_runtime;
"""

UNDO = """
DROP VIEW inv_r31_order;
DROP TRIGGER closed ON webhooks_event;
DROP TRIGGER attempt_step ON webhooks_attempt; DROP FUNCTION webhooks_attempt_step();
DROP TRIGGER delivery_step ON webhooks_delivery; DROP FUNCTION webhooks_delivery_step();
DROP TRIGGER webhook_step ON webhooks_subscription; DROP FUNCTION webhooks_subscription_step();
REVOKE ALL ON webhooks_subscription, webhooks_event, webhooks_lane, webhooks_delivery, webhooks_attempt
    FROM touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0001_webhooks"), ("common", "0001_foundations")]
    operations = [migrations.RunSQL([STEPS, RIGHTS, PROMISES], UNDO)]
