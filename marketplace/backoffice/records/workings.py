"""How the site works: what leaves it and what waits inside, by position and not by content; and the audit log."""

from urllib.parse import urlsplit

from django.contrib.admin import register
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Act, ActSeal
from marketplace.backoffice.people import MONEY, OPERATORS, SUPPORT
from marketplace.backoffice.records.site import Part, Record, column, one_of, records
from marketplace.common.models import DeadLetter, OutboxCursor, OutboxEvent
from marketplace.streams.models import Skipped, Stream
from marketplace.webhooks.models import Attempt, Delivery, Subscription


@register(Subscription, site=records)
class Webhooks(Record):
    slug, thing, group, roles = "webhooks", "webhook", "workings", SUPPORT
    label, about = _("Webhooks"), _("Which host is told of what; never the secret, nor the rest of the address.")
    list_display = ("public_id", "requester", "host", "state", "state_since", "made_at")
    list_filter = (one_of("state"),)
    search_fields = ("public_id", "requester__public_id")
    fields = (
        "public_id", "requester", "host", "events", "description", "state", "state_since", "previous_until", "made_by",
        "made_at",
    )  # fmt: skip
    # An address may have a secret in its path: its host is enough to know whom to ask.
    withheld = ("id", "url", "secret", "previous_secret")

    @column(_("Host"), "url")
    def host(self, webhook: Subscription) -> str:
        return urlsplit(webhook.url).hostname or ""


@register(Delivery, site=records)
class Deliveries(Record):
    slug, thing, group, roles = "deliveries", "delivery", "workings", SUPPORT
    label, about = _("Deliveries"), _("Events on their way to webhooks, with every try.")
    list_display = ("public_id", "subscription", "told", "state", "tries", "made_at", "ended_at")
    list_filter = (one_of("state"),)
    search_fields = ("public_id", "subscription__public_id")
    fields = ("public_id", "subscription", "told", "state", "is_replay", "tries", "made_at", "ended_at")
    # Of the event its kind; what it says is the organisation's.
    withheld = ("id", "lane", "event")
    parts = (
        Part(
            _("Tries"),
            Attempt,
            "delivery",
            ("number", "began_at", "ended_at", "status", "duration_ms", "error"),
            ("id", "delivery"),
            "-number",
        ),
    )

    @column(_("Event"), "event__kind")
    def told(self, delivery: Delivery) -> str:
        return delivery.event.kind


@register(OutboxEvent, site=records)
class OutboxEvents(Record):
    slug, thing, group, roles, handle = "outbox", "outbox_event", "workings", OPERATORS, "pk"
    label, about = _("Outbox"), _("Events that were written down, by kind and time.")
    list_display = ("id", "kind", "made_at")
    search_fields = ("id",)
    fields = ("id", "kind", "made_at")
    # A body may name a task that is gold.
    withheld = ("body",)


@register(OutboxCursor, site=records)
class OutboxReaders(Record):
    slug, thing, group, roles, handle = "readers", "outbox_reader", "workings", OPERATORS, "pk"
    label, about = _("Readers of the outbox"), _("How far each has come.")
    list_display = ("reader", "last_id", "moved_at")
    search_fields = ("reader",)
    fields = ("reader", "last_id", "moved_at")
    ordering = ("pk",)


@register(Stream, site=records)
class Streams(Record):
    slug, thing, group, roles, handle = "streams", "stream", "workings", OPERATORS, "pk"
    label, about = _("Streams"), _("The newest number of each personal stream, and what is no longer kept.")
    list_display = ("name", "seq", "trimmed")
    search_fields = ("name",)
    fields = ("name", "seq", "trimmed")
    ordering = ("pk",)


@register(Skipped, site=records)
class SkippedEvents(Record):
    slug, thing, group, roles, handle = "skipped", "skipped_event", "workings", OPERATORS, "pk"
    label, about = _("Skipped events"), _("What the relay could not read, and why.")
    list_display = ("event_id", "kind", "error", "at")
    search_fields = ("event_id",)
    fields = ("event_id", "kind", "error", "at")


@register(DeadLetter, site=records)
class DeadLetters(Record):
    slug, thing, group, roles = "letters", "dead_letter", "workings", OPERATORS
    label, about = _("Dead letters"), _("What was put aside after it killed its process too often.")
    list_display = ("public_id", "kind", "subject", "times", "parked_at", "retried_at")
    search_fields = ("public_id", "kind", "subject")
    fields = ("public_id", "kind", "subject", "error", "times", "first_at", "parked_at", "retried_at")
    withheld = ("id",)


@register(Act, site=records)
class Acts(Record):
    slug, thing, group, roles, handle = "log", "act", "workings", MONEY, "pk"
    label, about = _("Audit log"), _("Who did what to whom, with the seal of each row.")
    list_display = ("id", "act", "actor", "via", "subject", "subject_id", "made_at")
    search_fields = ("request_id", "actor__public_id", "id")
    fields = (
        "id", "act", "actor", "via", "subject", "subject_id", "why", "before", "after", "request_id", "made_at",
    )  # fmt: skip
    parts = (Part(_("Seal"), ActSeal, "act", ("seq", "leaf", "hash"), ("act",)),)
