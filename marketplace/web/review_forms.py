"""Forms of those who look at answers."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.pages.fields import JsonField
from marketplace.results.commands.adjudication import WORDS_MAX
from marketplace.results.commands.rejections import Why
from marketplace.results.states import RulingReason
from marketplace.web.people import ConsoleRequest
from marketplace.web.review_words import REJECTED_FOR, RULED_FOR, Text
from workers.assignments.commands.decide import DECISIONS_MAX
from workers.assignments.states import RejectReason

# Of acts that ask for nothing: bound only where they are refused.
NO_FORM = forms.Form
COMMENT_MAX = 2_000
STATEMENT_MAX = 5_000
VALUES_MAX = 4_000_000
CHOOSE_FIRST = _("Choose an answer first, by its number.")


class RulingForm(forms.Form):
    """What the label is, and why. The answer and the values come from the page, not from a field of their own."""

    reason = forms.ChoiceField(
        label=_("Why is this the label?"),
        choices=list(RULED_FOR.items()),
        widget=forms.RadioSelect,
        initial=RulingReason.PLAIN,
    )
    words = forms.CharField(
        label=_("In words"),
        required=False,
        max_length=WORDS_MAX,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Stays on record with the label; workers do not see it."),
    )
    answer = forms.UUIDField(required=False, widget=forms.HiddenInput)
    # A mask is long; the request bounds it.
    values = JsonField(required=False, widget=forms.HiddenInput, length=VALUES_MAX)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not self.errors and found.get("answer") is None and not isinstance(found.get("values"), dict):
            self.add_error(None, CHOOSE_FIRST)
        return found


class WhyForm(forms.Form):
    """Why an answer is rejected, or what is to be mended."""

    reason = forms.ChoiceField(
        label=_("Reason"), choices=list(REJECTED_FOR.items()), widget=forms.RadioSelect, initial=RejectReason.WRONG
    )
    comment = forms.CharField(
        label=_("What is wrong, in words"),
        max_length=COMMENT_MAX,
        # Where its sheet opens, what has to be typed comes first.
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
        help_text=_("The worker reads this."),
    )


class StatementForm(forms.Form):
    """What the organisation has to say to an appeal."""

    words = forms.CharField(
        label=_("What do you say to it?"),
        max_length=STATEMENT_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The worker and whoever judges read it."),
    )
    appeal = forms.UUIDField(widget=forms.HiddenInput)


def answers_named(values: list[str]) -> list[UUID] | None:
    """The answers that a page names; None where one of them is no id, or where there are too many."""
    try:
        return [UUID(text) for text in values] if len(values) <= DECISIONS_MAX else None
    except ValueError:
        return None


def managed(request: ConsoleRequest) -> forms.Form:
    """A form for an act that asks for nothing, refused to all below a manager."""
    return NO_FORM() if request.may("manager") else refused(gettext("This is for managers; ask one of yours."))


def refused(words: Text) -> forms.Form:
    """A form that says why nothing was done."""
    form = NO_FORM({})
    form.is_valid()
    form.add_error(None, str(words))
    return form


def why_of(request: ConsoleRequest, form: WhyForm) -> Why:
    """What the form says, in this person's name."""
    return Why(RejectReason(form.cleaned_data["reason"]), form.cleaned_data["comment"], request.user.pk)
