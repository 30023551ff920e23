"""`./run check`: every promise, the rows that break it, exit 1 if any does."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketplace.common.promises import check_promises


class Command(BaseCommand):
    help = "Check every promise against the database and print the first rows that break one."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = check_promises()
        broken = sum(finding.violations for finding in findings)
        if options["json"]:
            promises = [{"name": f.name, "sentence": f.sentence, "violations": f.violations} for f in findings]
            self.stdout.write(json.dumps({"violations": broken, "promises": promises}))
        else:
            for finding in findings:
                mark = "ok  " if not finding.violations else "FAIL"
                self.stdout.write(f"{mark} {finding.name[4:].upper():<6} {finding.sentence}")
                for row in finding.first:
                    facts = ", ".join(f"{name}={cell}" for name, cell in zip(finding.columns, row, strict=True))
                    self.stdout.write(f"       {facts}")
            self.stdout.write(f"{len(findings)} promises checked, {broken} violations")
        if broken:
            raise SystemExit(1)
