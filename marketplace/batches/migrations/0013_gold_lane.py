"""In which phase of the workers a key is shown: one that newcomers met first stays with newcomers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("batches", "0012_more_places"),
    ]

    operations = [
        migrations.AddField(
            model_name="goldkey",
            name="lane",
            field=models.CharField(
                blank=True,
                choices=[("", "None"), ("first", "First"), ("later", "Later")],
                db_default="",
                default="",
                max_length=5,
            ),
        ),
        migrations.AddConstraint(
            model_name="goldkey",
            constraint=models.CheckConstraint(
                condition=models.Q(("lane__in", ["", "first", "later"])), name="gold_key_lane"
            ),
        ),
    ]
