"""`./run manage relay`: a process of the site that turns events into facts and offers places that open, as long as it
lives."""

import signal
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand

from marketplace.common.boot import require_safety
from workers.live.offering import Offers
from workers.live.relaying import relay_until


class Command(BaseCommand):
    help = (
        "Relay events to personal streams and topics, and offer places that open, until stopped. Several may run:"
        " one relays at a time."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        require_safety()
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        offers = Offers()
        relay_until(stop.is_set, then=lambda done: offers.look(done.topics))
        offers.stop()
