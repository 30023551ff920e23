"""An answer on its way to the scoring step says since when its worker held it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gold", "0003_attempts")]
    operations = [migrations.AddField("toscore", "leased_at", models.DateTimeField(null=True))]
