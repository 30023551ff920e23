"""What the worker's templates say of batches."""

from typing import Any

from django import template

from workers.assignments.audience.board import Closure
from workers.web import words

register = template.Library()

register.filter("answers_as", words.answers_as)
register.filter("answers_icon", words.icon_of)
register.filter("language_as", words.language_as)


@register.filter
def content_as(kind: str) -> words.Text:
    """A kind of content that may disturb."""
    return words.CONTENT[kind][0]


@register.filter
def of_scale(micros: float, scale: float) -> float:
    """Where an amount stands on a scale from nothing to `scale`, as a share of one."""
    return micros / scale if scale else 0.0


@register.filter
def opening(closed: Closure) -> dict[str, Any] | None:
    """What would open the batch."""
    return words.opening(closed.lacks)
