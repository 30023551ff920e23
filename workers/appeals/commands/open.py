"""A worker contests a rejection or a sanction; others speak to it."""

from uuid import UUID

from django.db import IntegrityError, transaction

from marketplace.accounts.commands.acts import record
from marketplace.accounts.models import Sanction, User
from marketplace.common.database import MarketNow
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from workers.appeals.commands.steps import add_step, held, require_words
from workers.appeals.errors import AppealInvalid, NotAppealable, NotImpartial
from workers.appeals.events import AppealMoved, AppealOpened
from workers.appeals.models import Appeal
from workers.appeals.queries import can_be_reworked, impartial
from workers.appeals.states import STATEMENTS_MAX, Kind, Method
from workers.assignments.commands.contest import contest_rejection
from workers.profiles.locks import worker_for_update
from workers.profiles.queries import users_of_person


def contest_answer(*, worker_id: int, assignment: UUID, words: str) -> Appeal:
    """Contest the rejection of one's own answer, once and within the time that the batch gives.

    Others who do the same task judge it where enough have or still may, a person otherwise. Until it is decided its
    money lies aside and no reputation is touched. Locks: worker, batch (shared), assignment. Emits `AppealOpened`.
    Raises `AppealInvalid`, `NotContestable`.
    """
    require_transaction()
    require_words(words)
    worker_for_update(worker_id)
    pk = contest_rejection(worker_id=worker_id, assignment=assignment)
    method = Method.REWORK if can_be_reworked(pk) else Method.ADJUDICATOR
    return _opened(Appeal(worker_id=worker_id, rejection_id=pk, words=words, method=method))


def contest_sanction(*, worker_id: int, sanction: UUID, words: str) -> Appeal:
    """Contest a sanction on any account of one's own person, once and until its `appeal_until`; a person judges who did
    not impose it. It stays in force meanwhile. Locks: worker. Emits `AppealOpened`. Raises `AppealInvalid`,
    `NotAppealable`.
    """
    require_transaction()
    require_words(words)
    worker_for_update(worker_id)
    found = Sanction.objects.filter(
        public_id=sanction, user_id__in=users_of_person(worker_id), lifted_at=None, appeal_until__gt=MarketNow()
    ).first()
    if found is None or Appeal.objects.filter(sanction=found).exists():
        raise NotAppealable(
            "There is no such sanction of yours, its time is over, or you have contested it before.",
            sanction=str(sanction),
        )
    return _opened(Appeal(worker_id=worker_id, sanction=found, words=words, method=Method.ADJUDICATOR))


def add_statement(*, appeal: UUID, requester_id: int, by: int, words: str) -> Appeal:
    """What the requester has to say to an appeal against a rejection of his, in five statements at most. Locks: appeal.
    Emits `AppealMoved`. Raises `NotFound`, `AppealOver`, `AppealInvalid`.
    """
    require_transaction()
    require_words(words)
    found = held(appeal, requester_id=requester_id)
    if found.steps.filter(kind=Kind.STATEMENT).count() >= STATEMENTS_MAX:
        raise AppealInvalid(
            "Enough has been said to this appeal.", errors=[{"field": "words", "message": "five statements were made"}]
        )
    add_step(found, Kind.STATEMENT, made_by=by, reason=words)
    publish(AppealMoved(appeal_id=found.pk, worker_ids=[found.worker_id]))
    return found


def name_adjudicator(*, appeal: UUID, adjudicator_id: int, by: int, reason: str) -> Appeal:
    """Have a person judge the appeal, whoever was to judge before. Locks: appeal. Emits `AppealMoved`. Raises
    `NotFound`, `AppealOver`, and `NotImpartial` where either has a part in the matter, who names or who is named.
    """
    require_transaction()
    require_words(reason)
    found = held(appeal)
    if not impartial(found.pk, by):
        raise NotImpartial("You have a part in the matter, so that somebody else says who judges.")
    if not impartial(found.pk, adjudicator_id):
        raise NotImpartial("This person has a part in the matter.")
    add_step(found, Kind.NAMED, made_by=by, reason=reason, adjudicator_id=adjudicator_id)
    named = User.objects.values_list("public_id", flat=True).get(pk=adjudicator_id)
    record("permission.adjudicator_named", subject="appeal", subject_id=appeal, by=by, after={"user": named})
    publish(AppealMoved(appeal_id=found.pk, worker_ids=[found.worker_id]))
    return found


def _opened(appeal: Appeal) -> Appeal:
    # The database writes the times; these only fill the columns until then.
    appeal.opened_at = appeal.refer_at = appeal.decide_by = MarketNow()  # type: ignore[assignment]
    try:
        with transaction.atomic():
            appeal.save(force_insert=True)
    except IntegrityError as refused:
        # Another account of the same person was faster, or the time ran out this moment.
        raise NotAppealable("This cannot be contested any more.") from refused
    appeal.refresh_from_db()
    publish(AppealOpened(appeal_id=appeal.pk, worker_ids=[appeal.worker_id]))
    return appeal
