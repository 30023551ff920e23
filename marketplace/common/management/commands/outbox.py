"""`manage.py outbox`: how far each reader of events is behind, and who holds all of them back (exit 1)."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketplace.common.outbox import HORIZON_ALARM_S, backlogs, holders, horizon


class Command(BaseCommand):
    help = "Show the backlog of each reader of events, and fail while a transaction holds them back for too long."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--alarm", type=float, default=HORIZON_ALARM_S, help="seconds that are too long")

    def handle(self, *args: Any, **options: Any) -> None:
        for reader, behind in backlogs().items():
            self.stdout.write(f"{behind:>8} events before {reader}")
        held = horizon()
        self.stdout.write(f"readers are held back for {held:.1f} s")
        if held > options["alarm"]:
            for one in holders():
                self.stdout.write(f"by {one.application or one.role} in {one.database}, process {one.pid}")
            raise SystemExit(1)
