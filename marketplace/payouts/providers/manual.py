"""Payouts by hand: a table of the run as CSV, for whoever pays by whatever means he has."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from marketplace.common.cells import safe_cell
from marketplace.payouts.providers.base import FileProvider, Order

NAME_MAX, ACCOUNT_MAX = 100, 200


class Manual(FileProvider):
    """Always offered: it needs nothing but somebody who pays."""

    name = "manual"
    title = "By hand"
    fields = {
        "name": "Who is paid",
        "account": "Where the money goes: an account number, an address, whatever the operator and you agreed on",
    }
    content_type = "text/csv; charset=utf-8"
    extension = "csv"

    @classmethod
    def configured(cls) -> bool:
        return True

    def check(self, details: Mapping[str, str], currency: str) -> dict[str, str]:
        wrong = {name: "is not known here" for name in details if name not in self.fields}
        for name, longest in (("name", NAME_MAX), ("account", ACCOUNT_MAX)):
            text = details.get(name, "")
            if not text.strip():
                wrong[name] = "is needed"
            elif len(text) > longest:
                wrong[name] = f"has more than {longest} characters"
            elif not text.isprintable():
                wrong[name] = "has characters that cannot be printed"
        if "account" not in wrong and not re.search(r"\w", details["account"]):
            wrong["account"] = "has no letter and no digit"
        return wrong

    def canonical(self, details: Mapping[str, str]) -> str:
        # The receiver is the account: another name on it is the same money.
        return re.sub(r"[\W_]+", "", details["account"]).casefold()

    def shown(self, details: Mapping[str, str]) -> str:
        account = re.sub(r"[\W_]+", "", details["account"])
        return f"{details['name'].strip()}, …{account[-4:]}" if len(account) > 8 else f"{details['name'].strip()}, …"

    def write(self, orders: Sequence[Order], *, run: str, made_at: datetime) -> bytes:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(["run", "made_at", "key", "name", "account", "amount", "currency", "reference"])
        for order in orders:
            whole, cents = divmod(order.amount_cents, 100)
            cells = [run, made_at.isoformat(), order.key, order.details["name"], order.details["account"]]
            cells += [f"{whole}.{cents:02d}", order.currency, order.reference]
            writer.writerow([safe_cell(cell) for cell in cells])
        return buffer.getvalue().encode()
