"""Under `spread` everybody meets tasks in an order of chance, so that what comes beside what says nothing (R38).

Gold is put between the tasks of a worker's walk. As long as all walks passed a bucket in one order, workers who laid their
sequences side by side saw which tasks kept their neighbours: those of the queue. The others were gold.
"""

from importlib import import_module

from django.db import migrations

from marketplace.common.rewriting import changed

FLOW = import_module("workers.assignments.migrations.0011_fewer_statements")
GOLD = import_module("workers.assignments.migrations.0015_gold_supply").PICK

_START = FLOW.PICK.index("-- The next task of the worker's walk under `spread`")
_END = FLOW.PICK.index("-- The next task under an order that has levels")
BEFORE = FLOW.PICK[_START:_END]
# A few looks at places of chance come before the walk. They cost the same however large the batch is, and mostly one
# suffices; the walk finds what they miss, and remains the only one that can say that nothing is left.
OWN_ORDER = changed(
    BEFORE,
    ("    here smallint;\n", "    here smallint;\n    top bigint;\n"),
    (
        "    walked := walk;\n    LOOP\n",
        """    walked := walk;
    IF who.pair_limit IS NULL THEN
        FOR look IN 1 .. 4 LOOP
            here := floor(random() * 64);
            SELECT o.rank INTO top FROM batches_openplace o
             WHERE o.batch_id = walk.batch_id AND o.bucket = here ORDER BY o.rank DESC LIMIT 1;
            CONTINUE WHEN top IS NULL;
            candidate := assignments_pick_next(who, here, floor(random() * (top + 1))::bigint - 1);
            IF candidate.task IS NOT NULL THEN
                task := candidate.task;
                RETURN;
            END IF;
        END LOOP;
    END IF;
    LOOP
""",
    ),
)

_NEXT_END = GOLD.index("-- A gold task that this person has not been shown")
NEXT_BEFORE, _REST = GOLD[:_NEXT_END], GOLD[_NEXT_END:]
PICK_BEFORE = _REST[: _REST.index("REVOKE EXECUTE")]
# What gold is compared with is drawn as the ordinary task would be.
NEXT = changed(
    NEXT_BEFORE,
    ("(walk assignments_walk, p_order text)", "(walk assignments_walk, p_order text, who assignments_claimer)"),
    (
        "    here smallint := 32767;\n",
        "    here smallint := 32767;\n    top bigint;\n",
    ),
    (
        "    IF p_order = 'spread' THEN\n",
        """    IF p_order = 'spread' AND who.pair_limit IS NULL THEN
        FOR look IN 1 .. 4 LOOP
            here := floor(random() * 64);
            SELECT o.rank INTO top FROM batches_openplace o
             WHERE o.batch_id = walk.batch_id AND o.bucket = here ORDER BY o.rank DESC LIMIT 1;
            CONTINUE WHEN top IS NULL;
            SELECT t.taken INTO seen
              FROM (SELECT q.task_id FROM batches_openplace q
                     WHERE q.batch_id = walk.batch_id AND q.bucket = here
                       AND q.rank > floor(random() * (top + 1))::bigint - 1 ORDER BY q.rank LIMIT 1) o
              JOIN batches_task t ON t.id = o.task_id
             WHERE assignments_past(t.id, who) = 'none';
            IF FOUND THEN
                RETURN seen;
            END IF;
        END LOOP;
    END IF;
    IF p_order = 'spread' THEN
""",
    ),
)
PICK = changed(
    PICK_BEFORE,
    ("assignments_next_taken(walk, terms.task_order)", "assignments_next_taken(walk, terms.task_order, who)"),
)
FORWARD = f"""
{OWN_ORDER}
DROP FUNCTION assignments_next_taken(assignments_walk, text);
{NEXT}
{PICK}
REVOKE EXECUTE ON FUNCTION assignments_next_taken(assignments_walk, text, assignments_claimer) FROM PUBLIC;
"""
UNDO = f"""
{BEFORE}
DROP FUNCTION assignments_next_taken(assignments_walk, text, assignments_claimer);
{NEXT_BEFORE}
{PICK_BEFORE}
REVOKE EXECUTE ON FUNCTION assignments_next_taken(assignments_walk, text) FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("assignments", "0017_rejections")]
    operations = [migrations.RunSQL([FORWARD], [UNDO])]
