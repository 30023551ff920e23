"""What the console says of a running batch: figures in words, and charts with the tables that say the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from marketplace.aggregation.agreement.words import sure_word
from marketplace.batches.models import Batch
from marketplace.common.money import exact
from marketplace.pages.charts import Chart, Part, Point, bar_chart, parts_chart, shade
from marketplace.pages.periods import DAYS_MAX
from marketplace.pages.plain import answer_in_short
from marketplace.pages.templatetags.pages import duration, money, percent
from marketplace.projects.answer_types.labels import title_of, titles_of
from marketplace.results.queries.figures import Look, WorkerLook
from marketplace.results.reports.figures import FieldAgreement, Figure
from marketplace.results.reports.quality import FieldQuality
from marketplace.results.reports.sampling import Proof
from marketplace.results.reports.watching import FieldLook, Given, Matrix
from marketplace.web.review_words import GIVEN_UP, Text
from workers.gold.queries import KeyView, Verdicts

# As Landis and Koch called them in 1977.
STRENGTHS: dict[str, tuple[Text, str]] = {
    "unknown": (gettext_lazy("Not known yet"), "quiet"),
    "too few": (gettext_lazy("Too few answers to tell"), "quiet"),
    "poor": (gettext_lazy("Poor"), "bad"),
    "slight": (gettext_lazy("Slight"), "bad"),
    "fair": (gettext_lazy("Fair"), "warn"),
    "moderate": (gettext_lazy("Moderate"), "warn"),
    "substantial": (gettext_lazy("Substantial"), "good"),
    "almost perfect": (gettext_lazy("Almost perfect"), "good"),
}
FIGURES: dict[str, Text] = {
    "krippendorff": gettext_lazy("Krippendorff's alpha"),
    "agreement": gettext_lazy("Two answers agree"),
    "score": gettext_lazy("How alike two answers are"),
    "fleiss": gettext_lazy("Fleiss' kappa"),
    "cohen": gettext_lazy("Cohen's kappa"),
    "iou": gettext_lazy("Overlap (IoU)"),
    "dice": gettext_lazy("Overlap (Dice)"),
    "f1_50": gettext_lazy("Marks in common (F1 at IoU 0.5)"),
    "span_f1": gettext_lazy("Marks in common (exact F1)"),
    "word_error_rate": gettext_lazy("Words that differ"),
    "character_error_rate": gettext_lazy("Characters that differ"),
}
SHOWS: dict[str, Text] = {
    "": gettext_lazy("All tasks"),
    "split": gettext_lazy("Answers differ"),
    "unsure": gettext_lazy("Not sure yet"),
    "unclear": gettext_lazy("Somebody found it unclear"),
    "unanswered": gettext_lazy("No answer yet"),
    "open": gettext_lazy("A place is not taken yet"),
    "closed": gettext_lazy("A place is closed"),
    "working": gettext_lazy("Somebody works on it now"),
    "quarantine": gettext_lazy("In quarantine"),
}


@dataclass(frozen=True)
class Column:
    """A column of a table: its name in CSV, its title, and how its numbers are written."""

    key: str
    title: Text
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """What a chart shows, as rows of plain values; `links` has an address for the first cell of some rows, by place."""

    name: str
    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]
    currency: str = ""
    links: Mapping[int, str] = field(default_factory=dict)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The rows as the template draws them."""
        found = []
        for place, row in enumerate(self.rows):
            first, *others = [
                {"title": column.title, "text": self._text(column, row[column.key]), "end": column.kind != "text"}
                for column in self.columns
            ]
            found.append({"first": first, "others": others, "link": self.links.get(place)})
        return found

    @property
    def csv_rows(self) -> list[dict[str, Any]]:
        """The rows as a file has them: money as exact amounts, moments in ISO 8601."""
        return [{column.key: self._plain(column, row[column.key]) for column in self.columns} for row in self.rows]

    def _text(self, column: Column, value: Any) -> str:
        if value is None or value == "":
            return "–"
        match column.kind:
            case "money":
                return money(value, self.currency)
            case "percent":
                return percent(value)
            case "duration":
                return duration(value)
            case "moment":
                return formats.date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
            case "number":
                return formats.number_format(value if isinstance(value, int) else f"{value:.2f}")
        return str(value)

    def _plain(self, column: Column, value: Any) -> Any:
        if value is None:
            return None
        if column.kind == "money":
            return exact(value)
        if column.kind == "moment":
            return value.isoformat()
        return round(value, 6) if isinstance(value, float) else value


@dataclass(frozen=True)
class Cell:
    """A cell of a heat map: how many pairs, their share of the row, its shade, and where the tasks behind it are."""

    pairs: int
    share: float
    shade: int
    link: str
    words: str


@dataclass(frozen=True)
class Heat:
    """A heat map: titles of the labels, and a row of cells for each."""

    titles: list[str]
    rows: list[tuple[str, list[Cell]]]
    left_out: int
    table: Table


@dataclass(frozen=True)
class FieldShown:
    """All that the page says of one field."""

    name: str
    title: str
    agreement: FieldAgreement
    strength: tuple[Text, str]
    figures: list[tuple[Text, Figure, bool]]
    figures_table: Table
    labels: Chart | None
    labels_table: Table
    heat: Heat | None
    confused: list[dict[str, Any]]


class Places:
    """Where the answers and tasks behind the figures of a batch are."""

    def __init__(self, batch: Batch) -> None:
        self.id = batch.public_id
        self._batch = batch

    def answers(self, **sought: Any) -> str:
        return self._at("console_batch_answers", sought)

    def tasks(self, **wanted: Any) -> str:
        return self._at("console_batch_tasks", wanted)

    def task(self, external_id: str) -> str:
        return self._at("console_batch_task", {"id": external_id})

    def reports(self, **wanted: Any) -> str:
        return self._at("console_batch_reports", wanted)

    def bonuses(self) -> str:
        return self._at("console_bonuses", {})

    def statement(self, place: str) -> str:
        """The postings of one of the batch's places for money, or of the free funds, since it was published."""
        batch = self._batch
        query = {"place": place if place == "funds" else f"{place}:{self.id}", "currency": batch.currency}
        if batch.published_at is not None:
            # A statement covers a year at most.
            a_year_ago = timezone.now().date() - timedelta(days=DAYS_MAX - 1)
            query["first"] = max(batch.published_at.date(), a_year_ago).isoformat()
        return f"{reverse('console_statement', args=[batch.requester.public_id])}?{urlencode(query)}"

    def _at(self, name: str, query: Mapping[str, Any]) -> str:
        address = reverse(name, args=[self.id])
        return f"{address}?{urlencode(query)}" if query else address


def money_of(state: Mapping[str, Any], places: Places) -> tuple[list[Part], Table]:
    """Where the batch's money is, as parts of the whole, and the same as a table, with what is behind each."""
    found, currency = state["money"], state["money"]["currency"]
    parts: list[tuple[str, int]] = [
        (_("Paid for answers"), found["paid_micros"]),
        (_("Fees"), found["fees_micros"]),
        (_("Bonuses and top-ups"), found["bonus_micros"] + found["topup_micros"]),
        (_("Held for the rest"), found["escrow_micros"]),
        (_("Aside for disputes"), found["disputes_micros"]),
        (_("Aside for a top-up"), found["topup_reserve_micros"]),
        (_("Given back to you"), found["refunded_micros"]),
    ]
    columns = (Column("what", gettext_lazy("What")), Column("amount", gettext_lazy("Amount"), "money"))
    behind = [
        places.answers(state="accepted"),
        places.statement("escrow"),
        places.bonuses(),
        places.statement("escrow"),
        places.statement("disputes"),
        places.statement("topup"),
        places.statement("funds"),
    ]
    links = {at: link for at, (link, (_name, micros)) in enumerate(zip(behind, parts, strict=True)) if micros}
    table = Table("money", columns, [{"what": name, "amount": micros} for name, micros in parts], currency, links)
    return parts_chart([(name, micros, money(micros, currency)) for name, micros in parts]), table


def throughput_of(look: Look, places: Places) -> tuple[Chart, Table]:
    """Answers by when they came."""
    form = "H:i" if look.step_s < 43_200 else "j M"
    points = []
    for step in look.steps:
        since = timezone.localtime(step.since)
        moment = formats.date_format(since, "SHORT_DATETIME_FORMAT")
        words = ngettext("%(n)d answer", "%(n)d answers", step.answers) % {"n": step.answers}
        points.append(Point(step.answers, formats.date_format(since, form), f"{moment}: {words}"))
    columns = (
        Column("since", gettext_lazy("From"), "moment"),
        Column("answers", gettext_lazy("Answers"), "number"),
    )
    links = {
        place: places.answers(
            since=step.since.isoformat(), until=(step.since + timedelta(seconds=look.step_s)).isoformat()
        )
        for place, step in enumerate(look.steps)
        if step.answers
    }
    lines = [{"since": step.since, "answers": step.answers} for step in look.steps]
    return bar_chart(points), Table("throughput", columns, lines, links=links)


def field_of(declared: Mapping[str, Any], look: FieldLook, places: Places, tasks: Mapping[int, str]) -> FieldShown:
    """One field; `tasks` are external ids of examples."""
    name, titles, found = declared["name"], titles_of(declared), look.agreement
    figures = figures_of(found)
    chart, table = _labels(name, look.given, titles, places)
    return FieldShown(
        name=name,
        title=title_of(declared),
        agreement=found,
        strength=strength_of(found),
        figures=figures,
        figures_table=figures_table(name, figures),
        labels=chart,
        labels_table=table,
        heat=heat_of(name, look.matrix, titles, places),
        confused=[
            {
                "one": titles.get(one.one, one.one),
                "other": titles.get(one.other, one.other),
                "pairs": one.pairs,
                "share": one.share,
                "tasks": [(tasks[pk], places.task(tasks[pk])) for pk in one.task_ids if pk in tasks],
            }
            for one in found.confused[:10]
        ],
    )


def strength_of(found: FieldAgreement) -> tuple[Text, str]:
    """How strong agreement is, and the tone of its badge; nothing strong is said of what may be chance."""
    alpha = found.figures.get("krippendorff") or Figure(None)
    return STRENGTHS[sure_word(found.words, alpha.low, alpha.high)]


def figures_of(found: FieldAgreement) -> list[tuple[Text, Figure, bool]]:
    """The figures of a field that are known, in order: words, figure, and whether less of it is better."""
    return [
        (FIGURES.get(key, key), figure, key.endswith("error_rate"))
        for key, figure in sorted(found.figures.items(), key=lambda item: [*FIGURES, item[0]].index(item[0]))
        if figure.value is not None
    ]


def figures_table(name: str, figures: Iterable[tuple[Text, Figure, bool]]) -> Table:
    """They as a table."""
    columns = (
        Column("figure", gettext_lazy("Figure")),
        Column("value", gettext_lazy("Value"), "number"),
        Column("low", gettext_lazy("At least"), "number"),
        Column("high", gettext_lazy("At most"), "number"),
    )
    lines = [
        {"figure": str(words), "value": figure.value, "low": figure.low, "high": figure.high}
        for words, figure, _less_is_more in figures
    ]
    return Table(f"agreement-{name}", columns, lines)


def _labels(name: str, given: Sequence[Given], titles: Mapping[str, str], places: Places) -> tuple[Chart | None, Table]:
    whole = sum(one.answers for one in given)
    points: list[Point] = []
    lines: list[dict[str, Any]] = []
    links: dict[int, str] = {}
    for place, one in enumerate(given):
        title = titles.get(one.label, one.label) or _step_words(one)
        share = one.answers / whole if whole else 0.0
        points.append(Point(one.answers, title if len(title) <= 12 else f"{title[:11]}…", f"{title}: {one.answers}"))
        lines.append({"label": title, "answers": one.answers, "share": share})
        if one.label:
            links[place] = places.answers(field=name, label=one.label)
    columns = (
        Column("label", gettext_lazy("Label")),
        Column("answers", gettext_lazy("How often"), "number"),
        Column("share", gettext_lazy("Share"), "percent"),
    )
    return bar_chart(points) if points else None, Table(f"labels-{name}", columns, lines, links=links)


def _step_words(one: Given) -> str:
    low, high = (f"{bound:g}" for bound in (one.low or 0.0, one.high or 0.0))
    return low if low == high else f"{low} – {high}"


def heat_of(name: str, matrix: Matrix | None, titles: Mapping[str, str], places: Places) -> Heat | None:
    """Labels against each other, with the tasks behind each pair; None where there is nothing to set against."""
    if matrix is None or len(matrix.labels) < 2:
        return None
    shown = [titles.get(label, label) for label in matrix.labels]
    rows: list[tuple[str, list[Cell]]] = []
    lines: list[dict[str, Any]] = []
    for at, row in enumerate(matrix.pairs):
        # Of the answers that stand beside one with the row's label: two that agree stand beside each other.
        beside = [2 * pairs if at == other else pairs for other, pairs in enumerate(row)]
        whole = sum(beside)
        cells = []
        for other, pairs in enumerate(row):
            share = beside[other] / whole if whole else 0.0
            link = places.tasks(field=name, one=matrix.labels[at], other=matrix.labels[other]) if pairs else ""
            words = _("%(one)s and %(other)s: %(n)d pairs of answers, %(share)s of those beside %(one)s") % {
                "one": shown[at], "other": shown[other], "n": pairs, "share": percent(share),
            }  # fmt: skip
            cells.append(Cell(pairs, share, shade(share), link, words))
            lines.append({"one": shown[at], "other": shown[other], "pairs": pairs, "share": share})
        rows.append((shown[at], cells))
    columns = (
        Column("one", gettext_lazy("One says")),
        Column("other", gettext_lazy("another says")),
        Column("pairs", gettext_lazy("Pairs of answers"), "number"),
        Column("share", gettext_lazy("Share of the row"), "percent"),
    )
    return Heat(shown, rows, matrix.left_out, Table(f"confusion-{name}", columns, lines))


def hardest_of(look: Look, places: Places) -> Table:
    """The tasks whose answers leave most doubt."""
    columns = (
        Column("task", gettext_lazy("Task")),
        Column("posterior", gettext_lazy("How sure it is"), "percent"),
        Column("answers", gettext_lazy("Answers"), "number"),
        Column("unclear", gettext_lazy("Say it is unclear"), "number"),
    )
    lines = [
        {"task": one.task, "posterior": one.posterior, "answers": one.answers, "unclear": one.unclear}
        for one in look.hardest
    ]
    links = {place: places.task(one.task) for place, one in enumerate(look.hardest)}
    return Table("hardest", columns, lines, links=links)


def reports_of(look: Look, places: Places) -> Table:
    """What workers say is wrong with tasks."""
    lines: list[dict[str, Any]] = [{"what": _("Answered: unclear"), "times": look.unclear}]
    links = {0: places.answers(unclear="true")}
    for place, (reason, times) in enumerate(look.given_up.items(), 1):
        lines.append({"what": str(GIVEN_UP.get(reason, reason)), "times": times})
        links[place] = places.reports(reason=reason)
    columns = (Column("what", gettext_lazy("What")), Column("times", gettext_lazy("How often"), "number"))
    return Table("reports", columns, lines, links=links)


def workers_of(workers: Iterable[WorkerLook], names: Mapping[int, str]) -> Table:
    """Workers by the names that the requester knows them by, for the file."""
    columns = (
        Column("worker", gettext_lazy("Worker")),
        Column("answers", gettext_lazy("Answers"), "number"),
        Column("score", gettext_lazy("Expected to be right"), "percent"),
        Column("low", gettext_lazy("At least"), "percent"),
        Column("high", gettext_lazy("At most"), "percent"),
        Column("evidence", gettext_lazy("Judged answers"), "number"),
        Column("agreement", gettext_lazy("Agrees with others"), "percent"),
        Column("median_s", gettext_lazy("Median time"), "duration"),
        Column("unclear", gettext_lazy("Unclear"), "number"),
        Column("rejected", gettext_lazy("Rejected"), "number"),
    )
    lines = [
        {column.key: getattr(one, column.key) for column in columns[1:]} | {"worker": names[one.worker_id]}
        for one in workers
        if one.worker_id in names
    ]
    return Table("workers", columns, lines)


SHARE_COLUMNS = (
    Column("judged", gettext_lazy("Judged"), "number"),
    Column("right", gettext_lazy("Right"), "number"),
    Column("share", gettext_lazy("Answered right"), "percent"),
    Column("low", gettext_lazy("At least"), "percent"),
    Column("high", gettext_lazy("At most"), "percent"),
)


def error_of(quality: Iterable[FieldQuality]) -> Table:
    """How many results are expected to be wrong, by field."""
    columns = (
        Column("field", gettext_lazy("Question")),
        Column("expected", gettext_lazy("Wrong results"), "percent"),
        Column("low", gettext_lazy("At least"), "percent"),
        Column("high", gettext_lazy("At most"), "percent"),
        Column("note", gettext_lazy("Note")),
    )
    return Table("error", columns, [{column.key: getattr(one, column.key) for column in columns} for one in quality])


def proof_table(proof: Proof) -> Table:
    """What a sample proves."""
    columns = (
        Column("share", gettext_lazy("To be proven: wrong at most"), "percent"),
        Column("confidence", gettext_lazy("Confidence"), "percent"),
        Column("population", gettext_lazy("Labels"), "number"),
        Column("looked_at", gettext_lazy("Looked at"), "number"),
        Column("errors", gettext_lazy("Found wrong"), "number"),
        Column("bound", gettext_lazy("Proven: wrong at most"), "percent"),
        Column("more", gettext_lazy("More looks, if all are right"), "number"),
    )
    return Table("proof", columns, [{column.key: getattr(proof, column.key) for column in columns}])


def counts_of(name: str, title: Text, counts: Mapping[str, int]) -> Table:
    """How often each of some things is there, as labels in a data set."""
    columns = (Column("what", title), Column("times", gettext_lazy("How often"), "number"))
    return Table(name, columns, [{"what": what, "times": times} for what, times in counts.items()])


def splits_of(splits: Mapping[str, Mapping[str, int]]) -> Table:
    """The parts of a data set by label."""
    columns = (
        Column("split", gettext_lazy("Split")),
        Column("label", gettext_lazy("Label")),
        Column("items", gettext_lazy("Items"), "number"),
    )
    lines = [
        {"split": name, "label": label, "items": items}
        for name, counts in splits.items()
        for label, items in counts.items()
    ]
    return Table("splits", columns, lines)


def gold_of(verdicts: Verdicts) -> Table:
    """How known answers were met, in all."""
    low, high = verdicts.bounds
    share = verdicts.share if verdicts.judged else None
    line = {"judged": verdicts.judged, "right": verdicts.right, "share": share, "low": low, "high": high}
    return Table("gold", SHARE_COLUMNS, [line])


def keys_of(keys: Iterable[KeyView], declared: list[dict[str, Any]]) -> Table:
    """Each known answer and how it fares, for the file."""
    columns = (
        Column("task", gettext_lazy("Task")),
        Column("key", gettext_lazy("Known answer")),
        Column("state", gettext_lazy("State")),
        Column("shown", gettext_lazy("Shown"), "number"),
        *SHARE_COLUMNS,
    )
    lines = [
        {
            "task": key.task, "key": answer_in_short(declared, key.key), "state": key.state, "shown": key.shown,
            "judged": key.judged, "right": key.passed, "share": key.passed / key.judged if key.judged else None,
            "low": key.low, "high": key.high,
        }
        for key in keys
    ]  # fmt: skip
    return Table("keys", columns, lines)


def tables_of(batch: Batch, state: Mapping[str, Any], look: Look | None, names: Mapping[int, str]) -> dict[str, Table]:
    """Every table of the page by its name: what can be downloaded as a file."""
    places = Places(batch)
    found = [money_of(state, places)[1]]
    if look is not None:
        found += [throughput_of(look, places)[1], hardest_of(look, places), reports_of(look, places),
                  workers_of(look.workers, names)]  # fmt: skip
        for shown in fields_of(batch, look, places, {}):
            found += [shown.figures_table, shown.labels_table, *([shown.heat.table] if shown.heat else [])]
    return {table.name: table for table in found}


def fields_of(batch: Batch, look: Look, places: Places, tasks: Mapping[int, str]) -> list[FieldShown]:
    """Every field that was looked at."""
    declared = {one["name"]: one for one in batch.version.interface["answer"]}
    return [
        field_of(declared[one.agreement.field], one, places, tasks)
        for one in look.fields
        if one.agreement.field in declared
    ]
