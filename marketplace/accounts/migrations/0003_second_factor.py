"""Codes that were used, and notices to a person at every address that was lately his."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

NOW = models.Func(function="market_now", output_field=models.DateTimeField())
PERSON = {
    "on_delete": django.db.models.deletion.CASCADE,
    "related_name": "+",
    "to": settings.AUTH_USER_MODEL,
}

GUARDS = """
CREATE FUNCTION accounts_keep_address() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM accounts_formeraddress WHERE left_at < market_now() - interval '30 days';
    INSERT INTO accounts_formeraddress (user_id, email) VALUES (OLD.id, OLD.email);
    RETURN NULL;
END $$;
CREATE TRIGGER keep_address AFTER UPDATE OF email ON accounts_user FOR EACH ROW
    WHEN (OLD.email IS DISTINCT FROM NEW.email) EXECUTE FUNCTION accounts_keep_address();
ALTER TABLE accounts_user ENABLE ALWAYS TRIGGER keep_address;
REVOKE EXECUTE ON FUNCTION accounts_keep_address() FROM PUBLIC;

GRANT SELECT, INSERT, DELETE ON accounts_usedcode TO touchstone_runtime;
GRANT SELECT ON accounts_formeraddress TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (tries, next_try_at, sent_at), DELETE ON accounts_notice TO touchstone_runtime;
"""

UNDO = """
REVOKE ALL ON accounts_usedcode, accounts_formeraddress, accounts_notice FROM touchstone_runtime;
DROP TRIGGER keep_address ON accounts_user;
DROP FUNCTION accounts_keep_address();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_rights")]
    operations = [
        migrations.CreateModel(
            name="UsedCode",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "user_id", "step", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("user", models.ForeignKey(**PERSON)),
                ("step", models.BigIntegerField()),
                ("used_at", models.DateTimeField(db_default=NOW, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name="FormerAddress",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user", models.ForeignKey(**PERSON)),
                ("email", models.EmailField(max_length=254)),
                ("left_at", models.DateTimeField(db_default=NOW, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user", models.ForeignKey(**PERSON)),
                ("email", models.EmailField(max_length=254)),
                ("subject", models.TextField()),
                ("text", models.TextField()),
                ("made_at", models.DateTimeField(db_default=NOW, editable=False)),
                ("next_try_at", models.DateTimeField(db_default=NOW, editable=False)),
                ("tries", models.SmallIntegerField(db_default=0, default=0)),
                ("sent_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("sent_at", None)), fields=["next_try_at"], name="notice_to_send")
                ],
            },
        ),
        migrations.RunSQL(GUARDS, UNDO),
    ]
