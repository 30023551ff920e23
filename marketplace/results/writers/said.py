"""Which answer fields a format can say, and the numbers of their labels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args, get_type_hints

from marketplace.projects.answer_types.base import Field, FieldError, FieldInvalid
from marketplace.projects.answer_types.parts import Part
from marketplace.projects.answer_types.registry import answer_type
from marketplace.results.writers.base import Item, Losses, Writer

FIELDS_OPTION = "fields"


def kinds_said(field: Field) -> frozenset[type]:
    """The kinds of parts that values of the field may have, as the type says in the annotation of its `parts`."""
    (said,) = get_args(get_type_hints(type(answer_type(field["type"])).parts)["return"])
    return frozenset(get_args(said) or (said,))


def check_fields_option(
    options: Mapping[str, Any],
    *,
    needs: frozenset[type],
    data: Sequence[Field],
    answer: Sequence[Field],
    known: Iterable[str] = (),
    one_picture: bool = True,
) -> dict[str, Any]:
    """The one option of most formats, `fields`: names of answer fields to write; all if absent.

    `known` are further options that the writer checks itself. Raises `FieldInvalid` for an option that is not known, a
    field that is not there, where no field has anything that the format can say, and, with
    `one_picture`, where fields are about several pictures.
    """
    names = [field["name"] for field in answer]
    errors = [FieldError(name[:64], "is not known") for name in options if name not in (FIELDS_OPTION, *known)]
    chosen = options.get(FIELDS_OPTION)
    if chosen is None:
        chosen = names
    if not isinstance(chosen, list | tuple) or not all(isinstance(name, str) for name in chosen) or not chosen:
        errors.append(FieldError(FIELDS_OPTION, "must be a list of names of answer fields"))
    elif unknown := sorted(set(chosen) - set(names)):
        errors.append(FieldError(FIELDS_OPTION, f"names an answer field that does not exist: {unknown[0][:64]}"))
    elif needs and not any(kinds_said(field) & needs for field in answer if field["name"] in chosen):
        said = " or ".join(sorted(kind.__name__.lower() for kind in needs))
        errors.append(FieldError(FIELDS_OPTION, f"has no field of which the format can say anything; it says {said}"))
    elif one_picture and len(pictures := pictures_of(answer, chosen, needs, data)) > 1:
        named = ", ".join(pictures)
        errors.append(FieldError(FIELDS_OPTION, f"are about several pictures ({named}); choose those about one"))
    if errors:
        raise FieldInvalid(errors)
    return {FIELDS_OPTION: [name for name in names if name in chosen]}


class PictureWriter:
    """What formats for pictures have in common: they write results only, and know the option `fields` alone."""

    needs: frozenset[type]
    answers = False

    def check_options(
        self, options: Mapping[str, Any], *, data: Sequence[Field], answer: Sequence[Field]
    ) -> dict[str, Any]:
        return check_fields_option(options, needs=self.needs, data=data, answer=answer)


def pictures_of(
    answer: Iterable[Field], chosen: Iterable[str], needs: frozenset[type], data: Iterable[Field]
) -> list[str]:
    """The data fields with pictures that the chosen answer fields are about, by their names."""
    images = {field["name"] for field in data if field["type"] == "image"}
    wanted = set(chosen)
    said = (field for field in answer if field["name"] in wanted and kinds_said(field) & needs)
    return sorted({field["of"] for field in said if field.get("of") in images})


def said_parts(writer: Writer, item: Item, options: Mapping[str, Any], losses: Losses) -> Iterator[tuple[str, Part]]:
    """The parts of the chosen fields that the writer can say, each with the name of its field; the others are counted
    as losses."""
    for name in options[FIELDS_OPTION]:
        for part in item.parts.get(name, ()):
            if type(part) in writer.needs:
                yield name, part
            else:
                losses.add(f"the format cannot say a {type(part).__name__.lower()}", field=name, item=item.external_id)


def declared_labels(field: Field) -> list[str]:
    """The labels of a field in the order of its declaration: its list of labels, or the nodes of its tree from the root
    on; none where it has no labels."""
    if "tree" in field:
        return list(_nodes(field["tree"]))
    return [label["value"] for label in field.get("labels", ()) if isinstance(label, Mapping)]


def _nodes(tree: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for node in tree:
        yield node["value"]
        yield from _nodes(node.get("children", ()))


class LabelNumbers:
    """Numbers labels from 0: first those that the fields declare which say such parts, then others as they come (those
    of an older interface)."""

    def __init__(self, writer: Writer, answer: Iterable[Field], options: Mapping[str, Any]) -> None:
        self._numbers: dict[str, int] = {}
        for field in answer:
            if field["name"] in options[FIELDS_OPTION] and kinds_said(field) & writer.needs:
                for label in declared_labels(field):
                    self.number(label)

    def number(self, label: str) -> int:
        """The label's number; a new one gets the next."""
        return self._numbers.setdefault(label, len(self._numbers))

    def __iter__(self) -> Iterator[str]:
        """All labels so far, by their numbers."""
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def declared_skeletons(fields: Iterable[Field]) -> dict[str, tuple[list[str], list[tuple[str, str]]]]:
    """By label, the names of the points of its skeleton, and its edges as pairs of names."""
    return {
        label: (list(skeleton["points"]), [(one, other) for one, other in skeleton.get("edges", ())])
        for field in fields
        for label, skeleton in field.get("skeletons", {}).items()
    }


def declared_points(fields: Iterable[Field]) -> dict[str, list[str]]:
    """By label, the names of the points of its skeleton."""
    return {label: points for label, (points, _) in declared_skeletons(fields).items()}
