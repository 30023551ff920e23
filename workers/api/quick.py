"""Reading the bodies of claims and submissions without serializers, when they are as usual.

Each function returns None for a body that is anything else; the `Ask` of the same request then reads it again, and
words what is wrong. So the two can only differ where one takes what the other refuses, which a test excludes.
"""

from typing import Any
from uuid import UUID

from workers.assignments.commands.submit import Submission

PAGE_MAX = 100


def quick_count(data: Any) -> int | None:
    """The `count` of a claim."""
    if type(data) is dict and data.keys() <= {"count"}:
        return _count(data.get("count", 1))
    return None


def quick_page(data: Any) -> tuple[list[Submission], tuple[UUID, int] | None] | None:
    """The answers of a submission, and the batch and count of the page that is to follow."""
    if type(data) is not dict or not data.keys() <= {"answers", "then_claim"}:
        return None
    answers, then = data.get("answers"), data.get("then_claim")
    if type(answers) is not list or not 0 < len(answers) <= PAGE_MAX or ("then_claim" in data and then is None):
        return None
    following = None
    if then is not None:
        if type(then) is not dict or not then.keys() <= {"batch", "count"}:
            return None
        batch, count = _uuid(then.get("batch")), _count(then.get("count", 1))
        if batch is None or count is None:
            return None
        following = (batch, count)
    page = [_submission(answer) for answer in answers]
    return None if None in page else (page, following)  # type: ignore[return-value]


def _submission(answer: Any) -> Submission | None:
    if type(answer) is not dict or not answer.keys() <= {"assignment", "token", "values", "unclear"}:
        return None
    assignment, token = _uuid(answer.get("assignment")), _uuid(answer.get("token"))
    values, unclear = answer.get("values", {}), answer.get("unclear", False)
    if assignment is None or token is None or type(values) is not dict or type(unclear) is not bool:
        return None
    return Submission(assignment, token, values, unclear)


def _uuid(text: Any) -> UUID | None:
    if type(text) is not str or len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None


def _count(number: Any) -> int | None:
    return number if type(number) is int and 1 <= number <= PAGE_MAX else None
