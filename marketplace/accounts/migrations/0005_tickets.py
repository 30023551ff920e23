"""Tickets that open a socket once."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

RIGHTS = "GRANT SELECT, INSERT, DELETE ON accounts_ticket TO touchstone_runtime;"
UNDO = "REVOKE ALL ON accounts_ticket FROM touchstone_runtime;"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_sanctions")]
    operations = [
        migrations.CreateModel(
            name="Ticket",
            fields=[
                ("digest", models.TextField(primary_key=True, serialize=False)),
                ("key_digest", models.TextField(null=True)),
                ("session_key", models.TextField(null=True)),
                ("socket", models.TextField()),
                ("expires_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["expires_at"], name="ticket_expires_at")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("key_digest", None), ("session_key__isnull", False)),
                            models.Q(("key_digest__isnull", False), ("session_key", None)),
                            _connector="OR",
                        ),
                        name="ticket_bound",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("socket__in", ["worker", "requester", "admin"])), name="ticket_socket"
                    ),
                ],
            },
        ),
        migrations.RunSQL(RIGHTS, UNDO),
    ]
