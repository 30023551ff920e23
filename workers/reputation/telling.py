"""What a worker is told when his score moves: numbers and words of the last 20 answers, and nothing of any one of them.

Nothing here tells known answers from agreement with others, or one judged answer from another: with the tasks of 20
answers before him, a worker learns how many were judged and how many of these were right.
"""

from dataclasses import dataclass

SHOW_EVERY = 20


@dataclass(frozen=True)
class Since:
    """What happened in a project since the score was last shown: how many judgements, how many of them for the worker,
    and how many earlier ones were taken back."""

    judged: int
    agreed: int
    taken_back: int


def of_project(name: str, since: Since, before: float, after: float) -> str:
    """Why the score in a project moved."""
    if since.judged == 0:
        counted = "none more could be judged"
    else:
        counted = f"{since.judged} more could be judged: {since.agreed} agreed with what is known to be right"
    parts = [f"With your last {SHOW_EVERY} answers in “{name}”, {counted}."]
    if since.taken_back:
        many = "1 earlier judgement was" if since.taken_back == 1 else f"{since.taken_back} earlier judgements were"
        parts.append(f"{many} found to be wrong and no longer {'counts' if since.taken_back == 1 else 'count'}.")
    if since.judged == since.taken_back == 0 and _moved(before, after):
        parts.append("Older answers count less as time goes by.")
    return " ".join([*parts, _score("Your score", before, after)])


def of_type(answer_type: str, name: str, before: float, after: float) -> str:
    """Why the score over all work of a type moved."""
    return f"After your last {SHOW_EVERY} answers in “{name}”: " + _score(
        f"your score in all work with answers of the type “{answer_type}”", before, after
    )


def of_all(name: str, before: float, after: float) -> str:
    """Why the score over all work moved."""
    return f"After your last {SHOW_EVERY} answers in “{name}”: " + _score("your score in all your work", before, after)


def _moved(before: float, after: float) -> bool:
    return f"{before:.2f}" != f"{after:.2f}"


def _score(which: str, before: float, after: float) -> str:
    if not _moved(before, after):
        return f"{which} stayed at {after:.2f}."
    return f"{which} went from {before:.2f} to {after:.2f}."
