"""How far somebody has read a stream."""

from django.db import migrations, models

RIGHTS = """
GRANT SELECT, INSERT, UPDATE ON streams_reading TO touchstone_runtime;
ALTER TABLE streams_reading ADD CONSTRAINT streams_reading_seq CHECK (seq >= 0), SET (fillfactor = 70);
"""


class Migration(migrations.Migration):
    dependencies = [("streams", "0001_streams")]
    operations = [
        migrations.CreateModel(
            name="Reading",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "stream", "reader", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("stream", models.TextField()),
                ("reader", models.BigIntegerField()),
                ("epoch", models.UUIDField()),
                ("seq", models.BigIntegerField()),
                ("read_at", models.DateTimeField()),
            ],
            options={"db_table": "streams_reading"},
        ),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
