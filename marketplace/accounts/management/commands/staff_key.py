"""`manage.py staff_key`: the first key of a new site, and any staff key after it; as the owner of the tables."""

import json
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from marketplace.accounts.commands import create_key, ensure_staff, new_password
from marketplace.accounts.models import Scope, StaffRole
from marketplace.common.database import as_owner
from marketplace.common.transactions import one_transaction


class Command(BaseCommand):
    help = "Make a staff account if it is missing, and print a new key for it as one line of JSON."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", default="", help="the account's name, if it is made")
        parser.add_argument("--password", action="store_true", help="set a new password, to sign in on the pages by")
        parser.add_argument(
            "--role", choices=StaffRole.values, help="a role to give; without, who has none becomes a superuser"
        )
        parser.add_argument("--days", type=int, default=30, help="how long the key works")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            validate_email(options["email"])
        except ValidationError:
            raise CommandError(f"{options['email']!r} is not an e-mail address.") from None
        if not 1 <= options["days"] <= 400:
            raise CommandError("--days must lie between 1 and 400.")
        with as_owner(), one_transaction(principal="console"):
            user = ensure_staff(email=options["email"], name=options["name"], role=options["role"])
            key, token = create_key(
                user=user,
                name="staff_key",
                scopes=[Scope.STAFF],
                life=timedelta(days=options["days"]),
                at_console=True,
            )
            password = new_password(user=user) if options["password"] else None
        assert key.expiry is not None
        line = {"email": user.email, "key": token, "scopes": key.scopes, "expires_at": key.expiry.isoformat()}
        self.stdout.write(json.dumps(line | ({"password": password} if password else {})))
