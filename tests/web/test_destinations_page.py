"""Where a worker is paid: by password and code, used after 72 hours, told in words; nobody else's is touched."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from marketplace.payouts.models import Attempt, Destination, Threshold
from tests.payouts.people import PASSWORD, code_of, forget_codes, make_payee
from tests.web.visitors import client_of, key_in, text_of, visitor
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
ADD = "/work/destinations/add/"
LIST = "/work/destinations/"


@pytest.fixture
def payee() -> tuple[Client, Worker]:
    """A worker with a password and a second factor, at his browser."""
    worker = make_payee()
    return client_of(worker.user), worker


def signed(worker: Worker, **said: Any) -> dict[str, Any]:
    """The form's fields with password and a code that counts."""
    forget_codes()
    return {"password": PASSWORD, "code": code_of(worker.user), **said}


def add(client: Client, worker: Worker, account: str = "AT12 3456 7890", **said: Any) -> Any:
    key = key_in(client.get(f"{ADD}?provider=manual"))
    fields = {"details_name": "Ada", "details_account": account, "currency": "eur", "provider": "manual"}
    return client.post(ADD, signed(worker, form_key=key, **fields) | said)


def test_without_a_second_factor_it_is_set_up_first() -> None:
    client, _worker = visitor()
    page = client.get(LIST)
    assert "First: an authenticator app" in text_of(page)
    assert 'href="/accounts/2fa/totp/activate/"' in page.content.decode()
    assert ADD not in page.content.decode()
    assert client.get(ADD).url == LIST


def test_a_destination_is_added_and_can_be_used_after_72_hours(
    payee: tuple[Client, Worker], clock: Callable[[timedelta], None]
) -> None:
    client, worker = payee
    assert "Nowhere yet" in text_of(client.get(LIST))
    done = add(client, worker)
    assert (done.status_code, done.url) == (303, LIST)
    [destination] = Destination.objects.filter(user=worker.user)
    assert (destination.provider, destination.currency, destination.shown) == ("manual", "EUR", "Ada, …7890")
    page = text_of(client.get(LIST))
    assert "Added. It can be used after 72 hours" in page
    assert "Ada, …7890 from in 3 days" in page
    assert "Nothing is paid there before" in page
    assert "AT12" not in page
    clock(timedelta(hours=72))
    assert "Ada, …7890 can be used" in text_of(client.get(LIST))


def test_a_form_that_is_sent_twice_adds_once(payee: tuple[Client, Worker]) -> None:
    client, worker = payee
    fields = {"details_name": "Ada", "details_account": "AT12 3456 7890", "currency": "EUR", "provider": "manual"}
    said = signed(worker, form_key=key_in(client.get(ADD)), **fields)
    assert [client.post(ADD, said).status_code for _ in range(2)] == [303, 303]
    assert Destination.objects.filter(user=worker.user).count() == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "guessed"}, "This is not the password of your account."),
        ({"code": "000000"}, "This is not what your authenticator app shows now."),
        ({"details_account": ""}, "This field is required."),
        ({"details_account": "--"}, "Has no letter and no digit"),
        ({"currency": "E1R"}, "Is three capital letters, as EUR"),
        ({"code": ""}, "This field is required."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_added(
    payee: tuple[Client, Worker], wrong: dict[str, str], words: str
) -> None:
    client, worker = payee
    refused = add(client, worker, **wrong)
    assert refused.status_code == 422
    assert words in text_of(refused)
    html = refused.content.decode()
    assert 'value="Ada"' in html and PASSWORD not in html
    assert 'class="errorlist" id="id_' in html and "errorlist nonfield" not in html
    assert not Destination.objects.exists()


def test_guesses_come_to_an_end(payee: tuple[Client, Worker]) -> None:
    client, worker = payee
    replies = [add(client, worker, password=f"guess {number}") for number in range(12)]
    assert "Too many wrong tries. Wait" in text_of(replies[-1])
    assert "Too many wrong tries. Wait" in text_of(add(client, worker))
    assert not Destination.objects.exists()


def test_anothers_destination_is_refused_and_the_attempt_is_kept(payee: tuple[Client, Worker]) -> None:
    client, worker = payee
    other = make_payee()
    add(client_of(other.user), other)
    assert add(client, worker).url == LIST
    assert "Another destination is needed" in text_of(client.get(LIST))
    assert not Destination.objects.filter(user=worker.user).exists()
    assert [one.user_id for one in Attempt.objects.all()] == [worker.user_id]


def test_a_destination_is_removed_by_its_owner_only(payee: tuple[Client, Worker]) -> None:
    client, worker = payee
    add(client, worker)
    [destination] = Destination.objects.filter(user=worker.user)
    at = f"{LIST}{destination.public_id}/remove/"
    stranger = make_payee()
    assert client_of(stranger.user).get(at).status_code == 404
    assert client_of(stranger.user).post(at, signed(stranger, form_key="k" * 22)).status_code == 404
    assert client.get(f"{LIST}{uuid4()}/remove/").status_code == 404
    key = key_in(client.get(at))
    assert client.post(at, {"form_key": key, "password": "no", "code": "1"}).status_code == 422
    destination.refresh_from_db()
    assert destination.removed_at is None
    assert client.post(at, signed(worker, form_key=key)).url == LIST
    destination.refresh_from_db()
    assert destination.removed_at is not None
    assert client.get(at).url == LIST
    assert "Nowhere yet" in text_of(client.get(LIST))


def test_one_is_paid_by_oneself_from_an_amount_on_until_one_says_otherwise(payee: tuple[Client, Worker]) -> None:
    client, worker = payee
    add(client, worker)
    [destination] = Destination.objects.filter(user=worker.user)
    at = f"{LIST}{destination.public_id}/threshold/"

    def want(above: str) -> Any:
        return client.post(at, signed(worker, form_key=key_in(client.get(at)), above=above))

    assert "The least that is paid out is" in text_of(want("0.01"))
    assert not Threshold.objects.exists()
    assert want("25.50").url == LIST
    [wish] = Threshold.objects.all()
    assert (wish.above_micros, wish.holder, wish.destination_id) == (25_500_000, worker.public_id, destination.pk)
    assert "whenever you have earned at least 25.50 EUR" in text_of(client.get(LIST))
    assert 'value="25.5' in client.get(at).content.decode()
    assert want("").url == LIST
    assert not Threshold.objects.exists()
