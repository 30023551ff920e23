"""Several accounts that are one person's count as one worker (R13, R41)."""

from collections.abc import Sequence
from uuid import UUID

from marketplace.accounts.commands.acts import record
from marketplace.accounts.errors import OwnMatter
from marketplace.common.database import value
from marketplace.common.transactions import require_transaction
from workers.profiles.errors import LinkEnded, WorkersUnknown
from workers.profiles.models import Link, Worker
from workers.profiles.queries import own_among, own_link

LINK_MAX = 100
OWN = "Nobody links his own accounts, or ends their link."


def link_accounts(*, workers: Sequence[UUID], reason: str, by: int) -> Link:
    """Let the accounts count as one person from now on; the oldest of all that hang together stands for him.

    What they did before stays as it is: answers that two of them gave to one task are not undone. Locks: all their
    accounts, those that stand for a person last. Raises `WorkersUnknown`, and `OwnMatter` where one of them is of the
    person who links them.
    """
    require_transaction()
    known = dict(Worker.objects.filter(public_id__in=workers).values_list("public_id", "pk"))
    errors = [
        {"field": f"workers[{place}]", "message": "is no worker"}
        for place, public_id in enumerate(workers)
        if public_id not in known
    ]
    if not errors and len(known) < 2:
        errors = [{"field": "workers", "message": "must name two accounts or more"}]
    if errors:
        raise WorkersUnknown("Some of these cannot be linked.", errors=errors)
    if own_among(known.values(), by):
        raise OwnMatter(OWN)
    made = Link.objects.get(pk=value("SELECT profiles_link(%s, %s, %s)", [sorted(known.values()), reason, by]))
    after = {"workers": sorted(known)}
    record("permission.accounts_linked", subject="link", subject_id=made.public_id, by=by, after=after)
    return made


def end_link(*, link: Link, reason: str, by: int) -> Link:
    """The link was wrong: its accounts are persons of their own again, as far as no other link holds them together.

    Locks as `link_accounts`. Raises `LinkEnded`, `OwnMatter`.
    """
    require_transaction()
    if own_link(link.pk, by):
        raise OwnMatter(OWN)
    if not value("SELECT profiles_unlink(%s, %s, %s)", [link.pk, reason, by]):
        raise LinkEnded("This link has ended already.")
    record("permission.link_ended", subject="link", subject_id=link.public_id, by=by)
    link.refresh_from_db()
    return link
