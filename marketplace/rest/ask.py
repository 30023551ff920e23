"""What a request asks for, read strictly: an undeclared field is refused, and text is not taken for a number."""

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from marketplace.rest.errors import Malformed, UnknownField

# The framework would take "5" for 5 and 1 for true; a schema that says "integer" should mean it.
_JSON_TYPES: list[tuple[type[serializers.Field[Any, Any, Any, Any]], tuple[type, ...], str]] = [
    (serializers.BooleanField, (bool,), "Must be true or false."),
    (serializers.IntegerField, (int,), "Must be a whole number."),
    (serializers.FloatField, (int, float), "Must be a number."),
    (serializers.CharField, (str,), "Must be text."),
    (serializers.UUIDField, (str,), "Must be text."),
]


class Ask(serializers.Serializer[Any]):
    """A declared request body. `Ask.of(request)` returns its fields; an optional one left out is absent."""

    @classmethod
    def of(cls, request: Request) -> dict[str, Any]:
        """Read the body. Raises `UnknownField`, `Malformed` (400), or a validation error that names fields (422)."""
        if not isinstance(request.data, Mapping):
            raise Malformed("The body must be a JSON object.")
        reader = cls(data=request.data)
        reader.is_valid(raise_exception=True)
        return dict(reader.validated_data)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            refuse_unknown(data, self.fields, within=_place(self))
            wrong = {name: _wrong_type(field, data.get(name)) for name, field in self.fields.items()}
            found = {name: [message] for name, message in wrong.items() if message}
            if found:
                raise serializers.ValidationError(found)
        return super().to_internal_value(data)


class EmptyAsk(Ask):
    """A request that says everything by its address."""


def refuse_unknown(given: Iterable[str], known: Iterable[str], *, within: str = "") -> None:
    """Raise `UnknownField` naming every field that is not known."""
    unknown = sorted(f"{within}.{name}" if within else str(name) for name in set(given) - set(known))
    if unknown:
        names = ", ".join(repr(name) for name in unknown[:10])
        raise UnknownField(f"Not known here: {names}.", fields=unknown[:100])


def _place(field: Any) -> str:
    names = []
    while field is not None:
        if getattr(field, "field_name", None):
            names.append(field.field_name)
        field = field.parent
    return ".".join(reversed(names))


def _wrong_type(field: Any, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(field, serializers.ListField):
        if not isinstance(value, list):
            return "Must be a list."
        return next((message for item in value if (message := _wrong_type(field.child, item))), None)
    for kind, types, message in _JSON_TYPES:
        if isinstance(field, kind):
            # In Python a truth value is a whole number; in JSON it is not.
            fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
            return None if fits else message
    return None
