"""Forms about workers: what an organisation vouches for, its lists, and who holds or stands on them."""

import re
from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from marketplace.api.skills import WORKERS_MAX
from workers.profiles.models import Skill, SkillKind

NAME_HELP = _("The name under which you know the worker, as in answers.")
LIVES = [("", _("Until it is taken back")), ("30", _("30 days")), ("90", _("90 days")), ("365", _("1 year"))]


class SkillForm(forms.Form):
    """A skill or a qualification."""

    kind = forms.ChoiceField(
        label=_("What is it?"),
        choices=[
            (SkillKind.QUALIFICATION, _("A qualification: somebody has it or not, as a passed exam")),
            (SkillKind.SKILL, _("A skill: somebody has it to a degree, from 0 to 1")),
        ],
        initial=SkillKind.QUALIFICATION,
        widget=forms.RadioSelect,
    )
    name = forms.CharField(label=_("Name"), max_length=200, help_text=_("Workers who hold it read it."))
    description = forms.CharField(
        label=_("What it says"), required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2})
    )


class ListForm(forms.Form):
    """A list of workers."""

    name = forms.CharField(label=_("Name"), max_length=200, help_text=_("Only you see it."))
    description = forms.CharField(
        label=_("What it is for"), required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2})
    )


class GrantForm(forms.Form):
    """To whom it is given, and on what it rests."""

    worker = forms.CharField(label=_("Worker"), max_length=24, help_text=NAME_HELP)
    value = forms.FloatField(label=_("How much of it, from 0 to 1"), min_value=0, max_value=1)
    evidence = forms.CharField(
        label=_("What it rests on"),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("The worker reads it."),
    )
    days = forms.ChoiceField(label=_("For how long"), required=False, choices=LIVES)

    def __init__(self, *args: Any, skill: Skill, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if skill.kind == SkillKind.QUALIFICATION:
            del self.fields["value"]

    @property
    def life(self) -> timedelta | None:
        days = self.cleaned_data["days"]
        return timedelta(days=int(days)) if days else None


class RevokeForm(forms.Form):
    """From whom it is taken, and why."""

    worker = forms.CharField(max_length=24, widget=forms.HiddenInput)
    reason = forms.CharField(label=_("Why is it taken back?"), max_length=2_000, help_text=_("The worker reads it."))


class AddForm(forms.Form):
    """Who comes onto a list."""

    workers = forms.CharField(
        label=_("Workers"),
        max_length=30 * WORKERS_MAX,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "code"}),
        help_text=_("The names under which you know them, one in each line."),
    )

    def clean_workers(self) -> list[str]:
        names = list(dict.fromkeys(re.findall(r"[^\s,;]+", self.cleaned_data["workers"])))
        if len(names) > WORKERS_MAX:
            raise forms.ValidationError(_("At most %(n)d at once."), params={"n": WORKERS_MAX})
        return names


class RemoveForm(forms.Form):
    """Who leaves a list."""

    worker = forms.CharField(max_length=24, widget=forms.HiddenInput)
