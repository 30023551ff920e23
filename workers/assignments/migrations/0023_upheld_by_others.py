"""Nobody undoes the rejection of his own answer: it is paid from the requester's money (R18, R41)."""

from importlib import import_module

from django.db import migrations

from marketplace.common.rewriting import changed

FLOW = import_module("workers.assignments.migrations.0006_flow")
CONTESTS = import_module("workers.assignments.migrations.0017_rejections").CONTESTS

BEFORE = FLOW.before(CONTESTS, ["assignments_uphold_by"])
# Who rejected may undo it, and so may members of the requester: it is theirs to pay.
SINCE = changed(
    BEFORE,
    (
        "BEGIN\n    IF NOT EXISTS",
        """BEGIN
    IF EXISTS (SELECT 1 FROM assignments_assignment a JOIN profiles_worker w ON w.id = a.worker_id
                WHERE a.id = NEW.assignment_id AND accounts_same_person(w.user_id, NEW.made_by_id)) THEN
        RAISE EXCEPTION 'nobody undoes the rejection of his own answer'
            USING errcode = '23514', constraint = 'uphold_not_ones_own';
    END IF;
    IF NEW.made_by_id IS NULL AND NOT EXISTS""",
    ),
)


def trigger(when: str) -> str:
    return f"""
DROP TRIGGER uphold_by ON assignments_uphold;
CREATE TRIGGER uphold_by BEFORE INSERT ON assignments_uphold FOR EACH ROW
    {when} EXECUTE FUNCTION assignments_uphold_by();
ALTER TABLE assignments_uphold ENABLE ALWAYS TRIGGER uphold_by;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_parts"),
        ("assignments", "0022_settlement_of_batch"),
        ("profiles", "0007_same_person"),
    ]

    operations = [migrations.RunSQL([SINCE, trigger("")], [trigger("WHEN (NEW.made_by_id IS NULL)"), BEFORE])]
