"""A task that an import takes back is looked for among the results, which no index served."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("results", "0002_rights")]
    operations = [AddIndexConcurrently("result", models.Index(fields=["task"], name="result_of_task"))]
