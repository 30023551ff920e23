"""Forms about projects and their versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from marketplace.common.errors import Malformed
from marketplace.common.strict_json import strict_json
from marketplace.pages.fields import why_unread
from marketplace.projects.answer_types.labels import title_of
from marketplace.projects.interface import INTERFACE_BYTES_MAX
from marketplace.projects.label_studio.configs import CONFIG_BYTES_MAX
from marketplace.projects.starters import starters

LABEL_STUDIO = "label-studio"
INSTRUCTIONS_MAX = 100_000
# Of what the player has no tool for yet.
ELSEWHERE = _("Workers cannot draw it on this site's pages yet: they need a tool over the API")


class NameForm(forms.Form):
    """What a project is called."""

    name = forms.CharField(
        label=_("Name of the project"),
        max_length=200,
        help_text=_("For yourselves; workers see the names of batches."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class NewProjectForm(NameForm):
    """A project and what it begins with."""

    starter = forms.ChoiceField(
        label=_("What shall workers do?"),
        widget=forms.RadioSelect,
        help_text=_("Each is a whole project that works: change its words and labels to yours."),
        error_messages={"required": _("Choose what to begin with.")},
    )
    config = forms.CharField(
        label=_("Labelling config of Label Studio"),
        required=False,
        max_length=CONFIG_BYTES_MAX,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "class": "code"}),
        help_text=_("Only if you chose to bring one: the XML of its settings."),
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        cards = [(one.type, _card(one.title, one.summary, here=one.here)) for one in starters().values()]
        bring = _card(_("Bring it from Label Studio"), _("Its labelling config becomes an interface here."))
        self.fields["starter"].choices = [*cards, (LABEL_STUDIO, bring)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("starter") == LABEL_STUDIO and not (said.get("config") or "").strip():
            self.add_error("config", _("Paste the config here."))
        return said


class DraftForm(forms.Form):
    """A version as it is being written."""

    interface = forms.CharField(
        label=_("Everything as JSON"),
        max_length=INTERFACE_BYTES_MAX,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "code", "autocomplete": "off"}),
    )
    instructions = forms.CharField(
        label=_("Instructions"),
        max_length=INSTRUCTIONS_MAX,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 18, "autocomplete": "off"}),
    )
    made_from = forms.CharField(max_length=32, widget=forms.HiddenInput)

    def clean_interface(self) -> Any:
        try:
            return strict_json(self.cleaned_data["interface"].encode("utf-8", "replace"))
        except Malformed as error:
            raise forms.ValidationError(why_unread(error)) from None

    def clean_instructions(self) -> str:
        # Browsers end lines of forms in their own way; a version that nobody changed stays the same.
        return str(self.cleaned_data["instructions"]).replace("\r\n", "\n")


def _card(title: Any, summary: Any, *, here: bool = True) -> Any:
    """A way to begin; what workers cannot answer on this site's pages says so."""
    said = format_html('<strong>{}</strong><br><span class="soft small">{}</span>', title, summary)
    if not here:
        said = format_html('{}<br><span class="badge warn">{}</span>', said, ELSEWHERE)
    return format_html("<span>{}</span>", said)


def hardly_meant(interface: Mapping[str, Any]) -> list[str]:
    """What workers could not make sense of: questions without words, and labels that are called the same."""
    said = []
    for field in interface.get("answer", ()):
        if field["title"] == field["name"]:
            said.append(_("A question has no words: workers see “%(name)s”.") % {"name": field["name"]})
        for name in _called_twice([*field.get("labels", ()), *field.get("items", ())]) + _twice_in_tree(field):
            words = _("“%(question)s” has two labels that are called “%(label)s”.")
            said.append(words % {"question": field["title"], "label": name})
    return said


def _twice_in_tree(field: Mapping[str, Any]) -> list[str]:
    found, waiting = [], [field.get("tree", ())]
    while waiting:
        nodes = waiting.pop()
        found += _called_twice(nodes)
        waiting += [node["children"] for node in nodes if node.get("children")]
    return found


def _called_twice(labels: Sequence[Any]) -> list[str]:
    """The titles that more than one label of a list has; plain words are points of a scale."""
    titles = [str(label["title"]) for label in labels if isinstance(label, Mapping)]
    plain = [title.casefold() for title in titles]
    return [title for at, title in enumerate(titles) if plain.index(title.casefold()) < at]


def asked_elsewhere(interface: Mapping[str, Any]) -> list[str]:
    """Titles of the questions that workers cannot answer on this site's pages, but with tools over the API alone."""
    known = starters()
    return [
        title_of(field)
        for field in interface.get("answer", ())
        if field["type"] in known and not known[field["type"]].here
    ]
