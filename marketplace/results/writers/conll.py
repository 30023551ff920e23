"""CoNLL 2003: a token a line, with the kind of name that it belongs to.

A line has four columns, `token pos chunk name`; parts of speech and chunks are not known and are `-X-`. Names are in
IOB2: `B-` begins one, `I-` goes on with it, `O` is outside. An empty line ends a sentence; `-DOCSTART-` begins an item.
Source: Tjong Kim Sang and De Meulder (2003), doi:10.3115/1119176.1119195, with B at the beginning of every name.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from marketplace.projects.answer_types.base import Field, FieldError, FieldInvalid
from marketplace.projects.answer_types.parts import Span
from marketplace.results.writers.base import Item, Items, Losses, Sink
from marketplace.results.writers.said import FIELDS_OPTION, check_fields_option, kinds_said, said_parts

UNKNOWN = "-X-"
DOCUMENT = f"-DOCSTART- {UNKNOWN} {UNKNOWN} O\n\n"
# Words with their inner apostrophes, dots and hyphens, or single marks.
TOKEN = re.compile(r"\w+(?:['’.\-]\w+)*|[^\w\s]")
ENDS_SENTENCE = frozenset(".!?。！？")
OVERLAPPING = "a span overlaps a longer or earlier one, and a token can be in one only"
OTHER_TEXT = "a span is of another text than the one that is written"
ONLY_SPACE = "a span has nothing but white space in it"
OUTSIDE = "a span reaches out of the text"
LABEL_CHANGED = "a label has white space; it is written as _"


class Conll:
    """Spans of one text field. Tokens end where a span does, so that none is cut or widened."""

    name = "conll"
    title = "CoNLL 2003"
    needs: frozenset[type] = frozenset((Span,))
    answers = False

    def check_options(
        self, options: Mapping[str, Any], *, data: Sequence[Field], answer: Sequence[Field]
    ) -> dict[str, Any]:
        """`fields` as all have; `of`, the data field with the text, else the one that the first such field names."""
        checked = check_fields_option(options, needs=self.needs, data=data, answer=answer, known=("of",))
        said = [field for field in answer if field["name"] in checked[FIELDS_OPTION] and Span in kinds_said(field)]
        texts = sorted({field["of"] for field in said})
        of = options.get("of") or said[0]["of"]
        if of not in texts:
            raise FieldInvalid([FieldError("of", f"must be {' or '.join(texts)}: the text that the spans are of")])
        return checked | {"of": of}

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        losses = Losses()
        for split in items.splits:
            with out.open(f"{split or 'data'}.conll") as file:
                for item in items.of_split(split):
                    text = str(item.data.get(options["of"], ""))
                    spans = list(self._spans(item, text, options, losses))
                    file.write((DOCUMENT + "".join(_lines(text, spans, item, losses))).encode())
        return losses

    def _spans(self, item: Item, text: str, options: Mapping[str, Any], losses: Losses) -> Iterator[Span]:
        """Spans that do not overlap, by their place. Of those that do, the longest stays, then the first."""
        found: list[tuple[str, Span]] = []
        for name, part in said_parts(self, item, options, losses):
            assert isinstance(part, Span)
            if part.of != options["of"]:
                losses.add(OTHER_TEXT, field=name, item=item.external_id)
            elif not 0 <= part.start < part.end <= len(text):
                losses.add(OUTSIDE, field=name, item=item.external_id)
            elif not text[part.start : part.end].strip():
                losses.add(ONLY_SPACE, field=name, item=item.external_id)
            else:
                found.append((name, part))
        taken = bytearray(len(text))
        kept = []
        for name, span in sorted(found, key=lambda one: (one[1].start - one[1].end, one[1].start, one[1].label)):
            if any(taken[span.start : span.end]):
                losses.add(OVERLAPPING, field=name, item=item.external_id)
            else:
                taken[span.start : span.end] = b"\1" * (span.end - span.start)
                kept.append(span)
        yield from sorted(kept, key=lambda span: span.start)


def tokens(text: str, borders: Sequence[int] = ()) -> list[tuple[int, int]]:
    """Where the tokens of the text begin and end. None reaches over a border, a place between two characters."""
    found = []
    cuts = sorted(set(borders))
    at = 0
    for match in TOKEN.finditer(text):
        start, end = match.span()
        while at < len(cuts) and cuts[at] <= start:
            at += 1
        while at < len(cuts) and cuts[at] < end:
            found += [(start + a, start + b) for a, b in _plain(text[start : cuts[at]])]
            start = cuts[at]
            at += 1
        found += [(start + a, start + b) for a, b in _plain(text[start:end])]
    return found


def _plain(piece: str) -> Iterator[tuple[int, int]]:
    """A token that was cut may leave marks at its edge, which are tokens by themselves."""
    for match in TOKEN.finditer(piece):
        yield match.span()


def _lines(text: str, spans: list[Span], item: Item, losses: Losses) -> Iterator[str]:
    borders = [border for span in spans for border in (span.start, span.end)]
    at = 0
    written = False
    before = 0
    for start, end in tokens(text, borders):
        while at < len(spans) and spans[at].end <= start:
            at += 1
        span = spans[at] if at < len(spans) and spans[at].start <= start else None
        inside = span is not None and span.start < before
        if written and not inside and _sentence_ends(text, before, start):
            yield "\n"
        name = "O"
        if span is not None:
            label = "_".join(span.label.split())
            if label != span.label and not inside:
                losses.add(LABEL_CHANGED, item=item.external_id)
            name = f"{'I' if inside else 'B'}-{label}"
        yield f"{text[start:end]} {UNKNOWN} {UNKNOWN} {name}\n"
        written, before = True, end
    yield "\n"


def _sentence_ends(text: str, end: int, start: int) -> bool:
    """Whether a sentence ends between a token and the next: at a new line, or after a full stop before white space."""
    between = text[end:start]
    return "\n" in between or (bool(between) and text[end - 1] in ENDS_SENTENCE)


WRITERS = (Conll(),)
