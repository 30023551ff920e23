"""`./run manage renew_epoch`: after the database was restored from a backup, every cursor that readers hold is void."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections


class Command(BaseCommand):
    help = "Make every reader of a stream begin with a snapshot; for a database that was restored from a backup."

    def handle(self, *args: Any, **options: Any) -> None:
        with connections["owner"].cursor() as cursor:
            cursor.execute("UPDATE streams_epoch SET epoch = gen_random_uuid() RETURNING epoch")
            self.stdout.write(f"The epoch is now {cursor.fetchone()[0]}.")
