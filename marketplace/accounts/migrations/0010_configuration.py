"""What the site was set to, from start to start: rows that are only added."""

from django.db import migrations, models

RIGHTS = """
ALTER TABLE accounts_configuration SET (vacuum_truncate = off, toast.vacuum_truncate = off);
GRANT SELECT, INSERT ON accounts_configuration TO touchstone_runtime;
GRANT USAGE ON SEQUENCE accounts_configuration_id_seq TO touchstone_runtime;
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON accounts_configuration FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON accounts_configuration
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE accounts_configuration ENABLE ALWAYS TRIGGER closed;
ALTER TABLE accounts_configuration ENABLE ALWAYS TRIGGER closed_truncate;
"""
UNDO = """
DROP TRIGGER closed ON accounts_configuration;
DROP TRIGGER closed_truncate ON accounts_configuration;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_staff_roles")]

    operations = [
        migrations.CreateModel(
            name="Configuration",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("settings", models.JSONField()),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=models.Func(function="market_now", output_field=models.DateTimeField()),
                        editable=False,
                    ),
                ),
            ],
        ),
        migrations.RunSQL(RIGHTS, UNDO),
    ]
