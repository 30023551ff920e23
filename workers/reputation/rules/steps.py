"""Up to where a rule sees a worker's history, so that no effect of it tells which answer was a check question (R37).

A rule that acted right after each answer would tell by its moment how that one answer was judged. So a rule that looks
at a closed figure sees the history only up to the last full step of answers: what follows from it rests on five answers
at least. Skills, which he reads as numbers, move with every twentieth answer like all that he is shown.
"""

from collections.abc import Iterable, Mapping, Sequence

from marketplace.batches.quality.catalogue import SKILLS
from marketplace.batches.quality.forms import Rule
from workers.reputation.rules.events import Event
from workers.reputation.rules.telling import looks_at_closed
from workers.reputation.states import Kind
from workers.reputation.telling import SHOW_EVERY

STEP = 5
STEPS = (STEP, SHOW_EVERY)


def step_of(rule: Rule) -> int:
    """With every how-manieth answer the rule sees what is new; 1 is at once."""
    if not looks_at_closed(rule):
        return 1
    return SHOW_EVERY if any(action.do in SKILLS for action in rule.actions) else STEP


def steps_in(history: Sequence[Event]) -> dict[int, int]:
    """The answer that ended the last full step of each length, of a history that begins with the first answer; 0 where
    none is full."""
    answers = sorted(event.id for event in history if event.kind == Kind.ANSWER)
    ends = {step: len(answers) // step * step for step in STEPS}
    return {step: answers[end - 1] if end else 0 for step, end in ends.items()}


def last_full(blocks: Iterable[tuple[int, int]], step: int) -> int:
    """The end of the last step that had `step` answers that count, of blocks of answers in order, each with its last
    answer and how many of it count; 0 where there is none.

    Steps end where a block of the whole project ends, also for one of its batches: else comparing two rules would tell
    about the few answers between their ends.
    """
    end = since = 0
    for last, counted in blocks:
        since += counted
        if since >= step:
            end, since = last, 0
    return end


def seen_by(rule: Rule, history: Sequence[Event], ends: Mapping[int, int]) -> list[Event]:
    """The history as the rule sees it, in order: up to the answer that ended the last full step, with its score. What
    takes any of it back is seen at once."""
    events = sorted(history, key=lambda event: event.id)
    step = step_of(rule)
    if step == 1:
        return events
    end = ends[step]
    at = next((at for at, event in enumerate(events) if event.id > end), len(events))
    if 0 < at < len(events) and events[at - 1].id == end and _scores(events[at], events[at - 1]):
        end = events[at].id
    return [event for event in events if event.id <= end or event.kind == Kind.UNDO]


def _scores(event: Event, answer: Event) -> bool:
    """Whether it is the judgement written down together with the answer."""
    return event.kind == Kind.GOLD and event.assignment_id == answer.assignment_id is not None
