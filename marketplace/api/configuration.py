"""What the site is set to by its environment, and since when: platform terms, limits, throttles and providers."""

import logging
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.commands.configuration import keep_configuration
from marketplace.accounts.configuration import Settings, changes
from marketplace.accounts.models import Configuration
from marketplace.accounts.queries import configurations
from marketplace.common.transactions import one_transaction
from marketplace.payouts.limits import limits
from marketplace.payouts.providers.registry import offered
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsStaffKey
from marketplace.rest.requests import KeyRequest

logger = logging.getLogger("touchstone.configuration")


class PlatformTermsShape(serializers.Serializer[Any]):
    fee_basis_points = serializers.IntegerField(help_text="Of the price of each paid answer")
    fee_minimum_micros = serializers.IntegerField(help_text="And at least so much")
    dispute_basis_points = serializers.IntegerField(help_text="The least share of places to set aside for disputes")
    appeal_s = serializers.IntegerField(help_text="For so long a rejection can be contested")


class PayoutLimitsShape(serializers.Serializer[Any]):
    minimum_micros = serializers.IntegerField()
    maximum_micros = serializers.IntegerField(help_text="Of one payout")
    daily_micros = serializers.IntegerField(help_text="Of one person within 24 hours")
    daily_count = serializers.IntegerField()
    review_micros = serializers.IntegerField(help_text="From then on staff look first")


class ConfigurationShape(serializers.Serializer[Any]):
    terms = PlatformTermsShape(help_text="Frozen on each batch when it is made")
    payouts = PayoutLimitsShape()
    throttles = serializers.DictField(child=serializers.CharField(), help_text="What strangers may try")
    providers = serializers.DictField(child=serializers.BooleanField(), help_text="The ways of paying out, offered now")


class ConfigurationChangeShape(serializers.Serializer[Any]):
    group = serializers.CharField()
    name = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class StartedShape(serializers.Serializer[Any]):
    made_at = serializers.DateTimeField()
    by = serializers.ChoiceField(choices=["deployment"], help_text="Values come from the environment of the site")
    first = serializers.BooleanField(help_text="Whether nothing was written down before")
    changes = ConfigurationChangeShape(many=True)


def settings_now() -> Settings:
    """What this process is set to; no secret is among it."""
    return {
        "terms": dict(settings.PLATFORM_TERMS),
        "payouts": asdict(limits()),
        "throttles": dict(settings.THROTTLES),
        "providers": {provider.name: True for provider in offered()},
    }


def keep_at_start() -> None:
    """Write down what the site starts with, if it differs. A history that cannot be written stops no site."""
    try:
        with one_transaction(principal="deployment"):
            keep_configuration(settings_now())
    except DatabaseError:
        logger.warning("what the site is set to could not be written down", exc_info=True)
    finally:
        connection.close()


def started_shape(row: Configuration) -> dict[str, Any]:
    """A row of `queries.configurations`."""
    previous = row.previous  # type: ignore[attr-defined]
    return {
        "made_at": row.made_at,
        "by": "deployment",
        "first": previous is None,
        "changes": [asdict(change) for change in changes(previous or {}, row.settings)] if previous else [],
    }


class ConfigurationView(APIView):
    permission_classes = [IsStaffKey]

    @extend_schema(summary="What the site is set to now", tags=["operations"], responses=ConfigurationShape)
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        return respond(settings_now())


class ConfigurationHistoryView(APIView):
    permission_classes = [IsStaffKey]

    @extend_schema(
        summary="What changed in it from start to start, the newest first", tags=["operations"], **listing(StartedShape)
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, configurations(), started_shape, descending=True)
