"""Forms for results and data sets."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from marketplace.projects.answer_types.labels import title_of
from marketplace.projects.answer_types.registry import methods_for
from marketplace.results.forecast import Forecast
from marketplace.results.models import Run
from marketplace.results.plans import SEED_MAX
from marketplace.web.batch_words import method_as, method_choices
from marketplace.web.data_words import LIVES

SPLIT = re.compile(r"\s*([^\s:=]+)\s*[:=\s]\s*(\d{1,3}(?:[.,]\d{1,2})?)\s*%?\s*")


class AggregateForm(forms.Form):
    """How answers are put together."""

    method = forms.ChoiceField(label=_("Method"), required=False)
    with_gold = forms.BooleanField(label=_("Give your gold keys to methods that learn about workers"), required=False)

    def __init__(self, *args: Any, usual: str, interface: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: list[tuple[str, Any]] = [("", _now("The batch's own (%(method)s)") % {"method": method_as(usual)})]
        choices += method_choices(methods_for(interface["answer"]))
        self.fields["method"].choices = choices  # type: ignore[attr-defined]


class DatasetForm(forms.Form):
    """What a new version is to hold, and in which format. The fields that the domain checks have its names."""

    format = forms.ChoiceField(label=_("Format"), widget=forms.RadioSelect)
    run = forms.ChoiceField(label=_("Results"))
    only = forms.MultipleChoiceField(
        label=_("Only these fields"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("All that the format can say, where none is ticked."),
    )
    splits = forms.CharField(
        label=_("Splits"),
        required=False,
        max_length=300,
        help_text=_("As “train 80, val 10, test 10”, in percent; near-duplicates stay together. Nothing for none."),
    )
    stratify = forms.ChoiceField(label=_("Spread evenly over the splits"), required=False)
    seed = forms.CharField(
        label=_("Seed"), required=False, max_length=SEED_MAX, help_text=_("Another seed draws other splits.")
    )
    answers = forms.BooleanField(
        label=_("With the single answers, where the format has a place for them"), required=False
    )
    gold = forms.BooleanField(label=_("With the items that you brought as gold"), required=False, initial=True)
    require_valid = forms.BooleanField(label=_("Make none where the validation report finds something"), required=False)

    def __init__(
        self, *args: Any, interface: dict[str, Any], runs: list[Run], formats: list[Forecast], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["format"].choices = [(one.name, one.title) for one in formats]
        # What everybody can open, and nothing is lost in.
        fields["format"].initial = "jsonl"
        fields["run"].choices = [(str(run.public_id), run_in_words(run)) for run in runs]
        fields["only"].choices = [(field["name"], title_of(field)) for field in interface["answer"]]
        labelled = [field for field in interface["answer"] if field.get("labels") or field.get("tree")]
        fields["stratify"].choices = [("", _now("The first field with labels"))] + [
            (field["name"], title_of(field)) for field in labelled
        ]

    def clean_splits(self) -> dict[str, float] | None:
        text = self.cleaned_data["splits"].strip()
        if not text:
            return None
        found: dict[str, Decimal] = {}
        for part in re.split(r"[,;\n]", text):
            match = SPLIT.fullmatch(part)
            if match is None:
                raise forms.ValidationError(_("Write names and percentages, as “train 80, val 10, test 10”."))
            if match[1] in found:
                raise forms.ValidationError(_("“%(name)s” is named twice."), params={"name": match[1]})
            found[match[1]] = Decimal(match[2].replace(",", "."))
        if (total := sum(found.values(), Decimal())) != 100:
            words = _("The parts add up to %(total)s %%; they must add up to 100 %%.")
            raise forms.ValidationError(words, params={"total": f"{total.normalize():f}"})
        return {name: float(percent / 100) for name, percent in found.items()}

    def plan(self) -> dict[str, Any]:
        """As the API takes it."""
        told = self.cleaned_data
        plan = {name: told[name] for name in ("answers", "gold", "require_valid")}
        if told["splits"] is not None:
            plan |= {"splits": told["splits"]}
        return plan | {name: told[name] for name in ("seed", "stratify") if told[name]}

    def options(self) -> dict[str, Any]:
        """Of the format: which fields, where some were ticked."""
        return {"fields": self.cleaned_data["only"]} if self.cleaned_data["only"] else {}


class LinkForm(forms.Form):
    """For how long a link works."""

    life = forms.TypedChoiceField(label=_("It works for"), choices=list(LIVES.items()), coerce=int, initial=86_400)


def run_in_words(run: Run) -> str:
    """One aggregation in a line."""
    told = _now("%(moment)s · %(method)s · %(tasks)d tasks, %(answers)d answers") % {
        "moment": f"{run.made_at:%Y-%m-%d %H:%M} UTC",
        "method": method_as(run.method),
        "tasks": run.tasks,
        "answers": run.answers,
    }
    return f"{told} · {_now('final')}" if run.final else told
