"""A submission tells the scoring step since when the worker held what he answered."""

from importlib import import_module

from django.db import migrations

from marketplace.common.rewriting import changed

BEFORE = import_module("workers.assignments.migrations.0011_fewer_statements")
FUNCTION = BEFORE.earlier(BEFORE.CYCLE, "assignments_submit")
TIMED = changed(
    FUNCTION,
    (
        "RETURNING a.batch_id, a.task_id, b.project_id INTO own;",
        "RETURNING a.batch_id, a.task_id, a.leased_at, b.project_id INTO own;",
    ),
    ("worker_id, values, unclear, made_at)", "worker_id, values, unclear, leased_at, made_at)"),
    (
        "p_unclear[item], moment);\n            stored :=",
        "p_unclear[item], own.leased_at, moment);\n            stored :=",
    ),
)


class Migration(migrations.Migration):
    dependencies = [("assignments", "0012_money"), ("gold", "0004_timed")]
    operations = [migrations.RunSQL([TIMED], [FUNCTION])]
