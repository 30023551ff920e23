"""Nobody limits himself, or lifts what limits him, by any of his accounts (R40, R41)."""

from django.db import migrations


def step(own: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION accounts_sanction_step() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    lifts text[] := ARRAY['lifted_at', 'lifted_by_id', 'lift_reason'];
BEGIN{own}
    IF TG_OP = 'INSERT' THEN
        IF NEW.lifted_at IS NOT NULL THEN
            RAISE EXCEPTION 'a sanction begins in force' USING errcode = '23514', constraint = 'sanction_step';
        END IF;
        NEW.made_at := market_now();
        RETURN NEW;
    END IF;
    IF OLD.lifted_at IS NOT NULL OR NEW.lifted_at IS NULL OR to_jsonb(NEW) - lifts IS DISTINCT FROM to_jsonb(OLD) - lifts THEN
        RAISE EXCEPTION 'a sanction is lifted once and otherwise fixed'
            USING errcode = '23514', constraint = 'sanction_step';
    END IF;
    NEW.lifted_at := market_now();
    RETURN NEW;
END $$;
"""


OWN = """
    IF accounts_same_person(CASE TG_OP WHEN 'INSERT' THEN NEW.made_by_id ELSE NEW.lifted_by_id END, NEW.user_id) THEN
        RAISE EXCEPTION 'nobody decides about his own limits' USING errcode = '23514', constraint = 'sanction_not_ones_own';
    END IF;"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_parts")]

    operations = [migrations.RunSQL(step(OWN), step(""))]
