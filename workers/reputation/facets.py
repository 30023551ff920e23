"""In which respects a judgement counts, and how it changes what is known there; values in, values out.

A facet is a respect in which a worker is known: `project:<id>`, `class:<project id>:<field>:<label>` for the tasks
whose right label that is, `type:<answer type>`, and `global`.
"""

from dataclasses import dataclass

from workers.reputation.scoring import PRIOR, Gain, Tally, folded, gain, taken_back

GLOBAL = "global"
STRANGER = Tally(PRIOR.alpha, PRIOR.beta, floor=(PRIOR.alpha, PRIOR.beta))
NOTHING = Tally(0.0, 0.0)


def project_facet(project_id: int) -> str:
    """What is known of a worker in one project."""
    return f"project:{project_id}"


def type_facet(answer_type: str) -> str:
    """What is known of him where answers are of that type."""
    return f"type:{answer_type}"


def class_facet(project_id: int, field: str, label: str) -> str:
    """What is known of him where that label is right. A field's name has no colon; a label may have some."""
    return f"class:{project_id}:{field}:{label}"


@dataclass(frozen=True)
class Judgement:
    """One judgement as it was recorded, or an undo of one: then `undone_day` is the day of what it takes back."""

    project_id: int
    score: float
    weight: float
    easiness: float | None
    field: str
    truth: str | None
    given: str | None
    answer_type: str
    day: int
    undone_day: int | None = None

    def beyond(self) -> list[str]:
        """The facets it counts in besides its project."""
        facets = [GLOBAL]
        if self.answer_type:
            facets.append(type_facet(self.answer_type))
        if self.truth is not None:
            facets.append(class_facet(self.project_id, self.field, self.truth))
        return facets

    def gain(self, facet: str) -> Gain:
        """What it adds there. For a class only the label counts, whatever else the answer said."""
        score = float(self.given == self.truth) if facet.startswith("class:") else self.score
        return gain(score, self.weight, self.easiness)


def counted(tally: Tally, judgement: Judgement, facet: str) -> Tally:
    """The tally of the facet once the judgement counts there. Recorded judgements in the order of their ids give the
    same tally to the bit, whenever and in whatever groups that is done."""
    evidence = int(judgement.weight > 0)
    if judgement.undone_day is None:
        return folded(tally, judgement.gain(facet), judgement.day, evidence)
    return taken_back(tally, judgement.gain(facet), judgement.undone_day, judgement.day, evidence)
