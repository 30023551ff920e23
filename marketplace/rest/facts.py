"""A personal stream as clients see it, the same over a socket, by long-poll and by plain reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from marketplace.rest.ask import refuse_unknown
from marketplace.rest.errors import Malformed
from marketplace.streams.queries import Entry, after, epoch, head

FACTS_MAX = 200
REASONS = ("expired", "epoch", "ahead")
NAMES = ("epoch", "after")
CURSOR_PARAMETERS = [
    OpenApiParameter("epoch", {"type": "string", "format": "uuid"}, description="Of your cursor"),
    OpenApiParameter(
        "after",
        {"type": "integer", "minimum": 0},
        description="The `seq` of your cursor. Without both there are no facts, and the cursor is the newest",
    ),
]


class CursorShape(serializers.Serializer[Any]):
    epoch = serializers.UUIDField(help_text="Numbers of another epoch mean nothing")
    seq = serializers.IntegerField(help_text="The newest number that you have seen, once you have read this")


class FactShape(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=("fact",))
    epoch = serializers.UUIDField()
    seq = serializers.IntegerField(help_text="Numbers go up by one; drop what you have seen, ask again after a gap")
    kind = serializers.CharField()
    at = serializers.DateTimeField()
    body = serializers.DictField()


class FactsShape(serializers.Serializer[Any]):
    facts = FactShape(many=True, required=False, help_text=f"Oldest first, at most {FACTS_MAX}; go on with the cursor")
    cursor = CursorShape(required=False)
    snapshot_required = serializers.ChoiceField(
        choices=REASONS, required=False, help_text="Alone: your cursor says nothing any more. Read a snapshot"
    )


@dataclass(frozen=True)
class Cursor:
    """How far somebody has read a stream."""

    epoch: UUID
    seq: int


def cursor_shape(cursor: Cursor) -> dict[str, Any]:
    return {"epoch": cursor.epoch, "seq": cursor.seq}


def fact_shape(of_epoch: UUID, entry: Entry) -> dict[str, Any]:
    return {
        "type": "fact",
        "epoch": of_epoch,
        "seq": entry.seq,
        "kind": entry.kind,
        "at": entry.at,
        "body": entry.body,
    }


def newest(stream: str) -> Cursor:
    """The end of the stream. A snapshot reads it first and the state second: what happens in between comes again as a
    fact, and is not lost."""
    return Cursor(epoch(), head(stream))


def cursor_asked(params: Mapping[str, str], *, also: tuple[str, ...] = ()) -> Cursor | None:
    """The cursor in a query; None where it names none. Raises `Malformed`, and `UnknownField` for any parameter but
    these and `also`."""
    refuse_unknown(params, {*NAMES, *also})
    of_epoch, seq = params.get("epoch"), params.get("after")
    if of_epoch is None and seq is None:
        return None
    if of_epoch is None or seq is None:
        raise Malformed("`epoch` and `after` go together.", field="after" if seq is None else "epoch")
    if not (seq.isascii() and seq.isdigit() and len(seq) <= 18):
        raise Malformed("`after` is a whole number from 0.", field="after")
    try:
        return Cursor(UUID(of_epoch), int(seq))
    except ValueError:
        raise Malformed("`epoch` is the one of your cursor.", field="epoch") from None


def lost(stream: str, cursor: Cursor) -> str:
    """Why a cursor of this epoch says nothing: one of `REASONS`."""
    return "ahead" if cursor.seq > head(stream) else "expired"


def facts_after(stream: str, cursor: Cursor | None, *, limit: int = FACTS_MAX) -> dict[str, Any]:
    """The facts behind the cursor, as `FactsShape`; without a cursor none, and the end of the stream."""
    if cursor is None:
        return {"facts": [], "cursor": cursor_shape(newest(stream))}
    entries = after({stream: cursor.seq}, limit)[stream]
    # Read last: an epoch never comes again, so if it is still the cursor's, what was read above is of it too.
    if epoch() != cursor.epoch:
        return {"snapshot_required": "epoch"}
    if entries is None:
        return {"snapshot_required": lost(stream, cursor)}
    reached = Cursor(cursor.epoch, entries[-1].seq if entries else cursor.seq)
    return {"facts": [fact_shape(cursor.epoch, entry) for entry in entries], "cursor": cursor_shape(reached)}
