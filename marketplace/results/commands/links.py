"""Links by which others download a data set for a while."""

import secrets
from datetime import timedelta
from uuid import UUID

from django.db.models import Q

from marketplace.accounts.commands.acts import record
from marketplace.common.database import MarketNow, value
from marketplace.common.errors import NotFound
from marketplace.common.transactions import require_transaction
from marketplace.results.errors import DatasetUnfinished
from marketplace.results.models import Dataset, DatasetLink
from marketplace.results.queries.datasets import link_digest
from marketplace.results.states import DatasetState

LIFE_MAX_S = 30 * 86_400
NOTED_EVERY = timedelta(minutes=1)


def make_link(*, dataset_id: int, life: timedelta, by: int) -> tuple[DatasetLink, str]:
    """A new link to a finished version, and its secret, which is kept nowhere. Raises `DatasetUnfinished`."""
    require_transaction()
    state = Dataset.objects.values_list("state", flat=True).get(pk=dataset_id)
    if state != DatasetState.DONE:
        raise DatasetUnfinished("Only a version that is done can be linked to.", state=state)
    token = secrets.token_urlsafe(32)
    made = DatasetLink.objects.create(
        of_id=dataset_id,
        digest=link_digest(token),
        made_by_id=by,
        expires_at=value("SELECT market_now() + %s", [min(life, timedelta(seconds=LIFE_MAX_S))]),
    )
    made.refresh_from_db()
    after = {"batch": made.of.batch.public_id, "version": made.of.number, "expires_at": made.expires_at}
    record("export.link_made", subject="dataset_link", subject_id=made.public_id, by=by, after=after)
    return made, token


def note_use(*, link: DatasetLink, from_byte: int) -> bool:
    """Write down that somebody downloads by the link, at most once within `NOTED_EVERY`: a download may come in a
    thousand pieces, and whoever has the link could make the log as long as he likes. Whether this was written."""
    require_transaction()
    # Of those who come at once, the others wait for the first and then find it too young.
    seldom = Q(used_at=None) | Q(used_at__lte=MarketNow() - NOTED_EVERY)
    fresh = DatasetLink.objects.filter(seldom, pk=link.pk, ended_at=None).update(used_at=MarketNow())
    if fresh:
        after = {"version": link.of.number, "from_byte": from_byte, "link": link.public_id}
        record("export.archive", subject="batch", subject_id=link.of.batch.public_id, after=after)
    return bool(fresh)


def end_link(*, dataset_id: int, link: UUID) -> DatasetLink:
    """End a link to the version; repeating it changes nothing. Raises `NotFound`."""
    require_transaction()
    live = DatasetLink.objects.filter(of_id=dataset_id, public_id=link, ended_at=None)
    if live.update(ended_at=MarketNow()):
        record("export.link_ended", subject="dataset_link", subject_id=link)
    found = DatasetLink.objects.filter(of_id=dataset_id, public_id=link).first()
    if found is None:
        raise NotFound("There is no such link.")
    return found
