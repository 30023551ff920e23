"""Mails to people who have no account yet: the code that opens one."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

UNDO = "DELETE FROM accounts_notice WHERE user_id IS NULL"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0012_own_limits")]

    operations = [
        migrations.RunSQL(migrations.RunSQL.noop, UNDO),
        migrations.AlterField(
            "notice",
            "user",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
    ]
