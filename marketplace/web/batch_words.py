"""What the console calls the states and parts of a batch."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace.batches.states import BatchState, Order

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
METHODS: dict[str, Text] = {
    "majority": _("Majority"),
    "weighted": _("Majority, weighted by how good each worker is"),
    "dawid_skene": _("Dawid and Skene: learns how each worker errs (usual)"),
    "one_coin": _("One coin: learns how often each worker is right"),
    "glad": _("GLAD: learns workers and how hard items are"),
    "mace": _("MACE: learns who guesses"),
}


def method_as(name: str) -> Text:
    """What a method of aggregation is called."""
    return METHODS.get(name, name.replace("_", " "))


def state_of(batch: Any) -> tuple[Text, str]:
    """The state of a batch, and its tone."""
    return STATES[batch.state]
