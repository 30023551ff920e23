"""How many answers of a worker were accepted in a batch, for audiences that ask; built beside running payments."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("assignments", "0008_quarantine")]
    operations = [
        AddIndexConcurrently("settlement", models.Index(fields=["worker", "batch"], name="settlement_of_worker")),
    ]
