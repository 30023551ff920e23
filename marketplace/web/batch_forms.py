"""What requesters type into the set-up of a batch; every form says what `change_terms` takes."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from marketplace.batches.commands.pilots import PILOT_MAX
from marketplace.batches.models import (
    LEASE_CAP_MAX,
    LIMIT_MAX,
    NAME_LENGTH,
    OVERLAP_MAX,
    PAIR_LIMIT_MAX,
    TOPUP_MAX,
    WEEK_S,
    Batch,
)
from marketplace.batches.quality.presets import PRESETS
from marketplace.batches.queries import Lacks
from marketplace.batches.states import BatchKind
from marketplace.common.money import AMOUNT_MAX, BASIS_POINTS, MICROS
from marketplace.pages.fields import JsonField
from marketplace.projects.answer_types.registry import methods_for
from marketplace.projects.models import Project
from marketplace.web.batch_words import ORDERS, method_choices, method_of

DAY_S, MINUTE_S, HOUR_S = 86_400, 60, 3_600
# What the command takes at most, in units of the currency.
PRICE_MAX = AMOUNT_MAX // 10**6 // MICROS
OWN = "own"
# A pilot begins with so many items, but with no more than one in so many of those that there are.
PILOT_ITEMS, PILOT_SHARE = 50, 5


def _number(label: Any, low: Any, high: Any, *, required: bool = True, step: str = "1", **more: Any) -> Any:
    """A field for a number that is typed; whole where the step is."""
    kind = forms.IntegerField if step == "1" else forms.DecimalField
    if kind is forms.DecimalField:
        # Whole seconds in the units of people: six digits keep each of them.
        more["decimal_places"] = 6 if step == "any" else len(step.partition(".")[2])
    mode = "numeric" if step == "1" else "decimal"
    widget = forms.NumberInput(attrs={"inputmode": mode, "step": step, "autocomplete": "off"})
    return kind(label=label, min_value=low, max_value=high, required=required, widget=widget, **more)


def _price() -> Any:
    return _number(
        gettext_lazy("Pay for an accepted answer"), Decimal("0.000001"), AMOUNT_MAX // 10**12, step="0.000001"
    )


def _time_limit() -> Any:
    return _number(
        gettext_lazy("Time for one answer, in minutes"), Decimal("0.01"), WEEK_S // MINUTE_S, step="any",
        help_text=gettext_lazy("Then the item goes to somebody else. Be generous: five times what it takes."),
    )  # fmt: skip


class NewBatchForm(forms.Form):
    """What a batch begins with."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=NAME_LENGTH,
        help_text=gettext_lazy("Workers see it on their board, as “Pets in the park, March”."),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("How to begin"),
        choices=[
            (BatchKind.PILOT, gettext_lazy("With a pilot: some items first, and a report before you pay for the rest")),
            (BatchKind.REGULAR, gettext_lazy("With everything at once")),
        ],
        initial=BatchKind.PILOT,
        widget=forms.RadioSelect,
    )
    overlap = _number(
        gettext_lazy("Answers for each item"),
        1,
        OVERLAP_MAX,
        initial=3,
        help_text=gettext_lazy("Each by another worker. Three let two agree against one. You can change it later."),
    )
    version = forms.TypedChoiceField(label=gettext_lazy("Version of the project"), coerce=int)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        numbers = project.versions.exclude(published_at=None).order_by("-number").values_list("number", flat=True)
        choices = [(number, _("Version %(n)d") % {"n": number}) for number in numbers]
        self.fields["version"].choices = choices  # type: ignore[attr-defined]
        self.published = bool(choices)
        if len(choices) == 1:
            self.fields["version"].widget = forms.HiddenInput()
            self.initial.setdefault("version", choices[0][0])


class TermsForm(forms.Form):
    """What is paid and asked. Money in units of the currency, times in the units that people use."""

    price = _price()
    currency = forms.RegexField(
        r"^[A-Z]{3}$", label=gettext_lazy("Currency"), widget=forms.TextInput(attrs={"size": 3, "autocomplete": "off"}),
        error_messages={"invalid": gettext_lazy("Three capitals, as EUR.")},
    )  # fmt: skip
    expected_s = _number(
        gettext_lazy("Seconds that an answer takes"), 1, WEEK_S, required=False,
        help_text=gettext_lazy("Your guess. Do five yourself and take twice the time; a pilot measures it."),
    )  # fmt: skip
    overlap = _number(gettext_lazy("Answers for each item"), 1, OVERLAP_MAX)
    time_limit = _time_limit()
    auto_accept = _number(
        gettext_lazy("Accepted by itself after so many days"), 0, 30, step="any",
        help_text=gettext_lazy("Until then you can look at an answer and reject it with a reason. 0: at once."),
    )  # fmt: skip
    target_hourly = _number(
        gettext_lazy("Raise the pay to so much an hour"), Decimal("0.01"), PRICE_MAX, required=False, step="0.01",
        help_text=gettext_lazy("If the measured pay turns out to be less, each answer is paid more at the end."),
    )  # fmt: skip
    topup = _number(
        gettext_lazy("By at most so many percent of the price"), 1, TOPUP_MAX // 100, required=False,
    )  # fmt: skip
    worker_limit = _number(gettext_lazy("Answers one worker may give, in all"), 1, LIMIT_MAX, required=False)
    daily_limit = _number(gettext_lazy("Answers one worker may give on a day"), 1, LIMIT_MAX, required=False)
    pair_limit = _number(
        gettext_lazy("Items that the same two workers may share"), 1, PAIR_LIMIT_MAX, required=False,
        help_text=gettext_lazy("Against copying: nobody sees much of the same as somebody else."),
    )  # fmt: skip
    lease_cap = _number(gettext_lazy("Items one worker may hold at once"), 1, LEASE_CAP_MAX)
    max_attempts = _number(
        gettext_lazy("Set an item aside after so many gave it up"), 1, 100,
        help_text=gettext_lazy("Mostly it is broken then: its open places are refunded, and you are told."),
    )  # fmt: skip
    head_start = _number(
        gettext_lazy("Hours of head start for the best workers"), 0, WEEK_S // HOUR_S, step="any",
    )  # fmt: skip
    dispute = _number(
        gettext_lazy("Percent of the places kept aside for disputes"), 0, 100, step="0.01",
        help_text=gettext_lazy("It pays rejections that turn out to be wrong; what is not needed comes back."),
    )  # fmt: skip
    order = forms.ChoiceField(label=gettext_lazy("Order of the items"), choices=ORDERS)

    def __init__(self, *args: Any, fixed_order: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if fixed_order:
            self.fields["order"].disabled = True
            self.fields["order"].help_text = _("The items stand in this order already.")

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if (said.get("target_hourly") is None) != (said.get("topup") is None) and not self.errors:
            missing = "topup" if said.get("topup") is None else "target_hourly"
            self.add_error(missing, _("A target for the hour and a limit for what is added go together."))
        return said

    def changes(self) -> dict[str, Any]:
        """What the command takes."""
        said = self.cleaned_data
        target = said["target_hourly"]
        return {
            "price_micros": _whole(said["price"], MICROS),
            "currency": said["currency"],
            "expected_s": said["expected_s"],
            "overlap": said["overlap"],
            "time_limit_s": max(1, _whole(said["time_limit"], MINUTE_S)),
            "auto_accept_s": _whole(said["auto_accept"], DAY_S),
            "target_hourly_micros": None if target is None else _whole(target, MICROS),
            "topup_basis_points": 100 * (said["topup"] or 0),
            "worker_limit": said["worker_limit"],
            "daily_limit": said["daily_limit"],
            "pair_limit": said["pair_limit"],
            "lease_cap": said["lease_cap"],
            "max_attempts": said["max_attempts"],
            "head_start_s": _whole(said["head_start"], HOUR_S),
            "dispute_basis_points": _whole(said["dispute"], 100),
            "order": said["order"],
        }

    # Of each field of the form the name that the command knows it by.
    NAMES = {
        "price_micros": "price",
        "time_limit_s": "time_limit",
        "lease_max_s": "time_limit",
        "auto_accept_s": "auto_accept",
        "target_hourly_micros": "target_hourly",
        "topup_basis_points": "topup",
        "head_start_s": "head_start",
        "dispute_basis_points": "dispute",
    }

    @staticmethod
    def says(batch: Batch) -> dict[str, Any]:
        """What the form begins with."""
        target = batch.target_hourly_micros
        return {
            "price": _units(batch.price_micros, MICROS),
            "currency": batch.currency,
            "expected_s": batch.expected_s,
            "overlap": batch.overlap,
            "time_limit": _units(batch.time_limit_s, MINUTE_S),
            "auto_accept": _units(batch.auto_accept_s, DAY_S),
            "target_hourly": None if target is None else _units(target, MICROS),
            "topup": batch.topup_basis_points // 100 or None,
            "worker_limit": batch.worker_limit,
            "daily_limit": batch.daily_limit,
            "pair_limit": batch.pair_limit,
            "lease_cap": batch.lease_cap,
            "max_attempts": batch.max_attempts,
            "head_start": _units(batch.head_start_s, HOUR_S),
            "dispute": _units(batch.dispute_basis_points, BASIS_POINTS // 100),
            "order": batch.order,
        }


class GoOnForm(forms.Form):
    """What is other in the batch that goes on with this one."""

    price = _price()
    time_limit = _time_limit()
    new_workers = forms.BooleanField(
        label=gettext_lazy("Only for workers who have not worked on this batch"),
        required=False,
        help_text=gettext_lazy(
            "Tasks that have answers already get the others from other people then. Without it somebody may answer such"
            " a task again, for a task in another batch is another task."
        ),
    )
    quarantined = forms.BooleanField(
        label=gettext_lazy("With the tasks in quarantine"),
        required=False,
        help_text=gettext_lazy("Several workers gave them up: mostly they are broken, or paid too little."),
    )

    def __init__(self, *args: Any, lacks: Lacks, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not lacks.quarantined:
            del self.fields["quarantined"]

    def changes(self) -> dict[str, Any]:
        """What the command takes."""
        said = self.cleaned_data
        return {
            "price_micros": _whole(said["price"], MICROS),
            "time_limit_s": max(1, _whole(said["time_limit"], MINUTE_S)),
            "new_workers": said["new_workers"],
            "quarantined": said.get("quarantined", False),
        }

    # Of each field of the form the name that the command knows it by.
    NAMES = {"price_micros": "price", "time_limit_s": "time_limit", "audience": "new_workers"}

    @staticmethod
    def says(batch: Batch, lacks: Lacks) -> dict[str, Any]:
        """What the form begins with."""
        return {
            "price": _units(batch.price_micros, MICROS),
            "time_limit": _units(batch.time_limit_s, MINUTE_S),
            "new_workers": lacks.begun > 0,
        }


class AudienceForm(forms.Form):
    """For whom the batch is. The page offers conditions to choose from and writes them here; `problems` says of each
    that was refused where it stands, {path, message}."""

    problems: tuple[dict[str, str], ...] = ()

    audience = JsonField(
        label=gettext_lazy("Conditions as data"),
        required=False,
        help_text=gettext_lazy('Empty: everybody. As in {"country": {"in": ["DE", "AT"]}}.'),
    )

    def changes(self) -> dict[str, Any]:
        """What the command takes."""
        return {"audience": self.cleaned_data["audience"] or {}}


def _preset_choices() -> list[tuple[str, Any]]:
    words = {
        "fast": _("Fast: limits only the plainest cases, guessing and repeating one answer"),
        "balanced": _("Balanced: looks closer at who may be guessing, hurries, or got worse"),
        "careful": _("Careful: as balanced, and asks for another opinion where somebody was limited"),
    }
    presets = [(name, words.get(name, name)) for name in PRESETS]
    return [("", _("None: only what you do yourself")), *presets, (OWN, _("Rules of your own, as data"))]


class QualityForm(forms.Form):
    """How the work is watched: rules, gold, and how results are made."""

    rules_by = forms.ChoiceField(
        label=gettext_lazy("What happens by itself"), choices=_preset_choices, required=False, widget=forms.RadioSelect
    )
    rules = JsonField(
        label=gettext_lazy("Rules as data"),
        required=False,
        help_text=gettext_lazy("A list under “rules”; a preset's own rules are a good beginning."),
    )
    max_share = _number(
        gettext_lazy("Percent of gold for newcomers, at most"), 0, 50, step="0.1",
        help_text=gettext_lazy("It falls to the least as we get sure of somebody. Gold is paid like all work."),
    )  # fmt: skip
    min_share = _number(gettext_lazy("Percent of gold for those we know well, at least"), 0, 50, step="0.1")
    probation = _number(
        gettext_lazy("First answers of a worker with more gold"), 0, 1_000,
        help_text=gettext_lazy("Among them about three in ten are gold."),
    )  # fmt: skip
    refill = forms.ChoiceField(
        label=gettext_lazy("When gold runs low"),
        choices=[
            ("auto", gettext_lazy("Use items that the crowd is sure of")),
            ("confirm", gettext_lazy("Use such items once I agree")),
            ("off", gettext_lazy("Only what I brought")),
        ],
    )
    method = forms.ChoiceField(label=gettext_lazy("How answers become one result"))

    def __init__(self, *args: Any, interface: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        method: Any = self.fields["method"]
        method.choices = method_choices(methods_for(interface["answer"]))
        method.error_messages["invalid_choice"] = _("This does not fit what is asked. Choose one of those below.")
        if len({field["type"] for field in interface["answer"]}) > 1:
            method.help_text = _("Where it does not fit a question, that question has the usual way of its kind.")

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("rules_by") == OWN and "rules" in said and not said["rules"]:
            self.add_error("rules", _("Write at least one rule, or choose a preset above."))
        low, high = said.get("min_share"), said.get("max_share")
        if low is not None and high is not None and low > high:
            self.add_error("min_share", _("The least must not be more than the most."))
        return said

    def changes(self) -> dict[str, Any]:
        """What the command takes."""
        said = self.cleaned_data
        chosen = said["rules_by"]
        return {
            "quality": said["rules"] if chosen == OWN else {"preset": chosen} if chosen else {},
            "gold": {
                "min_share": float(said["min_share"] / 100),
                "max_share": float(said["max_share"] / 100),
                "probation": said["probation"],
                "refill": said["refill"],
            },
            "aggregation": {"method": said["method"]},
        }

    NAMES = {
        "gold.min_share": "min_share",
        "gold.max_share": "max_share",
        "gold.probation": "probation",
        "gold.refill": "refill",
        "aggregation.method": "method",
        "quality": "rules",
    }

    @staticmethod
    def says(batch: Batch) -> dict[str, Any]:
        """What the form begins with."""
        preset, gold = batch.quality.get("preset", ""), batch.gold_policy
        own = batch.quality if "rules" in batch.quality else {}
        return {
            "rules_by": OWN if own else preset,
            "rules": own,
            "min_share": _percent(gold["min_share"]),
            "max_share": _percent(gold["max_share"]),
            "probation": gold["probation"],
            "refill": gold["refill"],
            "method": method_of(batch),
        }


class PilotForm(forms.Form):
    """How many items a pilot has."""

    items = _number(gettext_lazy("Items in the pilot"), 1, PILOT_MAX)

    def __init__(self, *args: Any, ordinary: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ordinary = ordinary
        self.initial.setdefault("items", max(1, min(PILOT_ITEMS, ordinary // PILOT_SHARE)))
        self.fields["items"].widget.attrs["max"] = min(PILOT_MAX, max(1, ordinary - 1))

    def clean_items(self) -> int:
        items: int = self.cleaned_data["items"]
        if items >= self.ordinary:
            words = ngettext(
                "The batch has %(n)d item: publish all of it instead.",
                "The batch has %(n)d items: take fewer for the pilot, or publish all of it instead.",
                self.ordinary,
            )
            raise forms.ValidationError(words % {"n": self.ordinary})
        return items


def _whole(number: Decimal | int, unit: int) -> int:
    return int((Decimal(number) * unit).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _units(number: int, unit: int) -> str:
    """The number in units, without noughts that say nothing."""
    text = f"{(Decimal(number) / unit).quantize(Decimal('0.000001')):f}"
    return text.rstrip("0").rstrip(".")


def _percent(share: float) -> str:
    return _units(round(share * 1_000), 10)
