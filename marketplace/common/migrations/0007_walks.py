"""What the last walk over all that was written found, so that a page can tell without walking itself."""

from django.db import migrations, models

RIGHTS = """
ALTER TABLE common_walk SET (vacuum_truncate = off, toast.vacuum_truncate = off);
GRANT SELECT, INSERT, UPDATE (found, made_at) ON common_walk TO touchstone_runtime;
"""


class Migration(migrations.Migration):
    dependencies = [("common", "0006_outbox_add_request")]

    operations = [
        migrations.CreateModel(
            name="Walk",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("found", models.JSONField()),
                ("made_at", models.DateTimeField()),
            ],
            options={"db_table": "common_walk"},
        ),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
