"""How records are read and shown: Django's admin as far as it says what is listed, found and filtered, with pages of
ours, and with no way to change anything.

Of a table only the columns that are shown are read. Lists go by the place of their last row and nothing is counted, so
that a page costs the same in a table of any size; what would take longer than `LOOK_S` is given up with a word.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, NamedTuple, cast
from uuid import UUID

from django.contrib.admin import AdminSite, ModelAdmin, SimpleListFilter
from django.contrib.admin import display as shown_as
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import Field, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from marketplace.accounts.models import StaffRole
from marketplace.accounts.roles import covers
from marketplace.api.looks import note_look, note_search
from marketplace.backoffice.people import StaffRequest, staff_page
from marketplace.common.database import TookTooLong, at_most
from marketplace.pages.paging import PARAMETER, page_after, place_asked

LIST_URL, RECORD_URL = "staff_record_list", "staff_record"
SHOWN = 50
LOOK_S = 5
# Of what is found by its beginning, and of how much is looked for at most.
START_MIN, TERM_MAX = 3, 254
# How much of a text or of JSON is shown: in a cell of a list, and of one record.
CELL_MAX, TEXT_MAX = 80, 8_000
GROUPS = {
    "people": gettext_lazy("People"),
    "work": gettext_lazy("Work"),
    "money": gettext_lazy("Money"),
    "workings": gettext_lazy("How the site works"),
}
Text = str | Promise


class Cell(NamedTuple):
    """What a record says under one name: `kind` is how it is drawn, `more` how many characters are left out."""

    label: str
    value: Any
    kind: str = "text"
    href: str = ""
    more: int = 0


class Link(NamedTuple):
    label: str
    href: str


class Shelf(NamedTuple):
    """The records of one group that somebody may see."""

    name: str
    label: Text
    records: list["Record"]


class Table(NamedTuple):
    label: Text
    headers: list[str]
    rows: list[list[Cell]]
    more: bool


@dataclass(frozen=True)
class Part:
    """Rows that belong to a record and are shown on its page, the last `SHOWN` of them in an order: those of `model`
    whose `of` is the record. Each column of the table is either shown or `withheld`."""

    label: Text
    model: type[Model]
    of: str
    columns: Sequence[str]
    withheld: Sequence[str] = ()
    order: str = "-pk"


def column(label: Text, *reads: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A method of a record as a column: what it is called, and which columns of the table it reads."""

    def named(method: Callable[..., Any]) -> Callable[..., Any]:
        method.reads = reads  # type: ignore[attr-defined]
        return shown_as(description=label)(method)  # type: ignore[arg-type]

    return named


def one_of(name: str) -> type[SimpleListFilter]:
    """A filter by one of the values that a column may have."""

    class OneOf(SimpleListFilter):
        title = _spaced(name)
        parameter_name = name

        def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
            field = model_admin.opts.get_field(name)
            if field.choices:
                return [(str(value), _spaced(str(value))) for value, _label in field.flatchoices if value != ""]
            return [("true", _("yes")), ("false", _("no"))]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            asked = self.value()
            if not asked:
                return queryset
            if asked not in dict(self.lookup_choices):
                raise IncorrectLookupParameters
            return queryset.filter(**{name: asked == "true" if asked in ("true", "false") else asked})

    return OneOf


class RecordList(ChangeList):
    """One page of a list, by the place of its last row. Its addresses ask for a search, filters of the record's own and
    a place; for nothing else."""

    model_admin: "Record"
    after: str

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        asked = super().get_filters_params(params)
        return {name: value for name, value in asked.items() if name != PARAMETER}

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return [*self.model_admin.ordering]

    def get_results(self, request: HttpRequest) -> None:
        of = self.model_admin
        (order,) = of.ordering
        name, falling = order.lstrip("-"), order.startswith("-")
        field: Any = self.opts.pk if name == "pk" else self.opts.get_field(name)
        found, what = self.queryset, f"records {of.slug}"
        place = place_asked(request, what, of=str)
        if place is not None:
            found = found.filter(**{f"{name}__{'lt' if falling else 'gt'}": field.to_python(place)})
        rows = list(found[: self.list_per_page + 1])
        self.result_list, self.after = page_after(
            request, what, rows, self.list_per_page, lambda row: field.value_to_string(row)
        )
        self.result_count, self.full_result_count = len(self.result_list), None


class Record(ModelAdmin):
    """A table as staff may look it up: `roles` says who, `list_display` and `fields` say what; each of its columns is
    either shown or `withheld`, which a test holds against the model.

    `thing` is what one row is called, in addresses and in the audit log; `handle` names it from outside, `title` is
    what links to it say. Opening one leaves a row in the log; where a list tells of people (`personal`), so does that.
    `search_fields` are compared whole, or from the beginning with `^`; `a__b` is the `b` of what `a` points to.
    """

    slug: ClassVar[str]
    thing: ClassVar[str]
    label: ClassVar[Text]
    about: ClassVar[Text] = ""
    group: ClassVar[str]
    roles: ClassVar[tuple[StaffRole, ...]]
    handle: ClassVar[str] = "public_id"
    title: ClassVar[str] = ""
    personal: ClassVar[bool] = False
    withheld: ClassVar[tuple[str, ...]] = ()
    parts: ClassVar[tuple[Part, ...]] = ()
    # The page where staff decide about such a thing, which names it by the same handle.
    decided_at: ClassVar[str] = ""

    actions = None
    fields: ClassVar[tuple[str, ...]]
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    list_per_page = SHOWN
    show_full_result_count = False
    admin_site: "Records"

    # --- who may what --------------------------------------------------------------------------------------------

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return covers(getattr(request, "roles", ()), self.roles)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Django lets any column of the table be asked for, with any look-up: character by character that tells what
        a digest is."""
        return lookup in {one.parameter_name for one in self.list_filter}  # type: ignore[union-attr]

    # --- where ---------------------------------------------------------------------------------------------------

    @property
    def parameter(self) -> str:
        """What addresses call one of them."""
        return f"{self.thing}_row"

    def get_urls(self) -> list[Any]:
        kind = {"kind": self.slug}
        return [
            path(f"{self.slug}/", _guarded(self.list_page, self.roles), kind, name=LIST_URL),
            path(f"{self.slug}/<str:{self.parameter}>/", _guarded(self.record_page, self.roles), kind, name=RECORD_URL),
        ]

    @property
    def list_address(self) -> str:
        return reverse(LIST_URL, kwargs={"kind": self.slug})

    def address_of(self, row: Any) -> str:
        return reverse(RECORD_URL, kwargs={"kind": self.slug, self.parameter: getattr(row, self.handle)})

    # --- what is read --------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self._reading([*self.get_list_display(request), self.handle, *filter(None, [self.title])])

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RecordList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the first of the fields under which there is something. One after another, for a look-up by several at
        once walks the whole of a large table."""
        term = search_term.strip()
        if not term:
            return queryset, False
        for name in self.search_fields:
            found = self._found_by(str(name), term)
            if found:
                return queryset.filter(**found), False
        return queryset.none(), False

    def _found_by(self, name: str, term: str) -> dict[str, Any]:
        of, _dot, last = name.lstrip("^").rpartition("__")
        model: Any = self.opts.get_field(of).related_model if of else self.model
        field = model._meta.get_field(last)
        if len(term) > TERM_MAX:
            return {}
        if name.startswith("^"):
            value = term.lower() if last == "email" else term
            return {f"{last}__startswith": value} if len(term) >= START_MIN else {}
        try:
            asked = {last: field.clean(term, None)}
        except ValidationError:
            return {}
        first = model._default_manager.filter(**asked).values_list("pk", flat=True).order_by().first()
        if first is None:
            return {}
        return {of: first} if of else asked

    def _reading(self, names: Iterable[str]) -> QuerySet[Any]:
        reads = [*dict.fromkeys(read for name in names for read in self._read_by(name))]
        return _only(self.model._default_manager.all(), reads)

    def _read_by(self, name: str) -> Iterator[str]:
        method = getattr(self, name, None)
        yield from getattr(method, "reads", ()) if callable(method) else self.admin_site.reads(self.model, name)

    def row(self, value: str) -> Any:
        """The row with this handle; raises `Http404`."""
        field: Any = self.opts.pk if self.handle == "pk" else self.opts.get_field(self.handle)
        try:
            ProhibitNullCharactersValidator()(value)
            asked = field.clean(value, None)
        except ValidationError:
            raise Http404 from None
        found = self._reading([*self.fields, self.handle]).filter(**{self.handle: asked}).first()
        if found is None:
            raise Http404
        return found

    # --- what is shown -------------------------------------------------------------------------------------------

    def list_page(self, request: StaffRequest, kind: str) -> HttpResponse:
        """What was searched for and filtered, the newest first; what makes no sense is told, and leaves nothing."""
        wrong = ""
        shown: RecordList | None = None
        try:
            with at_most(LOOK_S):
                shown = cast(RecordList, self.get_changelist_instance(request))
        except IncorrectLookupParameters:
            wrong = _("There is no such filter. Choose another.")
        except TookTooLong:
            wrong = _("That would take too long. Search by an id, or take a filter away.")
        rows = shown.result_list if shown else []
        if self.personal and rows:
            note_search(request, len(rows))
        context = {
            "record": self,
            "shelf": GROUPS[self.group],
            "headers": [self.admin_site.label(self.model, str(name), self) for name in self.list_display],
            "rows": [[self._cell(request, row, str(name), brief=True) for name in self.list_display] for row in rows],
            "query": request.GET.get("q", ""),
            "searchable": self.searchable(),
            "filters": shown.filter_specs if shown else [],
            "asked": bool(shown and (shown.query or shown.get_filters_params())),
            "after": shown.after if shown else "",
            "wrong": wrong,
        }
        return render(request, "staff/record_list.html", context, status=422 if wrong else 200)

    def record_page(self, request: StaffRequest, kind: str, **named: str) -> HttpResponse:
        """One of them with what belongs to it. Looking at it is written down first."""
        with at_most(LOOK_S):
            row = self.row(named[self.parameter])
        handle = getattr(row, self.handle)
        note_look(request, self.thing, handle)
        with at_most(LOOK_S):
            tables = [self._table(request, row, part) for part in self.parts]
        context = {
            "record": self,
            "handle": handle,
            "title": str(getattr(row, self.title or self.handle))[:CELL_MAX],
            "cells": [self._cell(request, row, name) for name in self.fields],
            "tables": [one for one in tables if one.rows],
            "links": list(self.admin_site.by_way_of(request, self, handle)),
            "decided_at": reverse(self.decided_at, args=[handle]) if self.decided_at else "",
        }
        return render(request, "staff/record.html", context)

    def searchable(self) -> str:
        """By what a search finds, in words."""
        return ", ".join(
            (_("the beginning of: %(what)s") if name.startswith("^") else "%(what)s") % {"what": _named(name)}
            for name in map(str, self.search_fields)
        )

    def _cell(self, request: StaffRequest, row: Any, name: str, *, brief: bool = False) -> Cell:
        _field, _attr, value = lookup_field(name, row, self)
        label = self.admin_site.label(self.model, name, self)
        cell = self.admin_site.cell(request, row, name, value, label=label, brief=brief)
        if brief and name == self.list_display[0]:
            cell = cell._replace(href=self.address_of(row), kind="text" if cell.kind == "link" else cell.kind)
        return cell

    def _table(self, request: StaffRequest, row: Any, part: Part) -> Table:
        site = self.admin_site
        found = part.model._default_manager.filter(**{part.of: row.pk}).order_by(part.order)
        found = _only(found, [read for name in part.columns for read in site.reads(part.model, name)])
        rows = list(found[: SHOWN + 1])
        return Table(
            part.label,
            [site.label(part.model, name) for name in part.columns],
            [
                [
                    site.cell(request, one, name, getattr(one, name), label=site.label(part.model, name))
                    for name in part.columns
                ]
                for one in rows[:SHOWN]
            ],
            more=len(rows) > SHOWN,
        )


class Records(AdminSite):
    """All records, by their tables. Only the pages of ours are served: no sign-in, no actions, no history."""

    def get_urls(self) -> list[Any]:
        return [
            path("", _guarded(self.shelves, ()), name="staff_records"),
            *(pattern for one in self.all() for pattern in one.get_urls()),
        ]

    def all(self) -> list[Record]:
        return [one for one in self._registry.values() if isinstance(one, Record)]

    def of(self, model: type[Model] | None) -> Record | None:
        """The records of a table."""
        return self._registry.get(model)  # type: ignore[arg-type,return-value]

    def shelves(self, request: StaffRequest) -> HttpResponse:
        """What there is to look up for somebody with these roles."""
        seen = [one for one in self.all() if one.has_view_permission(request)]
        shelves = [Shelf(name, label, [one for one in seen if one.group == name]) for name, label in GROUPS.items()]
        return render(request, "staff/records.html", {"shelves": [one for one in shelves if one.records]})

    def by_way_of(self, request: StaffRequest, record: Record, handle: Any) -> Iterator[Link]:
        """The lists that can be searched by what a record is."""
        if record.handle != "public_id":
            return
        for other in self.all():
            if not other.has_view_permission(request):
                continue
            for name in map(str, other.search_fields):
                of, _dot, last = name.rpartition("__")
                if last == "public_id" and of and other.opts.get_field(of).related_model is record.model:
                    yield Link(str(other.label), f"{other.list_address}?q={handle}")
                    break

    def reads(self, model: type[Model], name: str) -> Iterator[str]:
        """Which columns it takes to show this one: of a thing that it points to, what names that."""
        field = _field_of(model, name)
        if field is None:
            return
        yield field.name
        other = self.of(field.related_model) if field.is_relation and name == field.name else None
        if other is not None:
            for more in {other.handle, other.title or other.handle}:
                yield f"{field.name}__{other.opts.pk.name if more == 'pk' else more}"
        if name.endswith("_micros") and _field_of(model, "currency") is not None:
            yield "currency"

    def label(self, model: type[Model], name: str, record: Record | None = None) -> str:
        """What a column is called here: as in the table, in words."""
        if record is not None and callable(getattr(record, name, None)):
            return str(capfirst(str(label_for_field(name, model, record))))
        return str(capfirst(_named(name)))

    def cell(self, request: StaffRequest, row: Any, name: str, value: Any, *, label: str, brief: bool = False) -> Cell:
        """What a row says under a name, as it is drawn."""
        if value is None or value in ("", [], {}):
            return Cell(label, "–", "none")
        if isinstance(value, Model):
            return self._link(request, label, value)
        if isinstance(value, bool):
            return Cell(label, _("yes") if value else _("no"))
        if isinstance(value, datetime):
            return Cell(label, value, "time")
        if isinstance(value, date):
            return Cell(label, value.isoformat(), "number")
        if name.endswith("_micros"):
            return Cell(label, (value, getattr(row, "currency", "")), "money")
        if name.endswith("_s") and isinstance(value, int):
            return Cell(label, value, "duration")
        if isinstance(value, int | float):
            return Cell(label, value, "number")
        if isinstance(value, bytes | memoryview):
            return Cell(label, bytes(value).hex(), "id")
        if isinstance(value, UUID):
            return Cell(label, str(value), "id")
        if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
            return _text(label, ", ".join(map(str, value)), brief)
        if isinstance(value, dict | list):
            return _text(label, json.dumps(value, indent=2, ensure_ascii=False), brief)._replace(kind="json")
        field = _field_of(type(row), name)
        if field is not None and field.choices:
            return Cell(label, _spaced(str(value)), "badge")
        return _text(label, str(value), brief)

    def _link(self, request: StaffRequest, label: str, row: Model) -> Cell:
        """The thing that a column points to, by its title; a link for whoever may look at it."""
        other = self.of(type(row))
        if other is None:
            return Cell(label, row.pk, "number")
        title = str(getattr(row, other.title or other.handle))
        href = other.address_of(row) if other.has_view_permission(request) else ""
        return Cell(label, title[:CELL_MAX] or "–", "link" if other.title else "id", href)


records = Records(name="records")


def _guarded(view: Callable[..., HttpResponse], roles: tuple[StaffRole, ...]) -> Callable[..., HttpResponse]:
    return require_safe(staff_page(*roles)(view))


def _field_of(model: type[Model], name: str) -> Any:
    return next((one for one in model._meta.concrete_fields if name in (one.name, one.attname)), None)


def _only(found: QuerySet[Any], reads: list[str]) -> QuerySet[Any]:
    """No column but these, and whatever they point to in the same statement."""
    related = {read.rpartition("__")[0] for read in reads} - {""}
    fields: list[Field[Any, Any]] = [*found.model._meta.concrete_fields]
    names = {one.name for one in fields}
    found = found.select_related(*related) if related else found
    return found.only(*(read for read in reads if "__" in read or read in names), *related)


def _text(label: str, text: str, brief: bool) -> Cell:
    limit = CELL_MAX if brief else TEXT_MAX
    kind = "text" if brief or ("\n" not in text and len(text) <= CELL_MAX) else "long"
    return Cell(label, text[:limit], kind, more=max(0, len(text) - limit))


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _named(name: str) -> str:
    """A column in words.

    >>> _named("worker__public_id"), _named("amount_micros"), _named("public_id"), _named("^email")
    ('worker id', 'amount', 'id', 'email')
    """
    words = name.lstrip("^").removesuffix("_micros").replace("__", " ").replace("public_id", "id")
    return _spaced(words)
