"""The same people through the API and nothing else: the short form of acting, on any running site, in real time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.crowd.client import Json, Session
from tests.crowd.crew import PageWorker, work
from tests.crowd.people import Person
from tests.crowd.questions import FIELD, LABELS, Question


def act_over_http(
    people: Sequence[Person],
    sessions: Sequence[Session],
    batch_id: str,
    questions: Sequence[Question],
    *,
    labels: Sequence[str] = LABELS,
    page: int = 5,
    threads: int = 4,
    rest_s: float = 0.0,
) -> list[PageWorker]:
    """Everybody claims and answers pages until nothing is left for anybody; their hands, in the order of people.

    Nobody takes the time that he would: `rest_s` after each page is all. Raises the first error of anyone.
    """
    known = {question.text: question for question in questions}
    hands = [
        _hand(person, session, batch_id, known, labels=labels, page=page, rest_s=rest_s)
        for person, session in zip(people, sessions, strict=True)
    ]
    stored = -1
    while stored != sum(hand.stored for hand in hands):  # what one lost is work for those who had ended
        stored = sum(hand.stored for hand in hands)
        for hand in hands:
            hand.start_again()
        work([hand for hand in hands if hand.not_eligible is None], threads)
    return hands


def _hand(
    person: Person,
    session: Session,
    batch_id: str,
    known: Mapping[str, Question],
    *,
    labels: Sequence[str],
    page: int,
    rest_s: float,
) -> PageWorker:
    given: dict[str, str] = {}

    def values_for(shown: Json) -> Json:
        # A page that is sent again after a lost connection gets the same answers, and nobody turns the sooner for it.
        question = known[shown["data"]["text"]]
        if question.name not in given:
            given[question.name] = person.answer(question.name, question.truth, labels, nth=len(given))
        return {FIELD: given[question.name]}

    return PageWorker(
        session,
        batch_id=batch_id,
        page=page,
        values_for=values_for,
        expects_more=lambda: 0,
        on_stored=lambda stored: None,
        rest_s=rest_s,
    )
