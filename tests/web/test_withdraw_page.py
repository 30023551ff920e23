"""Withdrawals as a page: with a code, once, whole cents, and called off while they can be."""

import re
from typing import Any

import pytest
from django.test import Client

from marketplace.payouts.models import Payout
from tests.api.callers import caller_for
from tests.payouts import people
from tests.web.visitors import client_of, key_in, text_of
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
PAGE = "/work/earnings/withdraw/"


@pytest.fixture
def worker() -> Worker:
    made = people.make_payee(20 * people.EURO)
    people.aged(people.add, made)
    people.forget_codes()
    return made


def form_of(client: Client, worker: Worker, **typed: Any) -> dict[str, Any]:
    """The form as it is sent."""
    shown = client.get(PAGE)
    [destination] = re.findall(r'name="destination" value="([^"]+)"', shown.content.decode())
    code = people.code_of(worker.user)
    return {"form_key": key_in(shown), "destination": destination, "amount": "7.50", "code": code, **typed}


def test_a_payout_is_asked_for_once_however_often_the_form_is_sent(worker: Worker) -> None:
    client = client_of(worker.user)
    form = form_of(client, worker)

    replies = [client.post(PAGE, form) for _ in range(2)]

    assert [(reply.status_code, reply["Location"]) for reply in replies] == [(303, PAGE)] * 2
    assert [payout.amount_micros for payout in Payout.objects.filter(user=worker.user)] == [7_500_000]
    assert people.money_of(worker) == {"earned": 12_500_000, "withdrawing": 7_500_000}
    assert "7.50 EUR Asked for" in text_of(client.get(PAGE))


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"code": "000000"}, "code"),
        ({"amount": "7.505"}, "Whole cents are paid out."),
        ({"amount": "0.01"}, "the least that is paid out"),
        ({"amount": "19999"}, "paid out"),
        ({"amount": "20.01"}, "0.01 EUR is missing"),
        ({"amount": "much"}, "Enter a number."),
        ({"destination": "00000000-0000-4000-8000-000000000000"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_told_in_words_and_moves_nothing(worker: Worker, typed: dict[str, str], told: str) -> None:
    client = client_of(worker.user)

    response = client.post(PAGE, form_of(client, worker, **typed))

    assert response.status_code == 422
    assert told in text_of(response)
    assert f'value="{typed.get("amount", "7.50")}"' in response.content.decode()
    assert not Payout.objects.filter(user=worker.user).exists()
    assert people.money_of(worker) == {"earned": 20 * people.EURO, "withdrawing": 0}


def test_a_code_counts_for_one_payout(worker: Worker) -> None:
    client = client_of(worker.user)
    form = form_of(client, worker)
    client.post(PAGE, form)

    again = client.post(PAGE, {**form, "amount": "6.00"})

    assert again.status_code == 422
    assert "was used already" in text_of(again)
    assert Payout.objects.filter(user=worker.user).count() == 1


def test_a_refused_code_is_not_used_up(worker: Worker) -> None:
    client = client_of(worker.user)
    form = form_of(client, worker)

    refused = client.post(PAGE, {**form, "amount": "20.01"})
    done = client.post(PAGE, form)

    assert (refused.status_code, done.status_code) == (422, 303)


def test_guesses_come_to_an_end(worker: Worker) -> None:
    client = client_of(worker.user)
    form = form_of(client, worker)

    replies = [client.post(PAGE, {**form, "code": f"{number:06}"}) for number in range(12)]

    assert {reply.status_code for reply in replies} == {422}
    assert "This is not what your authenticator app shows now." in text_of(replies[0])
    assert "Too many wrong tries. Wait" in text_of(replies[-1])
    assert "Too many wrong tries. Wait" in text_of(client.post(PAGE, form))
    assert not Payout.objects.filter(user=worker.user).exists()


def test_without_a_second_factor_there_is_no_form(worker: Worker) -> None:
    people.forget_factor(worker.user)

    page = client_of(worker.user).get(PAGE)

    assert "Set one up" in text_of(page)
    assert 'name="amount"' not in page.content.decode()


def test_a_payout_is_called_off_and_another_worker_cannot(worker: Worker) -> None:
    client, stranger = client_of(worker.user), client_of(people.make_payee().user)
    client.post(PAGE, form_of(client, worker))
    payout = Payout.objects.get(user=worker.user)
    key = key_in(client.get(PAGE))

    stranger.post(f"{PAGE}{payout.public_id}/cancel/", {"form_key": key})
    assert people.state_of(payout) == "requested"
    client.post(f"{PAGE}{payout.public_id}/cancel/", {"form_key": key})

    assert people.state_of(payout) == "cancelled"
    assert people.money_of(worker) == {"earned": 20 * people.EURO, "withdrawing": 0}
    assert "Called off" in text_of(client.get(PAGE))


def test_the_api_says_what_can_go_and_why_not(worker: Worker) -> None:
    poor = people.make_payee(10_000)

    may = caller_for(worker.user, "worker").get("worker/payout-terms").expect(200)
    little = caller_for(poor.user, "worker").get("worker/payout-terms").expect(200)

    assert [(one["currency"], one["may_micros"], one["why"]) for one in may["money"]] == [("EUR", 20_000_000, "")]
    assert [(one["may_micros"], one["why"]) for one in little["money"]] == [(0, "below_minimum")]
    assert may["fee_micros"] == 0
