"""`./run check --log`: the audit log's chain computed anew; exit 1 names the first row that is wrong."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketplace.accounts.audit import audit_log


class Command(BaseCommand):
    help = "Follow the audit log's chain of hashes from its start and name the first bad row."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        done = audit_log(lambda what, number: self.stderr.write(f"  {number:,} {what} …"))
        if options["json"]:
            self.stdout.write(json.dumps(asdict(done)))
        else:
            self.stdout.write(f"{done.rows:,} rows, {done.anchors:,} anchors")
            self.stdout.write("every row says what it said" if done.first_bad is None else done.first_bad)
        if done.first_bad is not None:
            raise SystemExit(1)
