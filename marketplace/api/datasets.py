"""Versions of a batch's data set: asked for, followed, looked at and downloaded."""

import re
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from marketplace.accounts.commands.acts import record
from marketplace.api.asks import DatasetAsk, EmptyAsk
from marketplace.batches.queries import batch_for
from marketplace.common.errors import NotFound
from marketplace.projects.queries import project_for
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once, respond
from marketplace.rest.errors import TooMany
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of, whole
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.problems import named_problem
from marketplace.rest.requests import KeyRequest
from marketplace.rest.throttles import Limit, address_of
from marketplace.results.commands.datasets import ask_for_dataset
from marketplace.results.commands.links import LIFE_MAX_S, end_link, make_link, note_use
from marketplace.results.errors import DatasetFailed, DatasetUnfinished
from marketplace.results.forecast import forecasts
from marketplace.results.models import Dataset, DatasetLink
from marketplace.results.queries import run_for
from marketplace.results.queries.datasets import (
    archive_bytes,
    dataset_for,
    datasets_in,
    datasets_of,
    link_by,
    links_of,
)
from marketplace.results.states import DatasetState

ZIP = "application/zip"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class LossShape(serializers.Serializer[Any]):
    field = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    reason = serializers.CharField()
    count = serializers.IntegerField()
    items = serializers.ListField(child=serializers.CharField(), help_text="Up to five of them")


class DatasetShape(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="From 1, for each batch")
    format = serializers.CharField()  # type: ignore[assignment]
    options = serializers.DictField()
    plan = serializers.DictField(help_text="What shapes it whatever its format; splits in ten-thousandths")
    run = serializers.UUIDField()
    state = serializers.ChoiceField(choices=DatasetState.choices)
    error = serializers.CharField(allow_blank=True, help_text="Why it failed")
    items = serializers.IntegerField(help_text="Gathered so far")
    items_written = serializers.IntegerField()
    answers = serializers.IntegerField(help_text="On which the gathered items rest")
    losses = LossShape(many=True, help_text="What the format could not say")
    valid = serializers.BooleanField(allow_null=True, help_text="Whether the validation report is clean")
    bytes = serializers.IntegerField(help_text="Of the archive; 0 until it is done")
    content_sha256 = serializers.CharField(allow_null=True, help_text="The same for the same files")
    archive_sha256 = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


def dataset_shape(it: Dataset) -> dict[str, Any]:
    return {
        "number": it.number,
        "format": it.format,
        "options": it.options,
        "plan": it.plan,
        "run": it.run.public_id,
        "state": it.state,
        "error": it.error,
        "items": it.items,
        "items_written": it.items_written,
        "answers": it.answers,
        "losses": it.losses,
        "valid": None if it.validation is None else it.validation["ok"],
        "bytes": it.size,
        "content_sha256": None if it.content_sha256 is None else bytes(it.content_sha256).hex(),
        "archive_sha256": None if it.archive_sha256 is None else bytes(it.archive_sha256).hex(),
        "created_at": it.made_at,
        "finished_at": it.finished_at,
    }


class CheckedShape(serializers.Serializer[Any]):
    check = serializers.CharField()
    ok = serializers.BooleanField()
    message = serializers.CharField()
    count = serializers.IntegerField()
    items = serializers.ListField(child=serializers.CharField(), help_text="Up to five of them")


class ValidationShape(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    checks = CheckedShape(many=True)
    labels = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()),
        help_text="How often each label is given, by field",
    )
    splits = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()),
        allow_null=True,
        help_text="Items of each split by what they were stratified by",
    )


class NamedShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class FormatShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    options = serializers.DictField()


class UsedResultsShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    method = serializers.CharField()
    converged = serializers.BooleanField()
    with_gold = serializers.BooleanField(help_text="Made with your gold keys")


class FileShape(serializers.Serializer[Any]):
    path = serializers.CharField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()


class FilesShape(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="Unpacked")
    first = FileShape(many=True, help_text="Up to 1,000; all are in `touchstone/checksums.sha256` of the archive")


class ManifestShape(serializers.Serializer[Any]):
    form = serializers.CharField()
    format = FormatShape()  # type: ignore[assignment]
    batch = NamedShape()
    project = NamedShape()
    instruction_version = serializers.IntegerField()
    results = UsedResultsShape()
    plan = serializers.DictField()
    interface = serializers.DictField()
    items = serializers.IntegerField()
    answers = serializers.IntegerField()
    splits = serializers.DictField(child=serializers.IntegerField(), allow_null=True)
    losses = LossShape(many=True)
    valid = serializers.BooleanField()
    files = FilesShape()
    content_sha256 = serializers.CharField()


class DatasetsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Versions of the batch's data set", tags=["data sets"], **listing(DatasetShape))
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        return page_of(request, datasets_of(batch_for(request.user.pk, batch)), dataset_shape)

    @extend_schema(
        summary="Make a new version of the batch's data set",
        description=(
            "It is answered at once; follow the version until `finished_at` is set, then download its archive."
            " A version never changes, and the same results and options give the same bytes; with single answers, as"
            " long as none was accepted in between."
        ),
        tags=["data sets"],
        request=DatasetAsk,
        responses={202: DatasetShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = DatasetAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="reviewer")
            made = ask_for_dataset(
                batch=of,
                run_of=run_for(of, ask.pop("run", None)),
                format=ask.pop("format"),
                options=ask.pop("options"),
                plan=ask,
                by=request.user.pk,
            )
            return boundary.respond(dataset_shape(made), status=202)


class DatasetView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="One version, with its progress", tags=["data sets"], responses=DatasetShape)
    def get(self, request: KeyRequest, batch: UUID, number: int) -> HttpResponse:
        return respond(dataset_shape(dataset_for(request.user.pk, batch, number)))


class ValidationView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What the look at the items before writing found", tags=["data sets"], responses=ValidationShape
    )
    def get(self, request: KeyRequest, batch: UUID, number: int) -> HttpResponse:
        it = dataset_for(request.user.pk, batch, number)
        if it.validation is None:
            raise DatasetUnfinished("Its items are not gathered yet.", state=it.state)
        return respond(it.validation)


class ManifestView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What the data set is: results, options, counts, files with their hashes (the first 1,000), losses",
        tags=["data sets"],
        responses=ManifestShape,
    )
    def get(self, request: KeyRequest, batch: UUID, number: int) -> HttpResponse:
        return respond(_done(dataset_for(request.user.pk, batch, number)).manifest)


class ArchiveView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="The archive; broken downloads go on with Range",
        tags=["data sets"],
        parameters=[OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="One range: `bytes=1000-`")],
        responses={(200, ZIP): OpenApiTypes.BINARY, (206, ZIP): OpenApiTypes.BINARY},
    )
    def get(self, request: KeyRequest, batch: UUID, number: int) -> HttpResponseBase:
        return archive_response(request, _done(dataset_for(request.user.pk, batch, number)))


class DatasetLinkAsk(Ask):
    expires_in_s = serializers.IntegerField(
        min_value=60, max_value=LIFE_MAX_S, default=86_400, help_text="For how long it works"
    )


class DatasetLinkShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    made_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="When somebody ended it before its time")
    used_at = serializers.DateTimeField(allow_null=True, help_text="When somebody last came by it, to the minute")


class NewDatasetLinkShape(DatasetLinkShape):
    address = serializers.CharField(
        help_text="Whoever has it may download the archive, while you are a manager of the batch. Shown this once"
    )


def link_shape(link: DatasetLink) -> dict[str, Any]:
    names = ("made_at", "expires_at", "ended_at", "used_at")
    return {"id": link.public_id, **{name: getattr(link, name) for name in names}}


def link_address(request: HttpRequest, token: str) -> str:
    """Where whoever has the link downloads."""
    return request.build_absolute_uri(reverse("dataset_archive", args=[token]))


class LinksView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Links to this version's archive", tags=["data sets"], **listing(DatasetLinkShape))
    def get(self, request: KeyRequest, batch: UUID, number: int) -> HttpResponse:
        return page_of(request, links_of(dataset_for(request.user.pk, batch, number)), link_shape)

    @extend_schema(
        summary="Make a link by which anybody may download the archive for a while",
        tags=["data sets"],
        request=DatasetLinkAsk,
        responses={201: NewDatasetLinkShape},
    )
    def post(self, request: KeyRequest, batch: UUID, number: int) -> HttpResponse:
        ask = DatasetLinkAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = dataset_for(request.user.pk, batch, number, at_least="manager")
            life = timedelta(seconds=ask["expires_in_s"])
            link, token = make_link(dataset_id=of.pk, life=life, by=request.user.pk)
            shown = {**link_shape(link), "address": link_address(request, token)}
            return boundary.respond(shown, status=201, secret=True)


class LinkEndView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="End a link before its time", tags=["data sets"], request=EmptyAsk, responses=DatasetLinkShape
    )
    def post(self, request: KeyRequest, batch: UUID, number: int, share: UUID) -> HttpResponse:
        EmptyAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = dataset_for(request.user.pk, batch, number, at_least="manager")
            return boundary.respond(link_shape(end_link(dataset_id=of.pk, link=share)))


class LinkedArchiveView(APIView):
    """For whoever has the link: it is all that counts."""

    authentication_classes: list[type[BaseAuthentication]] = []
    permission_classes = [AllowAny]

    @extend_schema(
        summary="The archive that a link leads to; broken downloads go on with Range",
        tags=["data sets"],
        parameters=[OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="One range: `bytes=1000-`")],
        responses={(200, ZIP): OpenApiTypes.BINARY, (206, ZIP): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, token: str) -> HttpResponseBase:
        guesses = Limit("dataset-link", address_of(request))
        if guesses.spent():
            raise TooMany("Too many links that lead nowhere.", guesses.wait_s())
        try:
            link = link_by(token)
        except NotFound:
            guesses.hit()
            raise
        return archive_response(request, link.of, link)


class LossForecastShape(serializers.Serializer[Any]):
    field = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    reason = serializers.CharField()


class FormatForecastShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    possible = serializers.BooleanField(help_text="Whether it can say anything of this project's answers")
    why = serializers.CharField(allow_blank=True, help_text="Why not")
    answers = serializers.BooleanField(help_text="Whether it is made of the single answers")
    losses = LossForecastShape(many=True, help_text="What it cannot say, by the interface alone")


class FormatsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Formats of data sets, and what each would lose of this batch",
        tags=["data sets"],
        responses=listing(FormatForecastShape)["responses"],
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        return whole(request, [asdict(forecast) for forecast in forecasts(of.version.interface)])


class ProjectDatasetShape(DatasetShape):
    batch = serializers.UUIDField()
    batch_name = serializers.CharField()


class ProjectDatasetsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Data sets of all batches of a project", tags=["data sets"], **listing(ProjectDatasetShape))
    def get(self, request: KeyRequest, project: UUID) -> HttpResponse:
        return page_of(
            request,
            datasets_in(project_for(request.user.pk, project)),
            lambda it: {**dataset_shape(it), "batch": it.batch.public_id, "batch_name": it.batch.name},
        )


def archive_response(request: Request, it: Dataset, link: DatasetLink | None = None) -> HttpResponseBase:
    """The archive of a version that is done, or the part of it that was asked for, to somebody with a key or a link."""
    assert it.archive_sha256 is not None, "a version that is done has the hash of its archive"
    mark = f'"{bytes(it.archive_sha256).hex()}"'
    start, end, status = 0, it.size, 200
    # A download begun with other bytes has to begin anew; so has one that says what nobody can read.
    if request.headers.get("If-Range", mark) == mark and (found := _RANGE.fullmatch(request.headers.get("Range", ""))):
        first, last = found[1], found[2]
        if first:
            start, end = int(first), min(int(last) + 1 if last else it.size, it.size)
        elif last:
            start = max(0, it.size - int(last))
        status = 206 if first or last else 200
        if start >= end:
            refusal = named_problem(416, f"The archive has {it.size} bytes.", request.path)
            refusal["Content-Range"] = f"bytes */{it.size}"
            return refusal
    with once(request):
        if link is not None:
            note_use(link=link, from_byte=start)
        else:
            after = {"version": it.number, "from_byte": start}
            record("export.archive", subject="batch", subject_id=it.batch.public_id, after=after)
    response = StreamingHttpResponse(archive_bytes(it.pk, start=start, end=end), status=status, content_type=ZIP)
    response["Content-Length"] = str(end - start)
    if status == 206:
        response["Content-Range"] = f"bytes {start}-{end - 1}/{it.size}"
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = mark
    response["Content-Disposition"] = f'attachment; filename="data-set-{it.number}-{it.format}.zip"'
    response["Cache-Control"] = "private, no-store"
    return response


def _done(it: Dataset) -> Dataset:
    if it.state == DatasetState.FAILED:
        raise DatasetFailed(it.error)
    if it.state != DatasetState.DONE:
        raise DatasetUnfinished("Follow the version until `finished_at` is set.", state=it.state)
    return it
