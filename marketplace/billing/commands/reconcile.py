"""Hold a report of a bank or provider against the deposits recorded here."""

import hashlib

from marketplace.accounts.commands.acts import record
from marketplace.accounts.models import User
from marketplace.billing.models import DepositReport
from marketplace.billing.queries import recorded_entries
from marketplace.billing.reports import compare, read_report
from marketplace.common.transactions import require_transaction


def reconcile_deposits(*, channel: str, body: bytes, by: User) -> DepositReport:
    """Compare the report with the deposits of the channel, and store what was found; it changes no deposit.

    Deposits that were taken back count as not recorded. What is recorded and not reported is looked for in the days
    from the report's first to its last, by the day of recording. Raises `ReportInvalid`.
    """
    require_transaction()
    told = read_report(body)
    first, last = min(entry.day for entry in told), max(entry.day for entry in told)
    recorded = recorded_entries(channel, [entry.reference for entry in told], first, last)
    found = compare(told, recorded, first=first, last=last)
    report = DepositReport.objects.create(
        channel=channel,
        day_from=first,
        day_to=last,
        sha256=hashlib.sha256(body).digest(),
        rows=len(told),
        matched=found.matched,
        findings=found.findings(),
        uploaded_by=by,
    )
    report.refresh_from_db()
    record(
        "money.deposits_reconciled",
        subject="deposit_report",
        subject_id=report.public_id,
        by=by.pk,
        after={
            "channel": channel,
            "rows": report.rows,
            "matched": report.matched,
            **{name: len(items) for name, items in report.findings.items()},
        },
    )
    return report
