"""What workers type into the board and into what they say of themselves."""

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from marketplace.common.money import MICROS
from workers.profiles.models import LANGUAGE, Worker
from workers.web.boards import Sort, Wish
from workers.web.countries import COUNTRIES
from workers.web.words import CONTENT, answers_as, language_as

LANGUAGES_MAX = 30
TIMES = (
    (30, _("30 seconds")),
    (60, _("1 minute")),
    (180, _("3 minutes")),
    (600, _("10 minutes")),
    (1_800, _("½ hour")),
)
SORTS = (
    (Sort.PAY, _("Best pay per hour")),
    (Sort.PRICE, _("Best pay per task")),
    (Sort.NEWEST, _("Newest")),
    (Sort.SHORTEST, _("Shortest tasks")),
    (Sort.PLACES, _("Most tasks left")),
)
# Offered to be ticked; whatever else is spoken can be typed.
COMMON = (
    "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "he", "hi", "hr", "hu", "id",
    "it", "ja", "ko", "lt", "lv", "ms", "nl", "nb", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "sw", "ta", "th",
    "tr", "uk", "ur", "vi", "zh",
)  # fmt: skip
NAMES = {"zh": "中文"}


class WishForm(forms.Form):
    """What to show of the board; all of it is in the address, so that it can be kept and sent."""

    q = forms.CharField(
        label=_("Search"), max_length=100, required=False,
        widget=forms.SearchInput(attrs={"placeholder": _("Name or requester"), "autocomplete": "off"}),
    )  # fmt: skip
    answers = forms.ChoiceField(label=_("Kind of work"), required=False)
    least = forms.DecimalField(
        label=_("Pays an hour, at least"), min_value=0, max_value=10_000, decimal_places=2, required=False,
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "0.5"}),
    )  # fmt: skip
    most = forms.TypedChoiceField(
        label=_("One task takes at most"), coerce=int, empty_value=None, required=False,
        choices=(("", _("Any time")), *TIMES),
    )  # fmt: skip
    language = forms.ChoiceField(label=_("Asks for the language"), required=False)
    calm = forms.BooleanField(label=_("Nothing that may disturb"), required=False)
    open = forms.BooleanField(label=_("Only what I can take"), required=False)
    sort = forms.ChoiceField(label=_("Sort by"), choices=SORTS, required=False)

    def offer(self, *, answers: Iterable[str], languages: Iterable[str]) -> None:
        """Let these be chosen: what there is on the board."""
        kinds = sorted(((kind, str(answers_as(kind))) for kind in answers), key=lambda one: one[1])
        self.fields["answers"].choices = [("", _("Any kind")), *kinds]  # type: ignore[attr-defined]
        spoken = [(tag, language_as(tag)) for tag in languages]
        self.fields["language"].choices = [("", _("Any language")), *spoken]  # type: ignore[attr-defined]


def wish_of(form: WishForm, *, page: str) -> Wish:
    """What the form asks for; a field that makes no sense asks for nothing, and says so in the form."""
    # What can be chosen is known only when the board is; another kind finds nothing, and does no harm.
    given = {name: form.data.get(name, "") for name in ("answers", "language")}
    for name, chosen in given.items():
        form.fields[name].choices = [("", ""), (chosen, chosen)]  # type: ignore[attr-defined]
    form.is_valid()
    said = form.cleaned_data
    least = said.get("least")
    return Wish(
        words=said.get("q") or "",
        answers=given["answers"][:40],
        least_micros=int(least * MICROS) if least else None,
        most_s=said.get("most") or None,
        language=given["language"][:35],
        calm=bool(said.get("calm")),
        takeable=bool(said.get("open")),
        sort=Sort(said.get("sort") or Sort.PAY),
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1,
    )


def _content_label(kind: str) -> SafeString:
    name, what = CONTENT[kind]
    return format_html('<span>{} <span class="soft">– {}</span></span>', name, what)


def _languages() -> list[tuple[str, str]]:
    return sorted(((tag, NAMES.get(tag) or language_as(tag)) for tag in COMMON), key=lambda one: one[1].casefold())


class ProfileForm(forms.Form):
    """What a worker says of himself: all of it decides what he is offered, so none of it is asked for fun."""

    country = forms.ChoiceField(
        label=_("Country"),
        required=False,
        choices=[("", _("I would rather not say")), *COUNTRIES],
        help_text=_("Where you live. Some batches are for people in some countries only."),
    )
    languages = forms.MultipleChoiceField(
        label=_("Languages"),
        required=False,
        choices=_languages,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Those that you read and write well."),
    )
    other_languages = forms.CharField(
        label=_("Other languages"),
        required=False,
        max_length=400,
        help_text=_("Short tags with commas between them, as in: pt-BR, gsw, yue"),
    )
    content = forms.MultipleChoiceField(
        label=_("Content that may disturb"),
        required=False,
        choices=lambda: [(kind, _content_label(kind)) for kind in CONTENT],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Such work is offered to you only for what you tick here. You can take it back at any time."),
    )

    def clean_other_languages(self) -> list[str]:
        tags = [tag for tag in re.split(r"[,;\s]+", self.cleaned_data["other_languages"]) if tag]
        wrong = [tag for tag in tags if len(tag) > 35 or not re.fullmatch(LANGUAGE, tag)]
        if wrong:
            raise forms.ValidationError(
                _("“%(tag)s” is no language tag. One looks like de, pt-BR or zh-Hant."), params={"tag": wrong[0][:40]}
            )
        return tags

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if len(self.spoken()) > LANGUAGES_MAX:
            self.add_error("languages", _("Name at most %(most)d languages.") % {"most": LANGUAGES_MAX})
        return said

    def spoken(self) -> list[str]:
        """All that were ticked or typed, each once."""
        said = self.cleaned_data
        return list(dict.fromkeys([*said.get("languages", []), *said.get("other_languages", [])]))

    def said(self) -> dict[str, Any]:
        """What the commands take."""
        return {
            "country": self.cleaned_data["country"],
            "languages": self.spoken(),
            "content": self.cleaned_data["content"],
        }

    @staticmethod
    def says(worker: Worker) -> dict[str, Any]:
        """What the form begins with."""
        ticked = [tag for tag in worker.languages if tag in COMMON]
        return {
            "country": worker.country,
            "languages": ticked,
            "other_languages": ", ".join(tag for tag in worker.languages if tag not in COMMON),
            "content": worker.content,
        }


class BecomeForm(ProfileForm):
    """The same for somebody who begins, with what nobody may work without."""

    of_age = forms.BooleanField(
        label=_("I am of age where I live."),
        error_messages={"required": _("You can work here once you are of age.")},
    )
    own_work = forms.BooleanField(
        label=_("I will do the work myself, with one account."),
        error_messages={"required": _("Requesters pay for your own work: tick this to begin.")},
    )
