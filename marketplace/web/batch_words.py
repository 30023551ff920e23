"""What the console calls the states and parts of a batch."""

from collections.abc import Iterable
from typing import Any

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from marketplace.batches.states import BatchState, Order
from marketplace.projects.answer_types.registry import methods_for

Text = str | Promise

# In words, and the tone of the badge.
STATES: dict[str, tuple[Text, str]] = {
    BatchState.DRAFT: (_("Draft"), "quiet"),
    BatchState.PUBLISHED: (_("Running"), "good"),
    BatchState.PAUSED: (_("Paused"), "warn"),
    BatchState.CLOSING: (_("Closing"), ""),
    BatchState.SETTLED: (_("Settled"), "quiet"),
    BatchState.CANCELLED: (_("Cancelled"), "quiet"),
}
ORDERS: tuple[tuple[str, Text], ...] = (
    (Order.SPREAD, _("Each worker in an order of his own (usual)")),
    (Order.SEQUENTIAL, _("As in the file")),
    (Order.DEPTH_FIRST, _("Finish what was begun first")),
    (Order.PRIORITY, _("By the priority of each item")),
    (Order.UNCERTAINTY, _("The least certain first, by the score of each item")),
)
# The conditions of an audience, as its page calls them.
CONDITIONS: dict[str, Text] = {
    "country": _("Country"),
    "languages": _("Languages"),
    "device": _("Device"),
    "content": _("Content that may disturb"),
    "account_age": _("Age of the account"),
    "score": _("Score in this project"),
    "skill": _("Skill"),
    "qualification": _("Qualification"),
    "list": _("List of workers"),
    "batch": _("Earlier work"),
}
# What each method of aggregation is called, and what it does.
METHODS: dict[str, tuple[Text, Text]] = {
    "majority": (_("Majority"), _("what most said")),
    "weighted_majority": (_("Weighted majority"), _("good workers count for more")),
    "dawid_skene": (_("Dawid and Skene"), _("learns how each worker errs (usual)")),
    "one_coin": (_("One coin"), _("learns how often each worker is right")),
    "glad": (_("GLAD"), _("learns workers and how hard items are")),
    "mace": (_("MACE"), _("learns who guesses")),
    "ordinal": (_("Ordinal"), _("learns how each worker uses the scale")),
    "clusters": (_("Clusters"), _("marks that lie on each other become one")),
    "pixel_majority": (_("Majority of each pixel"), _("what most painted there")),
    "staple": (_("STAPLE"), _("each pixel, and good workers count for more")),
    "most_frequent": (_("Most frequent"), _("the text that was given most often")),
    "rover": (_("ROVER"), _("one text out of all, word by word")),
    "medoid": (_("Medoid"), _("the answer that is nearest to all others")),
    "borda": (_("Borda"), _("points for each place in the order")),
    "bradley_terry": (_("Bradley and Terry"), _("how often each comes before another")),
    "noisy_bradley_terry": (_("Noisy Bradley and Terry"), _("the same, and learns how good each worker is")),
    "median": (_("Median"), _("the number in the middle")),
    "trimmed_mean": (_("Trimmed mean"), _("the mean without the wildest answers")),
    "worker_bias": (_("Worker bias"), _("learns who says too much or too little")),
}


def method_as(name: str) -> Text:
    """What a method of aggregation is called."""
    return METHODS[name][0] if name in METHODS else name.replace("_", " ")


def method_choices(names: Iterable[str]) -> list[tuple[str, Text]]:
    """Methods to choose from, each with what it does."""
    return [(name, format_lazy("{}: {}", *METHODS[name]) if name in METHODS else method_as(name)) for name in names]


def method_of(batch: Any) -> str:
    """The method by which the batch makes results: the one it asks for, or the usual one of its questions' kind."""
    asked, fits = batch.aggregation["method"], methods_for(batch.version.interface["answer"])
    return asked if asked in fits else fits[0]


def state_of(batch: Any) -> tuple[Text, str]:
    """The state of a batch, and its tone."""
    return STATES[batch.state]
