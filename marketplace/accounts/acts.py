"""What is written into the audit log (R36): the acts by name, and in which form it says what they changed. Pure.

An act is named `<kind>.<what>`. A row holds ids, words of the program, numbers and times; sentences of people stay with
what they are about (a sanction's words, a deposit's evidence), which the row names.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

KINDS = {
    "money": "Money",
    "permission": "Permissions",
    "reject": "Rejections and appeals",
    "sanction": "Sanctions",
    "gold": "Looks at gold",
    "export": "Exports",
    "configuration": "Configuration",
    "person": "Looks at personal data",
}
ACTS = {
    # money
    "money.deposit_recorded", "money.deposit_reversed", "money.deposits_reconciled", "money.batch_published",
    "money.batch_closed", "money.batch_cancelled", "money.places_added", "money.answers_accepted",
    "money.answers_upheld", "money.answers_released",
    "money.bonus_paid", "money.destination_added", "money.destination_removed",
    "money.threshold_set", "money.payout_requested", "money.payout_cancelled", "money.payout_approved",
    "money.payout_refused", "money.run_made", "money.run_released", "money.run_file_taken", "money.outcome_reported",
    "money.payouts_reconciled", "money.invoice_issued", "money.invoice_credited",
    # permission
    "permission.requester_founded", "permission.member_added", "permission.member_invited",
    "permission.invitation_ended", "permission.member_removed", "permission.role_changed", "permission.key_made",
    "permission.key_revoked", "permission.people_invited", "permission.invitation_accepted",
    "permission.staff_granted", "permission.staff_revoked",
    "permission.password_drawn", "permission.adjudicator_named", "permission.accounts_linked", "permission.link_ended",
    # rejections
    "reject.answers", "reject.answers_returned", "reject.review_approved", "reject.review_refused",
    "reject.appeal_decided",
    # sanctions, bans among them
    "sanction.imposed", "sanction.lifted",
    # gold
    "gold.viewed", "gold.key_confirmed", "gold.key_retired", "gold.keys_set", "gold.keys_taken",
    # exports
    "export.results", "export.answers", "export.dataset_asked", "export.archive", "export.link_made",
    "export.link_ended", "export.statement", "export.spending", "export.figures", "export.liabilities",
    # configuration
    "configuration.platform_rules", "configuration.billing_details", "configuration.version_published",
    "configuration.webhook_added", "configuration.webhook_changed", "configuration.webhook_removed",
    "configuration.secret_rotated", "configuration.letter_retried", "configuration.deployed",
    # looks of staff at people
    "person.viewed", "person.searched",
}  # fmt: skip
NAME = re.compile(r"[a-z0-9_]{1,40}")
WORD = re.compile(r"[A-Za-z0-9_.:+-]{0,80}")
LIST_MAX = 50


def kind_of(act: str) -> str:
    """The kind of an act.

    >>> kind_of("money.deposit_recorded")
    'money'
    """
    return act.partition(".")[0]


def plain(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The facts as the log takes them: ids and times become text, long lists a part of them and how many they were.

    Raises `ValueError` for what is no id, word, number or time: a sentence or an address of a person.

    >>> plain({"state": "approved", "amount_micros": 5, "at": date(2026, 1, 31)})
    {'state': 'approved', 'amount_micros': 5, 'at': '2026-01-31'}
    """
    if facts is None:
        return None
    told: dict[str, Any] = {}
    for name, given in facts.items():
        if NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name for a fact of the audit log")
        if isinstance(given, list | tuple | set | frozenset):
            told[name] = [_plain(name, one) for one in list(given)[:LIST_MAX]]
            if len(given) > LIST_MAX:
                told[f"{name}_count"] = len(given)
        else:
            told[name] = _plain(name, given)
    return told


def _plain(name: str, given: Any) -> Any:
    if given is None or isinstance(given, bool | int | float):
        return given
    text = given.isoformat() if isinstance(given, datetime | date) else str(given)
    if not isinstance(given, str | UUID | datetime | date) or WORD.fullmatch(text) is None:
        raise ValueError(f"{name} is neither id nor word nor number: it does not belong into the audit log")
    return text
