"""One crowd twice on one batch of questions: with the quality control, and without it at equal cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.majority import majority
from marketplace.aggregation.votes import Votes
from tests.benchmarks.trust.positions import phase_of
from tests.crowd.acting import Clock, Crowd
from tests.crowd.difficulty import Difficulty
from tests.crowd.people import Person
from tests.crowd.promised import promised_crowd
from tests.crowd.questions import LABELS, Question, make_questions
from tests.crowd.staging import hired
from tests.crowd.story import Given

NO_GOLD = {"min_share": 0.0, "max_share": 0.0, "probation": 0, "probation_share": 0.0}


@dataclass(frozen=True)
class Plan:
    """What is played: how many people and tasks, which terms.

    known        share of the tasks that the requester has keys of
    turns_after  how many good answers a sleeper gives first
    spread       of the tasks' easiness, in logits
    """

    seed: int
    workers: int
    tasks: int
    overlap: int = 5
    known: float = 0.08
    turns_after: int = 200
    spread: float = 1.0
    preset: str = "balanced"
    gold: dict[str, Any] | None = None
    extras: bool = True

    def questions(self) -> list[Question]:
        """Ordinary and gold ones."""
        gold = round(self.known * self.tasks)
        return make_questions(self.tasks - gold, gold, seed=self.seed)

    def people(self) -> list[Person]:
        """The crowd of R40 and, with `extras`, one of each other kind for every 40."""
        return promised_crowd(
            self.workers,
            seed=self.seed,
            tasks=Difficulty(self.seed, self.spread),
            turns_after=self.turns_after,
            extras=self.extras,
        )


def with_control(plan: Plan, clock: Clock, tell: Callable[[int], None] | None = None) -> Crowd:
    """The batch with gold and rules, worked on until nobody finds anything more to do."""
    crowd = hired(
        plan.people(),
        plan.questions(),
        overlap=plan.overlap,
        seed=plan.seed,
        clock=clock,
        gold=plan.gold or {},
        quality={"preset": plan.preset},
    )
    crowd.work(tell=tell)
    return crowd


def without_control(plan: Plan, clock: Clock, paid: int, tell: Callable[[int], None] | None = None) -> Crowd:
    """The ordinary questions alone, without gold and rules, by the same people, until as many answers are paid."""
    ordinary = [question for question in plan.questions() if not question.gold]
    each, more = divmod(paid, len(ordinary))
    questions = [replace(one, overlap=each + (number < more)) for number, one in enumerate(ordinary)]
    crowd = hired(
        plan.people(),
        questions,
        overlap=each,
        seed=plan.seed,
        clock=clock,
        gold=NO_GOLD,
        begins_s=86_400.0 * 30,
    )
    crowd.work(answers=paid, tell=tell)
    return crowd


def accuracies(answers: Sequence[Given], ordinary: Sequence[Question]) -> dict[str, float | None]:
    """How many of the ordinary questions get their true label from these answers; one without any is a miss."""
    truth = {question.name: question.truth for question in ordinary}
    used = [given for given in answers if given.question in truth]
    if not used:
        return {"answers": None, "majority": None, "dawid_skene": None}
    votes, words = Votes.of(
        [given.question for given in used],
        [given.person for given in used],
        [given.label for given in used],
        task_order=list(truth),
        label_order=list(LABELS),
    )
    voted = {given.question for given in used}
    found: dict[str, float | None] = {
        "answers": round(sum(given.label == truth[given.question] for given in used) / len(used), 4)
    }
    for name, result in (("majority", majority(votes)), ("dawid_skene", dawid_skene(votes))):
        labels = [words.labels[label] for label in result.labels]
        right = sum(task in voted and label == truth[task] for task, label in zip(words.tasks, labels, strict=True))
        found[name] = round(right / len(truth), 4)
    return found


def gold_shares(crowd: Crowd) -> dict[str, Any]:
    """The share of gold among what was shown, overall and by phase, and how far the requester's keys went."""
    shows = crowd.story.shows
    gold, all_of = Counter[str](), Counter[str]()
    for show in shows:
        all_of[phase_of(show.nth)] += 1
        gold[phase_of(show.nth)] += show.gold
    return {
        "overall": round(sum(gold.values()) / max(1, len(shows)), 4),
        **{phase: round(gold[phase] / all_of[phase], 4) for phase in all_of},
        "gold_answers": sum(given.gold for given in crowd.story.answers),
        "gold_tasks": len({show.question for show in shows if show.gold}),
    }
