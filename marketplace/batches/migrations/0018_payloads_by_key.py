"""The look at the tasks of new payloads: by their keys, whatever the planner thinks of the tables.

Once rows were taken back, the planner may know a table of many pages as an empty one. A plan made then, for a small
import, joins all payloads with all tasks, and a connection keeps it for large ones.
"""

from importlib import import_module

from django.db import migrations

from marketplace.common.rewriting import changed

GUARDS = import_module("marketplace.batches.migrations.0006_import_guards").TOGETHER
BEFORE = GUARDS[
    GUARDS.index("CREATE FUNCTION batches_payload_of_task()") : GUARDS.index("CREATE TRIGGER payload_of_task")
].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
AFTER = changed(
    BEFORE,
    (
        """FROM fresh f LEFT JOIN batches_task t ON t.id = f.task_id
                WHERE t.batch_id IS DISTINCT FROM f.batch_id)""",
        """FROM fresh f
                WHERE (SELECT t.batch_id FROM batches_task t WHERE t.id = f.task_id) IS DISTINCT FROM f.batch_id)""",
    ),
)


class Migration(migrations.Migration):
    dependencies = [("batches", "0017_continues")]

    operations = [migrations.RunSQL(AFTER, BEFORE)]
