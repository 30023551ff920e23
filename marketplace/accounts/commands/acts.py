"""Writing the audit log (R36)."""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from structlog.contextvars import get_contextvars

from marketplace.accounts.acts import ACTS, plain
from marketplace.common.database import run, value
from marketplace.common.transactions import acting, require_transaction

RECORD = "SELECT accounts_record(%s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s)"
# Principals that are a person: `key-user:7` came with a key, `form-user:7` by a form of a page.
PERSON = re.compile(r"([a-z-]+)-user:(\d+)")
REQUEST = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


def record(
    act: str,
    *,
    subject: str,
    subject_id: Any,
    by: int | None = None,
    why: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write one row into the audit log, in the transaction of the act that it tells of.

    `subject` and `subject_id` name what it was done to, by its kind and public id. Who did it is `by`, or else the
    principal of the transaction; `why` is a word of the program, where there is one. Sentences, names and addresses do
    not belong here: they stay with what the row names. The row is sealed when the transaction commits.
    """
    require_transaction()
    assert act in ACTS, f"{act} is not in the list of acts"
    principal = acting()
    person = PERSON.fullmatch(principal)
    via = person[1] if person else principal.partition(":")[0] or "system"
    actor = by if by is not None else int(person[2]) if person else None
    run(
        RECORD,
        [act, actor, via, subject, str(subject_id), why, _json(before), _json(after), request_id()],
    )


def request_id() -> str:
    """The id of the request or the task that this is part of, as its logs have it; empty where it has none, and then
    the log names the transaction."""
    found = get_contextvars()
    text = str(found.get("request_id") or found.get("task_id") or "")
    return text if REQUEST.fullmatch(text) else ""


def make_act_anchor() -> bool:
    """Write down the end of the chain for today; whether this was the first time today."""
    require_transaction()
    return bool(value("SELECT accounts_anchor_acts()"))


def act_anchor_sent(*, day: date) -> None:
    """Note that the anchor of the day has been sent."""
    require_transaction()
    run("UPDATE accounts_actanchor SET sent_at = market_now() WHERE day = %s AND sent_at IS NULL", [day])


def _json(facts: Mapping[str, Any] | None) -> str | None:
    told = plain(facts)
    return None if told is None else json.dumps(told)
