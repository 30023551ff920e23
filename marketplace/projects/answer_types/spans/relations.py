"""Relations between spans: which there may be, and which of several answers' relations hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.aggregation.text.stretches import Stretch, matched
from marketplace.projects.answer_types.base import Field, ValueRefused
from marketplace.projects.answer_types.declaration import Declaration
from marketplace.projects.answer_types.labels import read_labels

RELATIONS_MAX = 2_000
# From which overlap on an answer's span is the one of the result that its relations are about.
SAME_SPAN = 0.5
KEYS = {"label", "from", "to"}
# A relation between the spans with these numbers.
Link = tuple[str, int, int]


def read_relations(read: Declaration, field: Field, labels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The kinds of relations under `relations`: labels, each with the labels of spans that it can be `from` and `to`,
    where it says so. What is wrong is noted in `read`."""
    raw = field["relations"]
    plain = [
        {key: entry for key, entry in one.items() if key not in ("from", "to")} if isinstance(one, Mapping) else one
        for one in (raw if isinstance(raw, list) else [])
    ]
    before = len(read.errors)
    kinds = read_labels(read, {"relations": plain if isinstance(raw, list) else raw}, "relations", least=1)
    if len(read.errors) > before:
        return []
    known = {label["value"] for label in labels}
    for at, (kind, one) in enumerate(zip(kinds, raw, strict=True)):
        for end in ("from", "to"):
            if one.get(end) is None:
                continue
            ends = one[end]
            if not isinstance(ends, list) or not ends or not all(isinstance(label, str) for label in ends):
                read.refuse(f"relations[{at}].{end}", "must be a list of labels of spans")
            elif not known.issuperset(ends):
                read.refuse(f"relations[{at}].{end}", "names a label that does not exist")
            else:
                kind[end] = list(dict.fromkeys(ends))
    return kinds


def clean_relations(field: Field, raw: Any, label_of: Mapping[str, tuple[int, str]]) -> list[Link]:
    """The relations of an answer, in the order of their kinds, then of the spans. `label_of` says for each id of a span
    its number and label. Raises `ValueRefused`."""
    kinds = {kind["value"]: (at, kind) for at, kind in enumerate(field.get("relations", ()))}
    if not isinstance(raw, list):
        raise ValueRefused("relations must be a list")
    if raw and not kinds:
        raise ValueRefused("must have no relations: the field declares none")
    if len(raw) > RELATIONS_MAX:
        raise ValueRefused(f"must have at most {RELATIONS_MAX} relations")
    links: list[Link] = []
    for number, one in enumerate(raw, 1):
        where = f"relation {number}: "
        if not isinstance(one, dict) or set(one) != KEYS:
            raise ValueRefused(f"{where}must have label, from and to, and nothing else")
        if not isinstance(one["label"], str) or one["label"] not in kinds:
            raise ValueRefused(f"{where}names a label that does not exist")
        ends = []
        for end in ("from", "to"):
            if not isinstance(one[end], str) or one[end] not in label_of:
                raise ValueRefused(f"{where}{end} must be the id of a span")
            at, label = label_of[one[end]]
            if label not in kinds[one["label"]][1].get(end, (label,)):
                raise ValueRefused(f"{where}cannot be {end} a span with the label {label}")
            ends.append(at)
        if ends[0] == ends[1]:
            raise ValueRefused(f"{where}must be between two spans")
        links.append((one["label"], ends[0], ends[1]))
    if len(set(links)) < len(links):
        raise ValueRefused("has the same relation twice")
    return sorted(links, key=lambda link: (kinds[link[0]][0], link[1:]))


def agreed_relations(
    spans: Sequence[Stretch], answers: Sequence[tuple[Sequence[Stretch], Sequence[Link]]], order: Sequence[str]
) -> tuple[list[Link], float]:
    """The relations that at least half of the answers have, between spans of the result, and the share of answers that
    agree about the one that they agree least about; 1 where there are none.

    An answer's spans are matched with those of the result by label and an overlap of `SAME_SPAN`.
    """
    votes: dict[Link, int] = {}
    for stretches, links in answers:
        place = dict(matched(stretches, spans, SAME_SPAN))
        for label, start, end in links:
            if start in place and end in place:
                link = (label, place[start], place[end])
                votes[link] = votes.get(link, 0) + 1
    places = {label: at for at, label in enumerate(order)}
    ordered = sorted(votes, key=lambda link: (places.get(link[0], len(places)), link))
    taken = [link for link in ordered if 2 * votes[link] >= len(answers)]
    shares = [max(votes[link], len(answers) - votes[link]) / len(answers) for link in ordered]
    return taken, min(shares, default=1.0)
