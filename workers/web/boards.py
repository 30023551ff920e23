"""The board of one worker: what he asked to see of it, in his order, and why something is closed to him."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import F, Func, JSONField, Value

from marketplace.batches.audience import AllOf, AnyOf, Leaf, Node, tree_of
from marketplace.batches.models import Batch
from marketplace.batches.queries import running_batches
from marketplace.results.queries import RejectionRate
from workers.api.boards import Figures, figures_of
from workers.assignments.audience.board import Closure, closures
from workers.assignments.hourly import Pay

# Where more take work, the newest of them are looked at; and so many are on a page.
BOARD_MAX = 1_000
PAGE = 30


class Sort(StrEnum):
    """What comes first; what is closed to the worker, or has no place left, comes after all else."""

    PAY = "pay"
    PRICE = "price"
    NEWEST = "newest"
    SHORTEST = "shortest"
    PLACES = "places"


@dataclass(frozen=True)
class Wish:
    """What to show. None and the empty text ask for nothing; `least_micros` is of an hour, by its median; `most_s` is
    how long one task takes at most, as measured, or by its limit where nothing is."""

    words: str = ""
    answers: str = ""
    least_micros: int | None = None
    most_s: int | None = None
    language: str = ""
    calm: bool = False
    takeable: bool = False
    sort: Sort = Sort.PAY
    page: int = 1


@dataclass(frozen=True)
class Offered:
    """A batch on the board. `languages` and `content` are what it asks for, `needs` whether it asks for anything."""

    id: UUID
    name: str
    requester: str
    answers: tuple[str, ...]
    languages: tuple[str, ...]
    content: tuple[str, ...]
    needs: bool
    price_micros: int
    currency: str
    time_limit_s: int
    published_at: datetime
    places_left: int
    pay: Pay | None
    rate: RejectionRate
    closed: Closure | None

    @property
    def takeable(self) -> bool:
        return self.closed is None and self.places_left > 0

    @property
    def hourly_micros(self) -> float:
        return -1 if self.pay is None else self.pay.median_micros

    @property
    def task_s(self) -> float:
        return self.time_limit_s if self.pay is None else self.pay.median_s


@dataclass(frozen=True)
class Board:
    """A page of what was asked for, of how many; `takeable` of these can be taken. `languages` and `answers` are those
    that anything on the whole board has, for its filters; `left_out` says that not everything was looked at."""

    offered: tuple[Offered, ...]
    found: int
    takeable: int
    everything: int
    answers: tuple[str, ...]
    languages: tuple[str, ...]
    page: int
    pages: int
    left_out: bool


def board_of(worker_id: int, wish: Wish, *, device: str) -> Board:
    """The board as the worker asked for it. A fixed number of statements, however many batches there are."""
    everything = _all_running()
    left_out, batches = len(everything) > BOARD_MAX, everything[:BOARD_MAX]
    asked = {batch.pk: _asks(batch) for batch in batches}
    languages = sorted({tag for one in asked.values() for tag in one[0]})
    kinds = sorted({kind for batch in batches for kind in _answers(batch)})
    # First what is told by the batch itself, so that the rest is measured of fewer.
    near = [batch for batch in batches if _named(batch, wish) and _suits(batch, asked[batch.pk], wish)]
    figures, closed = figures_of(near), closures(near, worker_id=worker_id, device=device)
    found = [_offered(batch, asked[batch.pk], figures[batch.pk], closed.get(batch.pk)) for batch in near]
    found = [one for one in found if _measures(one, wish)]
    order = _ORDERS[wish.sort]
    found.sort(key=lambda one: (not one.takeable, one.closed is not None, *order(one)))
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(1, wish.page), pages)
    return Board(
        offered=tuple(found[(page - 1) * PAGE : page * PAGE]),
        found=len(found),
        takeable=sum(one.takeable for one in found),
        everything=len(batches),
        answers=tuple(kinds),
        languages=tuple(languages),
        page=page,
        pages=pages,
        left_out=left_out,
    )


def offered_of(batch: Batch, *, worker_id: int, device: str) -> Offered:
    """One batch as the board shows it; of one that takes no work nothing is left."""
    closed = closures([batch], worker_id=worker_id, device=device).get(batch.pk)
    return _offered(batch, _asks(batch), figures_of([batch])[batch.pk], closed)


def _all_running() -> list[Batch]:
    types = Func(
        F("version__interface"),
        Value("$.answer[*].type"),
        function="jsonb_path_query_array",
        output_field=JSONField(),
    )
    # Neither instructions nor interfaces: they may be long, and the board shows neither.
    found = running_batches().select_related("requester").defer("gold_policy", "aggregation", "quality")
    return list(found.annotate(answer_types=types).order_by("-published_at", "-pk")[: BOARD_MAX + 1])


def _answers(batch: Batch) -> tuple[str, ...]:
    """The types of its answers, each once."""
    types: Any = getattr(batch, "answer_types", None)
    if types is None:
        types = [field["type"] for field in batch.version.interface["answer"]]
    return tuple(dict.fromkeys(types))


def _asks(batch: Batch) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The languages and the kinds of content that its audience names; not those that it excludes."""
    leaves = list(_wanted(tree_of(batch.audience)))
    return (
        tuple(dict.fromkeys(tag for leaf in leaves if leaf.name == "languages" for tag in _terms(leaf))),
        tuple(dict.fromkeys(kind for leaf in leaves if leaf.name == "content" for kind in _terms(leaf))),
    )


def _wanted(node: Node | None) -> Iterator[Leaf]:
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, AllOf | AnyOf):
        for part in node.parts:
            yield from _wanted(part)


def _terms(leaf: Leaf) -> Sequence[str]:
    return next(iter(leaf.terms.values()))  # type: ignore[no-any-return]


def _named(batch: Batch, wish: Wish) -> bool:
    text = f"{batch.name} {batch.requester.name}".casefold()
    return all(word in text for word in wish.words.casefold().split())


def _suits(batch: Batch, asked: tuple[tuple[str, ...], tuple[str, ...]], wish: Wish) -> bool:
    languages, content = asked
    return (
        (not wish.answers or wish.answers in _answers(batch))
        and (not wish.language or wish.language in languages)
        and not (wish.calm and content)
    )


def _measures(one: Offered, wish: Wish) -> bool:
    return (
        (not wish.takeable or one.takeable)
        and (wish.least_micros is None or one.hourly_micros >= wish.least_micros)
        and (wish.most_s is None or one.task_s <= wish.most_s)
    )


def _offered(
    batch: Batch, asked: tuple[tuple[str, ...], tuple[str, ...]], figures: Figures, closed: Closure | None
) -> Offered:
    assert batch.published_at is not None, "what workers see was published"
    languages, content = asked
    return Offered(
        id=batch.public_id,
        name=batch.name,
        requester=batch.requester.name,
        answers=_answers(batch),
        languages=languages,
        content=content,
        needs=bool(batch.audience or batch.head_start_s),
        price_micros=batch.price_micros,
        currency=batch.currency,
        time_limit_s=batch.time_limit_s,
        published_at=batch.published_at,
        places_left=figures.places_left,
        pay=figures.pay,
        rate=figures.rate,
        closed=closed,
    )


_ORDERS: dict[Sort, Callable[[Offered], tuple[float, ...]]] = {
    Sort.PAY: lambda one: (-one.hourly_micros, -one.price_micros),
    Sort.PRICE: lambda one: (-one.price_micros,),
    Sort.NEWEST: lambda one: (-one.published_at.timestamp(),),
    Sort.SHORTEST: lambda one: (one.task_s,),
    Sort.PLACES: lambda one: (-one.places_left,),
}
