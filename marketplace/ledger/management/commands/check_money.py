"""`./run check --money`: the books recomputed from the transfers alone; exit 1 names the first row that differs."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketplace.ledger.audit import audit

COUNTED = ("transfers", "postings", "accounts", "seals", "anchors")


class Command(BaseCommand):
    help = "Recompute every posting, balance and seal from the transfers and name the first bad row."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        done = audit(lambda what, number: self.stderr.write(f"  {number:,} {what} …"))
        if options["json"]:
            facts = {name: getattr(done, name) for name in (*COUNTED, "first_bad")}
            self.stdout.write(json.dumps(facts))
        else:
            self.stdout.write(", ".join(f"{getattr(done, name):,} {name}" for name in COUNTED))
            self.stdout.write("every figure follows from the transfers" if done.first_bad is None else done.first_bad)
        if done.first_bad is not None:
            raise SystemExit(1)
