"""Nobody judges what he has a part in, or says who does: by any of his accounts, and by leaving neither (R41, R42)."""

from importlib import import_module

from django.db import migrations

from marketplace.common.rewriting import changed

FLOW = import_module("workers.assignments.migrations.0006_flow")
STEPS = import_module("workers.appeals.migrations.0002_guards").STEPS

IMPARTIAL = """
-- Whether somebody, by all of his accounts, has no part in the matter: never was a member of the requester, is not the
-- worker or the one who is limited, and not who rejected, let the rejection take effect, or limited in the first place.
CREATE OR REPLACE FUNCTION appeals_impartial(p_appeal bigint, p_user bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    SELECT NOT accounts_has_part(a.requester_id, p_user)
       AND NOT accounts_same_person(w.user_id, p_user)
       AND NOT EXISTS (SELECT 1 FROM assignments_rejection r
                        WHERE r.assignment_id = a.rejection_id AND accounts_same_person(r.made_by_id, p_user))
       AND NOT EXISTS (SELECT 1 FROM assignments_rejection r JOIN results_rejectionreview v ON v.id = r.review_id
                        WHERE r.assignment_id = a.rejection_id AND accounts_same_person(v.decided_by_id, p_user))
       AND NOT EXISTS (SELECT 1 FROM accounts_sanction s
                        WHERE s.id = a.sanction_id AND (accounts_same_person(s.made_by_id, p_user)
                                                        OR accounts_same_person(s.user_id, p_user)))
      FROM appeals_appeal a JOIN profiles_worker w ON w.id = a.worker_id WHERE a.id = p_appeal;
$$;
"""
BEFORE = FLOW.before(STEPS, ["appeals_impartial", "appeals_step_step"])
OWN = """
        IF NOT appeals_impartial(of.id, NEW.made_by_id) THEN
            RAISE EXCEPTION 'nobody says who judges in his own matter' USING errcode = '23514', constraint = 'appeal_impartial';
        END IF;"""
SINCE = changed(
    FLOW.before(STEPS, ["appeals_step_step"]),
    (
        "constraint = 'appeal_referred';\n        END IF;",
        "constraint = 'appeal_referred';\n        END IF;"
        + OWN.replace("IF NOT", "IF NEW.made_by_id IS NOT NULL AND NOT"),
    ),
    (
        "constraint = 'appeal_named_by_staff';\n        END IF;",
        "constraint = 'appeal_named_by_staff';\n        END IF;" + OWN,
    ),
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_parts"),
        ("appeals", "0002_guards"),
        ("profiles", "0007_same_person"),
    ]

    operations = [migrations.RunSQL([IMPARTIAL, SINCE], BEFORE)]
