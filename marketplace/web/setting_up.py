"""The steps of setting a batch up: where they are, what each is still missing, and how a refusal is told there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.forms import Form
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace.batches.commands.create import Terms, terms_of
from marketplace.batches.missing import lacking
from marketplace.batches.models import Batch
from marketplace.batches.queries import Estimate
from marketplace.common.errors import DomainError
from marketplace.pages.forms import problem_on
from marketplace.projects.models import Project
from marketplace.web.batch_words import CONDITIONS

# Ten cents of most currencies: seen on the page of terms, and never published unseen.
FIRST_PRICE_MICROS = 100_000
# Who is quicker has not looked: of such a time no pay of an hour is told.
PLAUSIBLE_S = 1
# Below, a pilot is no smaller than the whole.
PILOT_FROM = 20

STEPS: tuple[tuple[str, str | Promise], ...] = (
    ("items", gettext_lazy("Items")),
    ("gold", gettext_lazy("Gold")),
    ("terms", gettext_lazy("Terms")),
    ("audience", gettext_lazy("Audience")),
    ("quality", gettext_lazy("Quality")),
    ("check", gettext_lazy("Check and publish")),
)


# Where a condition stands by itself or in a list of which all hold, as the page builds them; and an empty list.
PLAIN = re.compile(r"(?:all\[\d+\]\.)?(?:not\.)?([a-z_]+)")
LISTED = re.compile(r"must be a list of 1 to (\d+)")


@dataclass(frozen=True)
class Step:
    """One of them: `number` from 1, `missing` whether something there keeps the batch from being published."""

    name: str
    label: str | Promise
    address: str
    number: int
    here: bool
    missing: bool


@dataclass(frozen=True)
class Missing:
    """What is in the way of publishing (`stops`), or had better be thought of; and the step where it is mended."""

    step: str
    label: str
    words: str
    stops: bool = True

    @property
    def tone(self) -> str:
        return "bad" if self.stops else "warn"


def address_of(batch: Batch, step: str) -> str:
    """Where a step is."""
    return reverse(f"console_setup_{step}", args=[batch.public_id])


def watched(batch: Batch) -> str:
    """Where a batch that was published is watched."""
    try:
        return reverse("console_batch", args=[batch.public_id])
    except NoReverseMatch:
        return reverse("console_batch_setup", args=[batch.public_id])


def steps_of(batch: Batch, here: str, missing: list[Missing]) -> list[Step]:
    """All steps, as the page of one of them shows them."""
    lacking = {one.step for one in missing if one.stops}
    return [
        Step(name, label, address_of(batch, name), number, name == here, name in lacking)
        for number, (name, label) in enumerate(STEPS, 1)
    ]


def next_step(here: str) -> str:
    """The step that follows; the last one stays."""
    names = [name for name, _label in STEPS]
    return names[min(names.index(here) + 1, len(names) - 1)]


def missing_of(batch: Batch, cost: Estimate) -> list[Missing]:
    """What keeps a draft from being published, worst first; and what is worth a thought."""
    labels = dict(STEPS)
    return [Missing(one.step, str(labels[one.step]), one.words, one.stops) for one in lacking(batch, cost)]


def first_terms(project: Project, said: Mapping[str, Any]) -> Terms:
    """What a new batch begins with: the terms of the project's last one, if there is one, with what was said. What is
    set aside for disputes is what the platform asks now."""
    last = Batch.objects.filter(project=project).order_by("-pk").first()
    known = {name: said[name] for name in ("name", "kind", "overlap")}
    if last is not None:
        return replace(terms_of(last), dispute_basis_points=None, **known)
    return Terms(price_micros=FIRST_PRICE_MICROS, quality={"preset": "balanced"}, **known)


def refused_on(form: Form, error: DomainError, names: Mapping[str, str]) -> None:
    """Tell a refusal at the fields of the form; `names` says which field stands for which name of the domain's."""
    for finding in error.facts.get("errors", ()):
        path = str(finding.get("field") or "")
        part = path.partition(".")[0]
        if path in names:
            finding["field"] = names[path]
        elif part == "audience":
            at = path.partition(".")[2]
            words = _condition_in_words(at, str(finding["message"]))
            form.problems = (*getattr(form, "problems", ()), {"path": at, "message": words})  # type: ignore[attr-defined]
            finding.update(field=names.get(part, part), message=words)
        elif part == "quality":
            # Where in the data it is wrong helps more than anything else.
            finding["field"] = names.get(part, part)
            finding["message"] = f"{path.partition('.')[2] or part}: {finding['message']}"
    problem_on(form, error)


def _condition_in_words(at: str, message: str) -> str:
    """What is wrong with a part of an audience, by the name of its condition where it is one of a plain list."""
    if empty := LISTED.fullmatch(message):
        message = _("choose at least one, and at most %(n)s") % {"n": empty[1]}
    plain = PLAIN.match(at)
    return f"{CONDITIONS[plain[1]] if plain and plain[1] in CONDITIONS else at or _('Audience')}: {message}"
