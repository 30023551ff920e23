"""Where a project can begin: for each answer type an interface that works and instructions to make one's own.

A starter is found by the name of its type, so that a new type without one fails a test. What is written here becomes
the requester's: it is English, and he changes it as he likes.
"""

from functools import cache

from marketplace.common.errors import NotFound
from marketplace.projects.starters.base import Starter
from marketplace.projects.starters.choosing import CHOOSING
from marketplace.projects.starters.judging import JUDGING
from marketplace.projects.starters.pictures import PICTURES
from marketplace.projects.starters.sounds import SOUNDS
from marketplace.projects.starters.writing import WRITING

__all__ = ["Starter", "starter_of", "starters"]


@cache
def starters() -> dict[str, Starter]:
    """All by the name of their answer type, those first that most people begin with."""
    return {one.type: one for one in (*CHOOSING, *JUDGING, *WRITING, *PICTURES, *SOUNDS)}


def starter_of(name: str) -> Starter:
    """The starter for an answer type; raises `NotFound`."""
    found = starters().get(name)
    if found is None:
        raise NotFound("There is no such starter.")
    return found
