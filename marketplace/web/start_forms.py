"""Forms about organisations, their members and keys."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Role, Scope
from marketplace.web.start_words import ROLES, SCOPES

LIVES = ((30, _("30 days")), (90, _("90 days")), (365, _("A year")))


def _with_words(words: dict[str, Any], among: list[str]) -> list[tuple[str, Any]]:
    return [(name, format_html('<span>{} <span class="soft">– {}</span></span>', *words[name])) for name in among]


class FoundForm(forms.Form):
    """A new organisation."""

    name = forms.CharField(
        label=_("Name of the organisation"),
        max_length=200,
        help_text=_("Workers see it beside your work. Yours alone is fine: you can invite others later."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(
        label=_("Role"), choices=lambda: _with_words(ROLES, list(Role.values)), widget=forms.RadioSelect
    )


class InviteForm(RoleForm):
    """Somebody who is to come."""

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        help_text=_("They need an account with this address, now or later."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    field_order = ["email", "role"]


class KeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(
        label=_("What it is for"),
        max_length=200,
        help_text=_("So that you know it again: “nightly export”, “Ada’s notebook”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("It may do so in your name, in all of your organisations. Give it no more than it needs."),
        error_messages={"required": _("Tick at least one.")},
    )
    days = forms.TypedChoiceField(label=_("How long it lasts"), coerce=int, choices=LIVES, initial=90)
    password = forms.CharField(
        label=_("Your password here"),
        max_length=1_000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label=_("Code of your authenticator app"),
        max_length=10,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
        help_text=_("Each code counts once: after one was used, wait for the next."),
    )

    def __init__(self, data: Any = None, *, worker: bool, staff: bool, second_factor: bool) -> None:
        super().__init__(data, initial={"scopes": [Scope.REQUESTER.value]})
        among = [Scope.REQUESTER.value] + [Scope.WORKER.value] * worker + [Scope.STAFF.value] * staff
        self.fields["scopes"].choices = _with_words(SCOPES, among)  # type: ignore[attr-defined]
        if not second_factor:
            del self.fields["code"]

    def life(self) -> timedelta:
        """How long it lasts."""
        return timedelta(days=self.cleaned_data["days"])
