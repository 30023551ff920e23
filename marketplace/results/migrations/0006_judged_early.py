"""Answers may be judged by each other while places are open, and their task may become gold all the same."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("results", "0005_rejections")]
    operations = [
        migrations.RemoveIndex("consensus", "consensus_sure"),
        migrations.AddIndex(
            "consensus",
            models.Index(condition=Q(sure=True, settled=False), fields=["batch_id", "made_at"], name="consensus_sure"),
        ),
    ]
