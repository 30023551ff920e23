"""Data sets in words."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace.results.states import DatasetState
from marketplace.results.writers.registry import writers

Text = str | Promise

# The words, the tone of the badge, and whether it is still on its way.
STATES: dict[str, tuple[Text, str]] = {
    DatasetState.GATHERING: (_("Items are gathered"), ""),
    DatasetState.ARRANGING: (_("Splits are drawn, and all is looked at"), ""),
    DatasetState.WRITING: (_("Files are written"), ""),
    DatasetState.SEALING: (_("Files are sealed"), ""),
    DatasetState.DONE: (_("Ready"), "good"),
    DatasetState.FAILED: (_("Failed"), "bad"),
}
CHECKS: dict[str, Text] = {
    "labelled": _("Every task has a label"),
    "inside": _("Shapes and spans are inside"),
    "distribution": _("Every label occurs"),
    "untold": _("Names tell no answers"),
    "apart": _("Near-duplicates stay together"),
}
LIVES = {3_600: _("an hour"), 86_400: _("a day"), 7 * 86_400: _("a week"), 30 * 86_400: _("30 days")}


def format_title(name: str) -> str:
    """What a format is called; one that is no more keeps its name."""
    writer = writers().get(name)
    return writer.title if writer else name
