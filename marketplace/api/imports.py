"""Imports: a body becomes tasks at once where it is small, and as an operation with progress where it is large."""

import hashlib
import io
from collections.abc import Iterator
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.views import APIView

from marketplace.api.asks import EmptyAsk, PrioritiesAsk
from marketplace.api.shapes import ImportShape, PrioritiesShape, import_shape
from marketplace.batches.commands.import_tasks import import_tasks
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
from marketplace.batches.errors import ImportTooLarge
from marketplace.batches.label_studio import LABEL_STUDIO
from marketplace.batches.models import Import
from marketplace.batches.queries import batch_for, import_for, imports_of
from marketplace.batches.rows import Cursor
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
from marketplace.rest.errors import Malformed
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.parsing import AnyBodyParser
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest

IMPORT_BYTES_MAX = 1024 * 1024 * 1024
# Up to here one transaction does it all within the request; so much is in memory at most.
WHOLE_BYTES_MAX = 8 * 1024 * 1024
KINDS = {"application/x-ndjson": "jsonl", "text/csv": "csv"}
FORMAT = OpenApiParameter(
    "format", str, enum=[LABEL_STUDIO], description="Of a JSON array: tasks as Label Studio imports and exports them"
)


class ImportsView(APIView):
    permission_classes = [IsRequesterKey]
    parser_classes = [AnyBodyParser]

    @extend_schema(summary="List the imports into a batch", tags=["batches"], **listing(ImportShape))
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        return page_of(request, imports_of(batch_for(request.user.pk, batch)), import_shape)

    @extend_schema(
        summary="Import tasks as JSONL, CSV or Label Studio's JSON, all or nothing",
        description=(
            "A body of up to 8 MiB is imported at once and answered with 201. A larger one, of up to 1 GiB, is "
            "answered with 202 when it has arrived: follow the import until `finished_at` is set. With "
            "`format=label_studio` the body is a JSON array of Label Studio's tasks. Their annotations are by controls "
            "that are named as the answer fields; one marked as ground truth becomes the gold key. Other annotations "
            "and all predictions are counted in `left_out`."
        ),
        tags=["batches"],
        parameters=[FORMAT],
        request={
            "application/x-ndjson": OpenApiTypes.BINARY,
            "text/csv": OpenApiTypes.BINARY,
            "application/json": {"type": "array", "items": {"type": "object"}},
        },
        responses={201: ImportShape, 202: ImportShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        kind = _kind(request)
        key = idempotency_key(request)
        body = _Body(request)
        begun = body.read(WHOLE_BYTES_MAX)
        if body.ended:
            with once(request, body_hash=request_hash(request, body.digest)) as boundary:
                return boundary.replay or self._whole(request, boundary, batch, kind, begun, body.digest)
        if answered_already(request):
            return self._repeat(request, body)
        into = batch_for(request.user.pk, batch, at_least="manager")
        with one_transaction(principal=principal_of(request)):
            it = receive(batch_id=into.pk, principal=principal_of(request), key=key, kind=kind)
        if it is None:
            return self._repeat(request, body)
        self._keep(request, it, body, begun)
        with once(request, body_hash=request_hash(request, body.digest)) as boundary:
            return boundary.replay or boundary.respond(
                import_shape(received(of=it, body_sha256=body.digest)), status=202
            )

    def _whole(
        self, request: KeyRequest, boundary: Boundary, batch: UUID, kind: str, body: bytes, digest: bytes
    ) -> HttpResponse:
        into = batch_for(request.user.pk, batch, at_least="manager")
        cursor = Cursor()
        done = import_tasks(
            batch_id=into.pk,
            source=rows_of(kind, io.BytesIO(body), into, cursor),
            body_sha256=digest,
            kind=kind,
            size=len(body),
            cursor=cursor,
        )
        return boundary.respond(import_shape(done), status=201)

    def _repeat(self, request: KeyRequest, body: "_Body") -> HttpResponse:
        """The first answer again, if the body is the same."""
        for _ in body.pieces():
            pass
        with once(request, body_hash=request_hash(request, body.digest)) as boundary:
            assert boundary.replay is not None, "the first answer was there before the body had ended"
            return boundary.replay

    def _keep(self, request: KeyRequest, it: Import, body: "_Body", begun: bytes) -> None:
        """The body into the database, each part in a transaction of its own, so that none waits for the network."""
        try:
            for number, part in enumerate(_parts(begun, body)):
                with one_transaction(principal=principal_of(request)):
                    add_part(of=it, number=number, body=part)
        except ImportTooLarge:
            # One that broke off is left: its repeat goes on with it.
            with one_transaction(principal=principal_of(request)):
                give_up(of=it)
            raise


def _kind(request: KeyRequest) -> str:
    """What the body is said to be. Raises `Malformed` and `UnsupportedMediaType` for what is not known."""
    refuse_unknown(request.query_params, {"format"})
    said = (request.content_type or "").partition(";")[0].strip().lower()
    wanted = request.query_params.get("format")
    if wanted is None:
        if said not in KINDS:
            hint = "Send application/x-ndjson or text/csv, or application/json with format=label_studio."
            raise UnsupportedMediaType(said, hint)
        return KINDS[said]
    if wanted != LABEL_STUDIO:
        raise Malformed(f"`format` is {LABEL_STUDIO}, or absent.", field="format")
    if said != "application/json":
        raise UnsupportedMediaType(said, f"Send application/json with format={LABEL_STUDIO}.")
    return LABEL_STUDIO


class _Body:
    """The request's body as it arrives, bounded, with its SHA-256 so far."""

    def __init__(self, request: KeyRequest) -> None:
        self._stream = request._request
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._announced = request.headers.get("Content-Length", "")
        self.ended = False

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


def _parts(begun: bytes, body: _Body) -> Iterator[bytes]:
    for at in range(0, len(begun), PART_BYTES):
        yield begun[at : at + PART_BYTES]
    yield from body.pieces()


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
