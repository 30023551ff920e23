"""Whether the site holds what it promises: every promise, the books and the audit log, computed anew when asked."""

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.audit import audit_log
from marketplace.accounts.models import StaffRole
from marketplace.accounts.queries import has_staff_role
from marketplace.api.audit_log import LogCheckShape
from marketplace.common.errors import NotFound
from marketplace.common.promises import check_promises
from marketplace.common.walks import keep_walk, last_walk, only_walk
from marketplace.ledger.audit import audit
from marketplace.ledger.queries import ledger_sum
from marketplace.rest.ask import EmptyAsk, refuse_unknown
from marketplace.rest.boundary import once, respond
from marketplace.rest.permissions import IsStaffKey, staff
from marketplace.rest.requests import KeyRequest

# What was kept under another name had another form.
WALK = "check"


class PromiseShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    sentence = serializers.CharField()
    violations = serializers.IntegerField()
    first = serializers.CharField(
        allow_blank=True, allow_null=True, help_text="The first row that breaks it; to finance only"
    )


class BooksShape(serializers.Serializer[Any]):
    transfers = serializers.IntegerField()
    postings = serializers.IntegerField()
    accounts = serializers.IntegerField()
    seals = serializers.IntegerField()
    first_bad = serializers.CharField(allow_null=True, help_text="The first row that is wrong; none where all is well")


class FoundShape(serializers.Serializer[Any]):
    violations = serializers.IntegerField(help_text="Rows that break a promise")
    promises = PromiseShape(many=True)
    books = BooksShape(allow_null=True, help_text="The books, from the transfers alone; to finance only")
    log = LogCheckShape(help_text="The audit log's chain")


class CheckShape(FoundShape):
    ledger_sum_micros = serializers.IntegerField()


class KeptCheckShape(FoundShape):
    made_at = serializers.DateTimeField()


def walk_everything() -> dict[str, Any]:
    """Every promise, the books and the audit log. Within `only_walk`, for it reads all that there is."""
    done = audit()
    promises = [
        {
            "name": finding.name,
            "sentence": finding.sentence,
            "violations": finding.violations,
            "first": ", ".join(map(str, finding.first[0])) if finding.first else "",
        }
        for finding in check_promises(show=1)
    ]
    return {
        "violations": sum(finding["violations"] for finding in promises),
        "promises": promises,
        "books": {name: getattr(done, name) for name in ("transfers", "postings", "accounts", "seals", "first_bad")},
        "log": asdict(audit_log()),
    }


class CheckView(APIView):
    permission_classes = [IsStaffKey]

    @extend_schema(
        summary="Check every promise, the books and the audit log against the database",
        tags=["operations"],
        responses=CheckShape,
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        with only_walk():
            found = walk_everything() | {"ledger_sum_micros": ledger_sum()}
        if not has_staff_role(request.user.pk, StaffRole.FINANCE):
            # Rows of the books and of promises say whose money it is.
            found["books"] = None
            found["promises"] = [{**promise, "first": None} for promise in found["promises"]]
        return respond(found)


class LastCheckView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="What the last check that was kept found, as the page of the books shows it",
        tags=["operations"],
        responses=KeptCheckShape,
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        last = last_walk(WALK)
        if last is None:
            raise NotFound("Nobody has checked yet.")
        return respond({"made_at": last.made_at, **last.found})

    @extend_schema(
        summary="Check everything, and keep what is found in the place of what was found before",
        tags=["operations"],
        request=EmptyAsk,
        responses={201: KeptCheckShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        EmptyAsk.of(request)
        with only_walk():
            found = walk_everything()
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            keep_walk(name=WALK, found=found)
            last = last_walk(WALK)
            assert last is not None
            return boundary.respond({"made_at": last.made_at, **last.found}, status=201)
