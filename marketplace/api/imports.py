"""Imports: a body becomes tasks at once where it is small, and as an operation with progress where it is large."""

import hashlib
import io
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from tempfile import TemporaryFile, gettempdir
from typing import Any, BinaryIO, Protocol, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.views import APIView

from marketplace.api.asks import EmptyAsk, PrioritiesAsk
from marketplace.api.shapes import ImportShape, PrioritiesShape, RowErrorShape, import_shape
from marketplace.batches.commands.import_tasks import import_tasks, require_readable
from marketplace.batches.commands.imports import (
    PART_BYTES,
    add_part,
    cancel_import,
    give_up,
    receive,
    received,
    rows_of,
)
from marketplace.batches.commands.priorities import set_priorities
from marketplace.batches.errors import FileUnreadable, ImportTooLarge, MappingInvalid
from marketplace.batches.label_studio import LABEL_STUDIO
from marketplace.batches.models import Batch, Import
from marketplace.batches.parquet import parquet_lines
from marketplace.batches.previews import LOOKED_AT, preview_of
from marketplace.batches.queries import batch_for, import_for, imports_of
from marketplace.batches.row_checks import mapping_errors
from marketplace.batches.rows import Cursor, Mapping
from marketplace.batches.zipped import zip_lines
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import (
    Boundary,
    again,
    answered_already,
    idempotency_key,
    once,
    principal_of,
    request_hash,
    respond,
)
from marketplace.rest.errors import Malformed, Unavailable
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.parsing import AnyBodyParser, strict_json
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest

log = logging.getLogger("touchstone.api")

IMPORT_BYTES_MAX = 1024 * 1024 * 1024
# Up to here one transaction does it all within the request; so much is in memory at most.
WHOLE_BYTES_MAX = 8 * 1024 * 1024
# What is looked at before an import; of what is converted the whole.
PREVIEW_BYTES_MAX = 1024 * 1024
# What is read as lines of JSON once all of it is there, on a disk.
CONVERTED_BYTES_MAX = 256 * 1024 * 1024
CONVERTED = {"parquet": parquet_lines, "zip": zip_lines}
KINDS = {
    "application/x-ndjson": "jsonl",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/zip": "zip",
}
FORMAT = OpenApiParameter(
    "format", str, enum=[LABEL_STUDIO], description="Of a JSON array: tasks as Label Studio imports and exports them"
)

MAPPING = OpenApiParameter(
    "mapping",
    str,
    description=(
        'Which column of the file is what, as a JSON object by what it is: `{"external_id": "id", "data.text": "body", '
        '"gold.label": "truth"}`. Columns that it does not name are left; without `external_id` the rows are numbered. '
        "Absent: the columns are called what they are"
    ),
)


class ColumnShape(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="What a column can be, as `data.text`")
    title = serializers.CharField(allow_blank=True)
    type = serializers.CharField(help_text="Of the field of the interface; `text` or `number` for the others")
    required = serializers.BooleanField()  # type: ignore[assignment]


class SeenRowShape(serializers.Serializer[Any]):
    row = serializers.IntegerField()
    cells = serializers.DictField(child=serializers.CharField(), help_text="By column of the file, shortened")


class PreviewShape(serializers.Serializer[Any]):
    columns = serializers.ListField(child=serializers.CharField(), help_text="Of the file")
    can_be = ColumnShape(many=True)
    mapping = serializers.DictField(child=serializers.CharField(), help_text="As given, or as it seems to be meant")
    rows = SeenRowShape(many=True, help_text="The first")
    looked_at = serializers.IntegerField(help_text="How many rows were read")
    error_count = serializers.IntegerField(help_text="Among these, under this mapping")
    row_errors = RowErrorShape(many=True)
    sample = serializers.DictField(allow_null=True, help_text="The data of the first row that is right")


class ImportsView(APIView):
    permission_classes = [IsRequesterKey]
    parser_classes = [AnyBodyParser]

    @extend_schema(summary="List the imports into a batch", tags=["batches"], **listing(ImportShape))
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        return page_of(request, imports_of(batch_for(request.user.pk, batch)), import_shape)

    @extend_schema(
        summary="Import tasks as JSONL, CSV, Parquet, Label Studio's JSON or a zip with small media, all or nothing",
        description=(
            "A body of up to 8 MiB is imported at once and answered with 201. A larger one, of up to 1 GiB, is "
            "answered with 202 when it has arrived: follow the import until `finished_at` is set. With "
            "`format=label_studio` the body is a JSON array of Label Studio's tasks. Their annotations are by controls "
            "that are named as the answer fields; one marked as ground truth becomes the gold key. Other annotations "
            "and all predictions are counted in `left_out`. A zip holds pictures or sounds of up to 47 KiB each, and a "
            "CSV or JSONL whose cells name them, at most 1,000 files that unpack to at most 500 MiB and to a hundred "
            "times the zip's size; the column beside such a cell, `picture (file)`, holds the file. "
            "Without a table each file is a row with the columns `name` and `file`."
        ),
        tags=["batches"],
        parameters=[FORMAT, MAPPING],
        request={
            "application/x-ndjson": OpenApiTypes.BINARY,
            "text/csv": OpenApiTypes.BINARY,
            "application/vnd.apache.parquet": OpenApiTypes.BINARY,
            "application/zip": OpenApiTypes.BINARY,
            "application/json": {"type": "array", "items": {"type": "object"}},
        },
        responses={201: ImportShape, 202: ImportShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        kind, mapping = _kind(request), _mapping(request)
        key = idempotency_key(request)
        body: Body = _Body(request)
        if kind in CONVERTED:
            # All of it is taken in before it is read: not from somebody who may bring nothing.
            batch_for(request.user.pk, batch, at_least="manager")
            kind, body = "jsonl", _Converted(_Body(request), CONVERTED[kind])
        begun = body.read(WHOLE_BYTES_MAX)
        if body.ended:
            with once(request, body_hash=request_hash(request, body.digest)) as boundary:
                return boundary.replay or self._whole(request, boundary, batch, kind, mapping, begun, body.digest)
        if answered_already(request):
            return self._repeat(request, body)
        into = batch_for(request.user.pk, batch, at_least="manager")
        _check(mapping, into)
        cursor = Cursor()
        require_readable(rows_of(kind, io.BytesIO(begun), into, cursor, mapping), cursor)
        with one_transaction(principal=principal_of(request)):
            it = receive(batch_id=into.pk, principal=principal_of(request), key=key, kind=kind, mapping=mapping)
        if it is None:
            return self._repeat(request, body)
        self._keep(request, it, body, begun)
        with once(request, body_hash=request_hash(request, body.digest)) as boundary:
            return boundary.replay or boundary.respond(
                import_shape(received(of=it, body_sha256=body.digest)), status=202
            )

    def _whole(
        self,
        request: KeyRequest,
        boundary: Boundary,
        batch: UUID,
        kind: str,
        mapping: Mapping | None,
        body: bytes,
        digest: bytes,
    ) -> HttpResponse:
        into = batch_for(request.user.pk, batch, at_least="manager")
        _check(mapping, into)
        cursor = Cursor()
        done = import_tasks(
            batch_id=into.pk,
            source=rows_of(kind, io.BytesIO(body), into, cursor, mapping),
            body_sha256=digest,
            kind=kind,
            size=len(body),
            cursor=cursor,
            mapping=mapping,
        )
        return boundary.respond(import_shape(done), status=201)

    def _repeat(self, request: KeyRequest, body: "Body") -> HttpResponse:
        """The first answer again, if the body is the same."""
        for _ in body.pieces():
            pass
        with once(request, body_hash=request_hash(request, body.digest)) as boundary:
            assert boundary.replay is not None, "the first answer was there before the body had ended"
            return boundary.replay

    def _keep(self, request: KeyRequest, it: Import, body: "Body", begun: bytes) -> None:
        """The body into the database, each part in a transaction of its own, so that none waits for the network."""
        try:
            for number, part in enumerate(_parts(begun, body)):
                with one_transaction(principal=principal_of(request)):
                    add_part(of=it, number=number, body=part)
        except (ImportTooLarge, FileUnreadable):
            # One that broke off is left: its repeat goes on with it.
            with one_transaction(principal=principal_of(request)):
                give_up(of=it)
            raise


def _kind(request: KeyRequest) -> str:
    """What the body is said to be. Raises `Malformed` and `UnsupportedMediaType` for what is not known."""
    refuse_unknown(request.query_params, {"format", "mapping"})
    said = (request.content_type or "").partition(";")[0].strip().lower()
    wanted = request.query_params.get("format")
    if wanted is None:
        if said not in KINDS:
            hint = f"Send {', '.join(KINDS)}, or application/json with format=label_studio."
            raise UnsupportedMediaType(said, hint)
        return KINDS[said]
    if wanted != LABEL_STUDIO:
        raise Malformed(f"`format` is {LABEL_STUDIO}, or absent.", field="format")
    if said != "application/json":
        raise UnsupportedMediaType(said, f"Send application/json with format={LABEL_STUDIO}.")
    return LABEL_STUDIO


def _mapping(request: KeyRequest) -> Mapping | None:
    """The mapping that the address gives. Raises `Malformed`."""
    given = request.query_params.get("mapping")
    if given is None:
        return None
    if request.query_params.get("format") is not None:
        raise Malformed("Label Studio's tasks have no columns to map.", field="mapping")
    try:
        found = strict_json(given.encode())
    except UnicodeEncodeError:
        raise Malformed("`mapping` is not text.", field="mapping") from None
    if not isinstance(found, dict):
        raise Malformed("`mapping` is a JSON object.", field="mapping")
    return found


def _check(mapping: Mapping | None, batch: Batch) -> None:
    errors = [] if mapping is None else mapping_errors(batch.version.interface, mapping)
    if errors:
        raise MappingInvalid("The columns cannot be taken so.", errors=errors)


class Body(Protocol):
    """What is imported, as it arrives, with the SHA-256 of what arrived so far."""

    ended: bool

    @property
    def digest(self) -> bytes: ...

    def pieces(self) -> Iterator[bytes]:
        """What is left of it."""
        ...

    def read(self, size: int) -> bytes:
        """The next bytes, fewer only at the end; says by `ended` whether there are more."""
        ...


class _Converted:
    """A file as JSONL whose end tells how to read it, so that all of it is received first."""

    def __init__(self, body: "_Body", lines_of: Callable[[BinaryIO], Iterator[bytes]]) -> None:
        # The file is closed with this object, at the end of the request.
        self._lines = lines_of(_on_disk(body.pieces()))
        self.digest = body.digest
        self.ended = False
        self._rest = bytearray()
        self._size = 0

    def pieces(self) -> Iterator[bytes]:
        while not self.ended:
            if piece := self.read(PART_BYTES):
                yield piece

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and not self.ended:
            line = next(self._lines, None)
            if line is None:
                self.ended = True
            else:
                self._rest += line
                self._size += len(line)
                if self._size > IMPORT_BYTES_MAX:
                    raise ImportTooLarge(f"A file may have at most {IMPORT_BYTES_MAX} bytes as JSON; split it.")
        read = bytes(self._rest[:size])
        del self._rest[:size]
        # What is kept back is still to be read, though no line is left.
        self.ended = self.ended and not self._rest
        return read


def _on_disk(pieces: Iterable[bytes]) -> BinaryIO:
    """All of a file, to be read from its beginning. Raises `ImportTooLarge`; `Unavailable` where there is no room."""
    with _room():
        file = TemporaryFile()  # noqa: SIM115
    try:
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > CONVERTED_BYTES_MAX:
                raise ImportTooLarge(f"Of this kind a file may have at most {CONVERTED_BYTES_MAX} bytes; split it.")
            with _room():
                file.write(piece)
        with _room():
            file.seek(0)
    except BaseException:
        with suppress(OSError):
            file.close()
        raise
    return cast(BinaryIO, file)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.exception("a file that is brought could not be kept in %s", gettempdir())
        raise Unavailable("The server has no room for this file just now. Try again in a moment.") from error


class _Body:
    """The request's body as it arrives, bounded, with its SHA-256 so far."""

    def __init__(self, request: KeyRequest) -> None:
        self._stream = request._request
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._announced = request.headers.get("Content-Length", "")
        self.ended = False
        if self._announced.isdecimal() and len(self._announced) < 20 and int(self._announced) > IMPORT_BYTES_MAX:
            raise ImportTooLarge(f"An import may have at most {IMPORT_BYTES_MAX} bytes; split the file.")

    @property
    def digest(self) -> bytes:
        return self._sha256.digest()

    def pieces(self) -> Iterator[bytes]:
        """What is left of it. Raises `ImportTooLarge`, and `Malformed` where it is shorter than announced."""
        while not self.ended:
            if piece := self.read(PART_BYTES):
                yield piece

    def read(self, size: int) -> bytes:
        """The next bytes, fewer only at the end; says by `ended` whether there are more."""
        read: list[bytes] = []
        while size > 0:
            piece = self._stream.read(min(size, PART_BYTES))
            if not piece:
                self.ended = True
                if self._announced.isdecimal() and int(self._announced) != self._size:
                    raise Malformed("The body ended before its announced length.")
                break
            self._size += len(piece)
            if self._size > IMPORT_BYTES_MAX:
                raise ImportTooLarge(f"An import may have at most {IMPORT_BYTES_MAX} bytes; split the file.")
            self._sha256.update(piece)
            read.append(piece)
            size -= len(piece)
        return b"".join(read)


def _parts(begun: bytes, body: Body) -> Iterator[bytes]:
    for at in range(0, len(begun), PART_BYTES):
        yield begun[at : at + PART_BYTES]
    yield from body.pieces()


class PreviewView(APIView):
    permission_classes = [IsRequesterKey]
    parser_classes = [AnyBodyParser]

    @extend_schema(
        summary="Look at a file before it is imported: its columns, its first rows, and what is wrong with them",
        description=(
            "The body is the beginning of the file, of up to 1 MiB, cut anywhere; of Parquet and zip the whole file, "
            "of up to 8 MiB. Nothing is kept."
        ),
        tags=["batches"],
        parameters=[MAPPING],
        request={
            "application/x-ndjson": OpenApiTypes.BINARY,
            "text/csv": OpenApiTypes.BINARY,
            "application/vnd.apache.parquet": OpenApiTypes.BINARY,
            "application/zip": OpenApiTypes.BINARY,
        },
        responses=PreviewShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        mapping, kind = _mapping(request), _kind(request)
        if kind == LABEL_STUDIO:
            raise Malformed("Label Studio's tasks have no columns.", field="format")
        of = batch_for(request.user.pk, batch)
        _check(mapping, of)
        body = _Body(request)
        begun = body.read(WHOLE_BYTES_MAX if kind in CONVERTED else PREVIEW_BYTES_MAX)
        if kind in CONVERTED:
            if not body.ended:
                raise ImportTooLarge(f"A file of up to {WHOLE_BYTES_MAX} bytes is looked at; import it as it is.")
            begun, kind = _first(CONVERTED[kind](_on_disk([begun]))), "jsonl"
        with once(request, body_hash=request_hash(request, body.digest)) as boundary:
            return boundary.replay or boundary.respond(asdict(preview_of(of, kind, begun, mapping, cut=not body.ended)))


def _first(lines: Iterator[bytes]) -> bytes:
    """As many lines as a preview looks at."""
    found = bytearray()
    for _number, line in zip(range(LOOKED_AT), lines, strict=False):
        found += line
        if len(found) > WHOLE_BYTES_MAX:
            break
    return bytes(found)


class OneImportView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="One import, with its progress and its errors", tags=["batches"], responses=ImportShape)
    def get(self, request: KeyRequest, batch: UUID, id: UUID) -> HttpResponse:
        return respond(import_shape(import_for(request.user.pk, batch, id)))


class ImportCancelView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Stop an import; what it brought is taken away",
        tags=["batches"],
        request=EmptyAsk,
        responses=ImportShape,
    )
    def post(self, request: KeyRequest, batch: UUID, id: UUID) -> HttpResponse:
        EmptyAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                import_shape(cancel_import(import_id=import_for(request.user.pk, batch, id, at_least="manager").pk))
            )


class PrioritiesView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Change the priorities or scores of up to 10,000 tasks, also while the batch runs",
        tags=["batches"],
        request=PrioritiesAsk,
        responses=PrioritiesShape,
    )
    def put(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        tasks = PrioritiesAsk.of(request)["tasks"]
        with again(request):
            of = batch_for(request.user.pk, batch, at_least="manager")
            return respond({"changed": set_priorities(batch_id=of.pk, wanted=tasks)})
