"""Versions of a batch's data set: asked for, followed, looked at and downloaded."""

import re
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.api.asks import DatasetAsk
from marketplace.batches.queries import batch_for
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.problems import named_problem
from marketplace.rest.requests import KeyRequest
from marketplace.results.commands.datasets import ask_for_dataset
from marketplace.results.errors import DatasetFailed, DatasetUnfinished
from marketplace.results.models import Dataset
from marketplace.results.queries import run_for
from marketplace.results.queries.datasets import archive_bytes, dataset_for, datasets_of
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
        it = _done(dataset_for(request.user.pk, batch, number))
        assert it.archive_sha256 is not None, "a version that is done has the hash of its archive"
        mark = f'"{bytes(it.archive_sha256).hex()}"'
        start, end, status = 0, it.size, 200
        # A download begun with other bytes has to begin anew; so has one that says what nobody can read.
        if request.headers.get("If-Range", mark) == mark and (
            found := _RANGE.fullmatch(request.headers.get("Range", ""))
        ):
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
