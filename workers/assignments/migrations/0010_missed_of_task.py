"""A task that an import takes back is looked for among the missed ones, which no index served."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("assignments", "0009_settlement_of_worker")]
    operations = [AddIndexConcurrently("missed", models.Index(fields=["task"], name="missed_of_task"))]
