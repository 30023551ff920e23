"""What a worker agrees to be shown although it may disturb, and that he is of age."""

import django.contrib.postgres.fields
from django.db import migrations, models

KINDS = ["violence", "nudity", "hate", "self_harm", "medical"]
RIGHTS = "GRANT UPDATE (content, of_age_at) ON profiles_worker TO touchstone_runtime;"
UNDO = "REVOKE UPDATE (content, of_age_at) ON profiles_worker FROM touchstone_runtime;"


class Migration(migrations.Migration):
    dependencies = [("profiles", "0005_histories")]
    operations = [
        migrations.AddField(
            "worker",
            "content",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=12), blank=True, db_default=[], default=list, size=None
            ),
        ),
        migrations.AddField("worker", "of_age_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddConstraint(
            "worker",
            models.CheckConstraint(condition=models.Q(content__contained_by=KINDS), name="worker_content"),
        ),
        migrations.RunSQL(RIGHTS, UNDO),
    ]
