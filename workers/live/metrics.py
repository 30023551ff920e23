"""`/metrics`: how the site fares, for Prometheus. The figures are those that staff see of the market, and nobody's own.

What happens to a request (rates, statuses, durations by route) is in the lines of the logs, one for each.
"""

from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from marketplace.common.exposition import CONTENT_TYPE, Gauge, exposition, gauge, gauges
from marketplace.common.limits import client_of
from marketplace.common.outbox import backlogs, horizon
from marketplace.ledger.queries import head
from marketplace.payouts.queries import in_flight
from marketplace.rest.permissions import IsStaffKey
from marketplace.results.queries.market import LATE_S, market_state
from marketplace.streams.presence import KINDS, online
from marketplace.streams.queries import health
from workers.assignments.queries import payments_due, working_now


class IsFromAllowedAddress(BasePermission):
    """The request comes from where the settings let metrics be read without a key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        try:
            address = ip_address(client_of(request))
        except ValueError:
            return False
        return any(address in allowed for allowed in settings.METRICS_ADDRESSES)


@extend_schema(exclude=True)
class Metrics(APIView):
    permission_classes = [IsFromAllowedAddress | IsStaffKey]

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """There is one form, whatever is asked for; refusals are problems as everywhere."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request) -> HttpResponse:
        response = HttpResponse(exposition(found()), content_type=CONTENT_TYPE)
        response["Cache-Control"] = "no-store"
        return response


def found() -> list[Gauge]:
    """All figures, as they are now. What Redis does not say is left out."""
    market, relay, flight = market_state(), health(), in_flight()
    due = {kind: market[f"{kind}_s"] or 0.0 for kind in LATE_S}
    return [
        gauges("outbox_backlog_events", "Events that a reader has not seen.", "reader", {**backlogs()}),
        gauge("outbox_held_seconds", "How long a running transaction has held back all readers of events.", horizon()),
        gauge("relay_late_seconds", "Age of the oldest event that is not relayed to streams.", relay.oldest_s),
        gauge("relay_skipped_events", "Events that no route could read.", relay.skipped),
        gauges("batches", "Batches that are not over, by state.", "state", market["batches"]),
        gauge("open_places", "Places that can be taken, of published batches.", market["places_left"]),
        gauge("leases", "Live leases; 10000 is that or more.", market["leases"]),
        gauge("workers_working", "Workers who hold a live lease.", working_now()),
        gauge("workers_waiting", "Workers who wait for work.", market["workers_waiting"]),
        gauges("online", "People with an open socket, by kind.", "kind", {kind: online(kind) for kind in KINDS}),
        gauges("late_seconds", "How long the oldest of what is due has waited, by queue.", "queue", due),
        gauge("payments_due", "Accepted answers that are not paid yet; 10000 is that or more.", payments_due()),
        gauge("seals_late_seconds", "How long the oldest transfer without a seal has waited.", head().unsealed_s),
        gauge("dead_letters", "Sweeps and items that were put aside.", market["dead_letters"]),
        _payouts("payouts", "Payouts on their way.", "count", flight),
        _payouts("payouts_amount_micros", "Millionths of the currency on their way.", "amount_micros", flight),
        _payouts("payouts_oldest_seconds", "Age of the oldest payout on its way.", "oldest_s", flight),
    ]


def _payouts(name: str, text: str, column: str, flight: list[dict[str, Any]]) -> Gauge:
    kinds = ("provider", "currency", "state")
    return Gauge(name, text, tuple(({kind: row[kind] for kind in kinds}, row[column]) for row in flight))
