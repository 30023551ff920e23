"""What /design/ shows: an example of each piece, with texts and numbers as they occur."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from marketplace.pages.icons import icon_names


class ExampleForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(label="Name of the batch", help_text="Workers see it on the board.")
    country = forms.ChoiceField(label="Country", choices=[("de", "Germany"), ("pt", "Portugal")])
    note = forms.CharField(label="Note", widget=forms.Textarea, required=False)
    kind = forms.ChoiceField(
        label="Kind",
        choices=[("a", "Pictures"), ("b", "Texts"), ("c", "Sounds")],
        widget=forms.RadioSelect,
        initial="b",
    )
    agree = forms.BooleanField(label="I want to be told when there is new work", required=False)


def example_form() -> ExampleForm:
    """With an error at a field and one above the form."""
    form = ExampleForm({"name": "", "country": "pt", "kind": "b"})
    form.add_error(None, "This batch was closed while you were writing.")
    return form


def examples() -> dict[str, Any]:
    """The context of the page."""
    now = timezone.now()
    return {
        "icons": sorted(icon_names()),
        "form": example_form(),
        "facts": [("Paid", "12.50 EUR"), ("Places left", "1,204"), ("Closes", "in 3 days")],
        "moments": [now, now - timedelta(minutes=7), now - timedelta(hours=5), now + timedelta(days=3)],
        "colours": ["sunken", "ground", "surface", "accent-soft", "good-soft", "warn-soft", "bad-soft"],
        "labels": [f"label-{number}" for number in range(1, 9)],
    }
