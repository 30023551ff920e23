"""Payouts as staff see them: decisions, runs for files, reports of providers, and what providers tell by themselves."""

from typing import Any
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from marketplace.accounts.models import StaffRole
from marketplace.api.looks import note_look
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.payouts.commands.notices import read_notices, take_in_notices
from marketplace.payouts.commands.payouts import approve_payout, refuse_payout
from marketplace.payouts.commands.reports import take_in_report
from marketplace.payouts.commands.runs import RUN_MAX, make_run, release_run, report_outcome, take_file
from marketplace.payouts.errors import NoticeRefused
from marketplace.payouts.models import PROVIDER_MAX, REASON_MAX, Attempt, Payout, Report, Run
from marketplace.payouts.queries import attempts, in_flight, payouts_in, payouts_of_run, reports, run_for, runs
from marketplace.payouts.states import AttemptKind, Outcome, PayoutState
from marketplace.rest.ask import Ask, EmptyAsk, refuse_unknown
from marketplace.rest.boundary import once, principal_of, respond
from marketplace.rest.errors import TooMany
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of, whole
from marketplace.rest.parsing import AnyBodyParser
from marketplace.rest.permissions import staff
from marketplace.rest.requests import KeyRequest
from marketplace.rest.throttles import Limit, address_of

NOTICE_BYTES_MAX = 256 * 1024
REPORT_CHARACTERS_MAX = 3_000_000


class RefuseAsk(Ask):
    reason = serializers.CharField(max_length=REASON_MAX, help_text="The worker reads it")


class RunAsk(Ask):
    provider = serializers.CharField(max_length=PROVIDER_MAX)
    currency = serializers.CharField(min_length=3, max_length=3)
    payouts = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        min_length=1,
        max_length=1_000,
        help_text=f"Left out: all that are approved, up to {RUN_MAX}",
    )


class OutcomeAsk(Ask):
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    payouts = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        min_length=1,
        max_length=1_000,
        help_text="Left out: the whole run",
    )
    reason = serializers.CharField(max_length=REASON_MAX, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["outcome"] != Outcome.SETTLED and not attrs["reason"].strip():
            raise serializers.ValidationError({"reason": "Is needed where money comes back."})
        return attrs


class ReportAsk(Ask):
    provider = serializers.CharField(max_length=PROVIDER_MAX)
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    csv = serializers.CharField(
        max_length=REPORT_CHARACTERS_MAX,
        trim_whitespace=False,
        help_text="Columns key, reference, amount (as 12.50), currency, state (settled, failed, accepted)",
    )


class PayoutShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    user = serializers.EmailField()
    provider = serializers.CharField()
    key = serializers.CharField(help_text="What the provider knows it by")
    reference = serializers.CharField(allow_blank=True, help_text="The provider's own")
    currency = serializers.CharField()
    amount_micros = serializers.IntegerField()
    shown = serializers.CharField(help_text="The destination, masked")
    usable_from = serializers.DateTimeField(help_text="Nothing is paid there before")
    state = serializers.ChoiceField(choices=PayoutState.choices)
    needs_review = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)
    decided_by = serializers.EmailField(allow_null=True)
    run = serializers.UUIDField(allow_null=True)
    requested_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True)
    settled_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    doubtful_since = serializers.DateTimeField(allow_null=True)


class InFlightShape(serializers.Serializer[Any]):
    provider = serializers.CharField()
    currency = serializers.CharField()
    state = serializers.ChoiceField(choices=PayoutState.choices)
    count = serializers.IntegerField()
    amount_micros = serializers.IntegerField()
    oldest_at = serializers.DateTimeField()
    oldest_s = serializers.IntegerField()


class PayoutRunShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    provider = serializers.CharField()
    currency = serializers.CharField()
    payouts = serializers.IntegerField()
    total_micros = serializers.IntegerField()
    open = serializers.IntegerField(help_text="Of these nobody has said what came of them")
    made_by = serializers.EmailField()
    made_at = serializers.DateTimeField()
    released_by = serializers.EmailField(allow_null=True, help_text="Who looked second: before, there is no file")
    released_at = serializers.DateTimeField(allow_null=True)


class OutcomesShape(serializers.Serializer[Any]):
    changed = serializers.IntegerField()


class FindingShape(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(
        choices=("paid-unknown", "paid-not-settled", "settled-missing", "amount-differs", "doubled")
    )
    key = serializers.CharField()
    detail = serializers.CharField()


class ReportShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    provider = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    rows = serializers.IntegerField()
    sha256 = serializers.CharField()
    findings = FindingShape(many=True)
    made_by = serializers.EmailField()
    made_at = serializers.DateTimeField()


class AttemptShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=AttemptKind.choices)
    user = serializers.EmailField(help_text="Who wanted it")
    owner = serializers.EmailField(help_text="Whose it is or was")
    shown = serializers.CharField()
    made_at = serializers.DateTimeField()


class TakenInShape(serializers.Serializer[Any]):
    new = serializers.IntegerField(help_text="Events that were not told before")


def payout_shape(payout: Payout) -> dict[str, Any]:
    return {
        "id": payout.public_id,
        "user": payout.user.email,
        "provider": payout.provider,
        "key": payout.provider_key,
        "reference": payout.provider_ref,
        "currency": payout.currency,
        "amount_micros": payout.amount_micros,
        "shown": payout.destination.shown,
        "usable_from": payout.destination.usable_from,
        "state": payout.state,
        "needs_review": payout.needs_review,
        "reason": payout.reason,
        "decided_by": None if payout.decided_by is None else payout.decided_by.email,
        "run": None if payout.run is None else payout.run.public_id,
        "requested_at": payout.requested_at,
        "decided_at": payout.decided_at,
        "sent_at": payout.sent_at,
        "settled_at": payout.settled_at,
        "ended_at": payout.ended_at,
        "doubtful_since": payout.doubtful_since,
    }


def run_shape(run: Run) -> dict[str, Any]:
    counted: Any = run
    release = getattr(run, "release", None)
    return {
        "id": run.public_id,
        "provider": run.provider,
        "currency": run.currency,
        "payouts": counted.count,
        "total_micros": counted.total_micros,
        "open": counted.open,
        "made_by": run.made_by.email,
        "made_at": run.made_at,
        "released_by": release and release.made_by.email,
        "released_at": release and release.made_at,
    }


def report_shape(report: Report) -> dict[str, Any]:
    return {
        "id": report.public_id,
        "provider": report.provider,
        "since": report.since,
        "until": report.until,
        "rows": report.rows,
        "sha256": bytes(report.sha256).hex(),
        "findings": report.findings,
        "made_by": report.made_by.email,
        "made_at": report.made_at,
    }


def attempt_shape(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.public_id,
        "kind": attempt.kind,
        "user": attempt.user.email,
        "owner": attempt.destination.user.email,
        "shown": attempt.destination.shown,
        "made_at": attempt.made_at,
    }


class PayoutsView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="All payouts, newest first, or those in one state",
        tags=["payouts"],
        **listing(PayoutShape, OpenApiParameter("state", str, enum=PayoutState.values)),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        state = request.query_params.get("state")
        if state is not None and state not in PayoutState.values:
            raise Unprocessable(
                "There is no such state.", errors=[{"field": "state", "message": "must be one of the states"}]
            )
        note_look(request, "payouts", state or "all")
        return page_of(request, payouts_in(state), payout_shape, descending=True, allowed=["state"])


class InFlightView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="Money on its way out, by provider, currency and state, and how old the oldest is",
        tags=["payouts"],
        **listing(InFlightShape),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return whole(request, in_flight())


class ApproveView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(summary="Let a payout be sent", tags=["payouts"], request=EmptyAsk, responses=PayoutShape)
    def post(self, request: KeyRequest, payout: UUID) -> HttpResponse:
        EmptyAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            return boundary.respond(payout_shape(approve_payout(public_id=payout, by=request.user.pk)))


class RefuseView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="Do not pay it; the worker has his money back at once",
        tags=["payouts"],
        request=RefuseAsk,
        responses=PayoutShape,
    )
    def post(self, request: KeyRequest, payout: UUID) -> HttpResponse:
        ask = RefuseAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            refused = refuse_payout(public_id=payout, by=request.user.pk, reason=ask["reason"])
            return boundary.respond(payout_shape(refused))


class RunsView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(summary="Runs of payments by file, newest first", tags=["payouts"], **listing(PayoutRunShape))
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, runs(), run_shape, descending=True)

    @extend_schema(
        summary="Gather approved payouts for one file",
        tags=["payouts"],
        request=RunAsk,
        responses={201: PayoutRunShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = RunAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            made = make_run(
                provider_name=ask["provider"],
                currency=ask["currency"],
                by=request.user.pk,
                payouts=ask.get("payouts"),
            )
            return boundary.respond(run_shape(run_for(made.public_id)), status=201)


class RunView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(summary="One run: who made it, and who released it", tags=["payouts"], responses=PayoutRunShape)
    def get(self, request: KeyRequest, run: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, [])
        return respond(run_shape(run_for(run)))


class RunPayoutsView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="The payouts of a run, in the order of its file: to be looked at before it is released",
        tags=["payouts"],
        **listing(PayoutShape),
    )
    def get(self, request: KeyRequest, run: UUID) -> HttpResponse:
        found = run_for(run)
        note_look(request, "payout_run", run)
        return page_of(request, payouts_of_run(found.pk), payout_shape)


class RunReleaseView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="Release a run that somebody else made, after a look at it: then its file can be taken",
        tags=["payouts"],
        request=EmptyAsk,
        responses=PayoutRunShape,
    )
    def post(self, request: KeyRequest, run: UUID) -> HttpResponse:
        EmptyAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            return boundary.respond(run_shape(release_run(public_id=run, by=request.user.pk)))


class RunFileView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="The file of a run that was released, for its provider; the same each time, until money of it is back",
        tags=["payouts"],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: KeyRequest, run: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, [])
        with once(request):
            file = take_file(public_id=run, by=request.user.pk)
        # Whatever it is, it is to be kept and not to be shown.
        response = HttpResponse(file.body, content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="payouts-{run}.{file.extension}"'
        response["Cache-Control"] = "private, no-store"
        return response


class OutcomesView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="Report what came of a run, or of some payouts of it",
        tags=["payouts"],
        request=OutcomeAsk,
        responses=OutcomesShape,
    )
    def post(self, request: KeyRequest, run: UUID) -> HttpResponse:
        ask = OutcomeAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            changed = report_outcome(
                run_id=run_for(run).pk,
                outcome=ask["outcome"],
                payouts=ask.get("payouts"),
                by=request.user.pk,
                reason=ask["reason"],
            )
            return boundary.respond({"changed": changed})


class ReportsView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="Reports of providers and what differed, newest first", tags=["payouts"], **listing(ReportShape)
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, reports(), report_shape, descending=True)

    @extend_schema(
        summary="Compare what a provider says to have paid with what is written here",
        tags=["payouts"],
        request=ReportAsk,
        responses={201: ReportShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = ReportAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            report = take_in_report(
                provider_name=ask["provider"],
                since=ask["since"],
                until=ask["until"],
                text=ask["csv"],
                by=request.user.pk,
            )
            return boundary.respond(report_shape(report), status=201)


class AttemptsView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="Who wanted to be paid where another person is or was, newest first",
        tags=["payouts"],
        **listing(AttemptShape),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        note_look(request, "destination_attempts", "all")
        return page_of(request, attempts(), attempt_shape, descending=True)


class NoticesView(APIView):
    """What providers tell by themselves. Their signature is all that is asked for, and the event counts once."""

    authentication_classes: list[type[BaseAuthentication]] = []
    permission_classes = [AllowAny]
    parser_classes = [AnyBodyParser]
    counts_once_by_itself = True

    @extend_schema(
        summary="For providers: news of payments, signed",
        tags=["payouts"],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses=TakenInShape,
    )
    def post(self, request: Request, provider: str) -> HttpResponse:
        liars = Limit("payout-notice", address_of(request))
        if liars.spent():
            raise TooMany("Too many notices that are not believed.", liars.wait_s())
        try:
            notices = read_notices(name=provider, headers=request.headers, body=_bounded(request))
        except NoticeRefused:
            liars.hit()
            raise
        with one_transaction(principal=principal_of(request)):
            new = take_in_notices(name=provider, notices=notices)
        return respond({"new": new})


def _bounded(request: Request) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > NOTICE_BYTES_MAX:
        raise RequestDataTooBig("a notice is short")
    return request.body
