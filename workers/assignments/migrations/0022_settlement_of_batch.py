"""The last answers of a batch that were accepted, for what its work pays an hour; built beside running payments."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("assignments", "0021_told")]
    operations = [
        AddIndexConcurrently("settlement", models.Index(fields=["batch", "assignment"], name="settlement_of_batch")),
    ]
