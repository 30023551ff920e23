"""Whether a run was given the gold keys; and of objects in results, how many answers have them.

Runs and results that were made before this were given none, and do not say.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("results", "0008_datasets")]
    operations = [
        migrations.AddField("run", "with_gold", models.BooleanField(db_default=False, default=False)),
        migrations.AddField("result", "support", models.JSONField(db_column="objects", null=True)),
    ]
