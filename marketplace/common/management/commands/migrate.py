"""`migrate`, and then the runtime role's rights on tables of third-party apps; our own migrations grant theirs."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.commands.migrate import Command as Migrate
from django.db import connections

THIRD_PARTY = ["account", "auth", "contenttypes", "knox", "mfa", "sessions", "usersessions"]


class Command(Migrate):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if options["plan"] or options["check_unapplied"]:
            return
        connection = connections[options["database"]]
        existing = set(connection.introspection.table_names())
        with connection.cursor() as cursor:
            for label in THIRD_PARTY:
                for model in apps.get_app_config(label).get_models(include_auto_created=True):
                    table = model._meta.db_table
                    if table in existing:
                        cursor.execute(
                            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {connection.ops.quote_name(table)}"
                            " TO touchstone_runtime"
                        )
            cursor.execute("GRANT SELECT ON django_migrations TO touchstone_runtime")
            # A login made after the first migration, as when the site moves to another server, still gets its rights.
            login = connection.ops.quote_name(settings.RUNTIME_LOGIN)
            cursor.execute(f"GRANT touchstone_runtime TO {login}")
            cursor.execute(f"GRANT gold_reader TO {login} WITH INHERIT FALSE, SET TRUE")
