"""What staff fill in. The domain judges it; here it gets its form, and its words."""

from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Requester, StaffRole, Where
from marketplace.accounts.queries import any_requester, find_requesters
from marketplace.api.asks import CHANNEL
from marketplace.billing.models import BANK
from marketplace.common.errors import NotFound
from marketplace.common.money import AMOUNT_MAX, MICROS
from marketplace.pages.fields import DayField, JsonField
from marketplace.pages.sanction_words import MEASURES as MEASURES
from marketplace.pages.sanction_words import REACHES as REACHES
from marketplace.pages.sanction_words import REASONS as REASONS
from marketplace.payouts.models import REASON_MAX
from marketplace.payouts.states import Outcome
from workers.profiles.commands.links import LINK_MAX

CURRENCY = forms.RegexField(r"^[A-Z]{3}$", label=_("Currency"), help_text=_("Three capital letters, as EUR"))
LIVES = [(1, _("1 day")), (3, _("3 days")), (7, _("7 days")), (30, _("30 days")), (365, _("1 year"))]
OUTCOMES = {
    Outcome.SETTLED: _("Paid: the money has arrived"),
    Outcome.FAILED: _("Failed: nothing was paid, the money goes back"),
    Outcome.RETURNED: _("Sent back by the receiver's bank"),
}
FILE_MAX = 3_000_000


class ReasonForm(forms.Form):
    """Anything that needs nothing but its reason."""

    reason = forms.CharField(label=_("Reason"), max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}))


class RefuseForm(forms.Form):
    reason = forms.CharField(label=_("Why not? The worker reads it"), max_length=REASON_MAX)


class SanctionForm(forms.Form):
    """A limit on somebody: what, how far, why, on what evidence, and until when."""

    measure = forms.ChoiceField(label=_("What"), choices=list(MEASURES.items()), widget=forms.RadioSelect)
    scope = forms.ChoiceField(label=_("Where"), choices=list(REACHES.items()), initial=Where.PLATFORM)
    place = forms.UUIDField(
        label=_("Id of the organisation, project or batch"), required=False, help_text=_("Nothing for the whole site")
    )
    pace_s = forms.IntegerField(
        label=_("Seconds between two tasks"), required=False, min_value=1, help_text=_("For “slow down” only")
    )
    reason = forms.ChoiceField(label=_("Why"), choices=list(REASONS.items()))
    words = forms.CharField(
        label=_("What the worker reads"),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Say what you saw and what would change it"),
    )
    evidence = forms.CharField(
        label=_("Evidence"),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What it rests on: figures, answers, dates. Whoever judges an appeal reads it"),
    )
    days = forms.TypedChoiceField(label=_("For how long"), choices=LIVES, coerce=int, initial=7)

    def life(self) -> timedelta:
        return timedelta(days=self.cleaned_data["days"])


class LinkForm(forms.Form):
    """Accounts that are found to be one person's."""

    workers = forms.CharField(
        label=_("Ids of the other workers"),
        max_length=4_000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_("As on their pages; several with a space or a line between them"),
    )
    reason = forms.CharField(
        label=_("What shows that they are one person"), max_length=2_000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def clean_workers(self) -> list[UUID]:
        words = self.cleaned_data["workers"].replace(",", " ").split()
        if len(words) >= LINK_MAX:
            raise forms.ValidationError(_("These are too many at once."))
        try:
            return [UUID(word) for word in words]
        except ValueError:
            raise forms.ValidationError(_("One of these is no id of a worker.")) from None


class OrganisationField(forms.CharField):
    """An organisation by its name or its id. What several have in their names is asked back."""

    widget = forms.TextInput(attrs={"list": "organisations", "autocomplete": "off", "spellcheck": "false"})

    def clean(self, value: Any) -> Requester:
        text = super().clean(value)
        with suppress(ValueError):
            try:
                return any_requester(UUID(text))
            except NotFound as error:
                raise forms.ValidationError(error.detail) from None
        found = find_requesters(text)
        same = [one for one in found if one.name.casefold() == text.casefold()]
        if len(same) == 1:
            return same[0]
        if not found:
            raise forms.ValidationError(_("No organisation has such a name."))
        names = "; ".join(f"{one.name} ({one.public_id})" for one in found)
        raise forms.ValidationError(_("Which one? Give the whole name or the id: %(names)s"), params={"names": names})


class DepositForm(forms.Form):
    """Money that came in for an organisation."""

    requester = OrganisationField(
        label=_("Organisation"), max_length=200, help_text=_("Its name, or its id; names are offered while you type")
    )
    amount = forms.DecimalField(
        label=_("Amount"), min_value=Decimal("0.000001"), max_value=Decimal(AMOUNT_MAX) / MICROS, decimal_places=6
    )
    currency = CURRENCY
    channel = forms.RegexField(CHANNEL.pattern, label=_("Came by"), initial=BANK, help_text=_("bank, or a provider"))
    reference = forms.CharField(label=_("The bank's reference"), max_length=200)
    evidence = forms.CharField(
        label=_("Evidence"),
        max_length=2_000,
        required=False,
        help_text=_("As the number of the statement; without it stands that you recorded it"),
    )

    def amount_micros(self) -> int:
        return int(self.cleaned_data["amount"] * MICROS)


class CsvForm(forms.Form):
    """A file of a bank or provider."""

    file = forms.FileField(label=_("File (CSV)"))

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > FILE_MAX:
            raise forms.ValidationError(_("The file is larger than 3 MB. Split it by dates."))
        return file


class DepositReportForm(CsvForm):
    channel = forms.RegexField(CHANNEL.pattern, label=_("Channel"), initial=BANK)


class PayoutReportForm(CsvForm):
    provider = forms.ChoiceField(label=_("Provider"))
    first = DayField(label=_("From"))
    last = DayField(label=_("Until, this day included"))

    def __init__(self, *args: Any, providers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["provider"].choices = providers  # type: ignore[attr-defined]

    def clean_file(self) -> str:
        try:
            return str(super().clean_file().read().decode())
        except UnicodeDecodeError:
            raise forms.ValidationError(_("The file is no text in UTF-8; save the table as CSV in UTF-8.")) from None

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("first") and found.get("last") and found["last"] < found["first"]:
            self.add_error("last", _("This day is before the first one."))
        return found

    def span(self) -> tuple[datetime, datetime]:
        """From the beginning of the first day to the end of the last, by UTC."""
        first, last = (datetime.combine(self.cleaned_data[name], time(), UTC) for name in ("first", "last"))
        return first, last + timedelta(days=1)


class RunForm(forms.Form):
    """Approved payouts of one provider and currency."""

    provider = forms.ChoiceField(label=_("Provider"))
    currency = CURRENCY

    def __init__(self, *args: Any, providers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["provider"].choices = providers  # type: ignore[attr-defined]


class OutcomeForm(forms.Form):
    """What came of a run, or of some payouts of it."""

    outcome = forms.ChoiceField(label=_("What came of it"), choices=list(OUTCOMES.items()), widget=forms.RadioSelect)
    payouts = forms.MultipleChoiceField(
        label=_("Of which payouts"),
        required=False,
        help_text=_("None chosen means all of them"),
        widget=forms.CheckboxSelectMultiple,
    )
    reason = forms.CharField(
        label=_("Why"), required=False, max_length=REASON_MAX, help_text=_("Needed where money goes back")
    )

    def __init__(self, *args: Any, payouts: list[tuple[str, str]], released: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["payouts"].choices = payouts  # type: ignore[attr-defined]
        if not released:
            # Nobody can have paid.
            self.fields["outcome"].choices = [(Outcome.FAILED, OUTCOMES[Outcome.FAILED])]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("outcome") not in (None, Outcome.SETTLED) and not found.get("reason", "").strip():
            self.add_error("reason", _("Say why the money goes back."))
        return found


class DecideForm(forms.Form):
    """An appeal, for or against the worker."""

    decision = forms.ChoiceField(
        label=_("Decision"),
        choices=[("uphold", _("The worker is right")), ("refuse", _("The worker is not right"))],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label=_("Why? The worker reads it"), max_length=5_000, widget=forms.Textarea(attrs={"rows": 4})
    )


class AdjudicatorForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address of who shall judge"))
    reason = forms.CharField(label=_("Why this person"), max_length=2_000)


class ReviewForm(forms.Form):
    """Rejections that wait for a second look."""

    decision = forms.ChoiceField(
        label=_("Decision"),
        choices=[
            ("approve", _("Let the rejections take effect")),
            ("refuse", _("Refuse them: the answers are accepted and paid")),
        ],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(label=_("Why"), max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}))


class RulesForm(forms.Form):
    """The platform's quality rules, as they stand in the terms of a batch."""

    quality = JsonField(
        label=_("Rules (JSON)"),
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false", "class": "code"}),
        help_text=_("A preset, or rules. To have none of the site write {}"),
    )
    note = forms.CharField(label=_("Why they change"), max_length=2_000)


class RoleForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address of the account"))
    role = forms.ChoiceField(label=_("Role"), choices=StaffRole.choices)


class SearchForm(forms.Form):
    search = forms.CharField(
        label=_("Id, name of an organisation, or the beginning of an address"),
        max_length=254,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
