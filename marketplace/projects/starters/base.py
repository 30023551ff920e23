"""What a starter is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise


@dataclass(frozen=True)
class Starter:
    """The beginning of a project.

    type          the answer type that it shows
    title         of this kind of work, for people who choose
    summary       what it is good for, in a sentence
    interface     as `check_interface` takes it
    instructions  Markdown for workers
    sample        data of a task to look at; pictures, sounds and films are left to whoever shows it
    here          whether workers can answer it on this site's pages, and not only with tools over the API
    """

    type: str
    title: str | Promise
    summary: str | Promise
    interface: Mapping[str, Any]
    instructions: str
    sample: Mapping[str, Any] = field(default_factory=dict)
    here: bool = True
