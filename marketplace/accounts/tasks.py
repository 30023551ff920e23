"""Celery entry points of accounts."""

import logging
from typing import Any

from django.conf import settings
from django.core.mail import send_mail

from marketplace.accounts import second_factor  # noqa: F401  (registers what it forgets)
from marketplace.accounts.commands import (
    act_anchor_sent,
    make_act_anchor,
    notice_sent,
    take_notices,
    tickets,  # noqa: F401  (the same)
)
from marketplace.accounts.queries import act_anchors
from marketplace.common.chains import send_anchor
from marketplace.common.sweeps import got_on, sweep
from marketplace.common.transactions import one_transaction

logger = logging.getLogger("touchstone.accounts")


@sweep
def send_notices(**_: Any) -> None:
    """Send the mails that are due. One may be sent twice, as after a crash; none is ever left out."""
    with one_transaction(principal="system"):
        notices = take_notices()
    for notice in notices:
        try:
            send_mail(subject=notice.subject, message=notice.text, from_email=None, recipient_list=[notice.email])
        except Exception:
            # A mail server says no in many ways; the next try is due in a while.
            logger.exception("a notice could not be sent")
            continue
        with one_transaction(principal="system"):
            notice_sent(notice_id=notice.pk)
            got_on()


@sweep
def anchor_acts_daily(**_: Any) -> None:
    """Write the end of the audit log's chain down once a day, and mail it to those who keep the ledger's elsewhere."""
    with one_transaction(principal="system"):
        make_act_anchor()
    if not settings.LEDGER_ANCHOR_EMAILS:
        return
    for anchor in act_anchors().filter(sent_at=None).reverse():
        facts = {"day": anchor.day, "seq": anchor.seq, "hash": bytes(anchor.hash).hex()}
        send_anchor(what="Audit log", anchor=facts, to=settings.LEDGER_ANCHOR_EMAILS)
        with one_transaction(principal="system"):
            act_anchor_sent(day=anchor.day)
