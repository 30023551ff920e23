"""`manage.py staff_role`: give somebody a staff role, or take it; from the console of the server, as the
owner of the tables."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.accounts.commands import ensure_staff, take_role
from marketplace.accounts.models import StaffRole, User
from marketplace.accounts.queries import staff_roles
from marketplace.common.database import as_owner
from marketplace.common.transactions import one_transaction


class Command(BaseCommand):
    help = "Give a staff role to an account (made if it is missing), or take it with --revoke, and print its roles."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--role", required=True, choices=StaffRole.values)
        parser.add_argument("--name", default="", help="the account's name, if it is made")
        parser.add_argument("--revoke", action="store_true", help="take the role instead")

    def handle(self, *args: Any, **options: Any) -> None:
        with as_owner(), one_transaction(principal="console"):
            if options["revoke"]:
                user = User.objects.filter(email=options["email"].strip().lower()).first()
                if user is None:
                    raise CommandError(f"{options['email']!r} has no account.")
                take_role(user_id=user.pk, role=options["role"])
            else:
                user = ensure_staff(email=options["email"], name=options["name"], role=options["role"])
        self.stdout.write(f"{user.email}: {', '.join(sorted(staff_roles(user.pk))) or 'no role'}")
