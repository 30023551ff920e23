"""A queue of tasks to look at, those of least agreement first."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("results", "0012_disputed")]
    operations = [
        AddIndexConcurrently(
            "consensus",
            models.Index(
                condition=Q(("disputed", True), ("settled", True)),
                fields=["batch_id", "posterior", "task"],
                name="consensus_disputed",
            ),
        )
    ]
