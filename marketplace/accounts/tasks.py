"""Celery entry points of accounts."""

import logging
from typing import Any

from django.core.mail import send_mail

from marketplace.accounts import second_factor  # noqa: F401  (registers what it forgets)
from marketplace.accounts.commands import (
    notice_sent,
    take_notices,
    tickets,  # noqa: F401  (the same)
)
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
