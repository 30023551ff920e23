"""Who looks at what tells of somebody, or takes a table home, leaves a row in the audit log (R36)."""

from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request

from marketplace.accounts.commands.acts import record
from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction


def note_look(request: Request | HttpRequest, subject: str, subject_id: Any) -> None:
    """Write down that somebody looks at this, with a key or on a page, before he is shown it."""
    with one_transaction(principal=_principal(request)):
        record("person.viewed", subject=subject, subject_id=subject_id)


def note_search(request: Request | HttpRequest, found: int) -> None:
    """Write down that somebody looked for people, and how many he found; for whom may be an address."""
    with one_transaction(principal=_principal(request)):
        record("person.searched", subject="people", subject_id="search", after={"found": found})


def note_table(request: Request | HttpRequest, batch: Batch, table: str) -> None:
    """Write down that somebody takes a table of a batch's figures home, before he is given it."""
    with one_transaction(principal=_principal(request)):
        record("export.figures", subject="batch", subject_id=batch.public_id, after={"table": table})


def _principal(request: Request | HttpRequest) -> str:
    return f"{'page' if isinstance(request, HttpRequest) else 'key'}-user:{request.user.pk}"
