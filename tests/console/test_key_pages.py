"""Keys are made with password and code, shown once, and revoked."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from marketplace.accounts.commands import create_key, give_role
from marketplace.accounts.errors import SecondFactorMissing
from marketplace.accounts.models import ApiKey, Requester, User
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api_client import Api
from tests.api_client import code_of as problem_of
from tests.payouts.people import PASSWORD, code_of, enrol, forget_codes
from tests.web.visitors import client_of, key_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> tuple[Client, User, Requester]:
    """The founder of an organisation, with a password."""
    requester = make.make_requester()
    user = make.owner_of(requester)
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    return client_of(user), user, requester


def asked(client: Client, requester: Requester, **said: Any) -> Any:
    at = reverse("console_key_new", args=[requester.public_id])
    form = {"form_key": key_in(client.get(at)), "name": "nightly", "scopes": ["requester"], "days": "90"}
    return client.post(at, {**form, "password": PASSWORD, **said})


def shown(page: Any) -> str:
    found = re.search(r'class="secret" readonly [^>]*value="([^"]+)"', page.content.decode())
    assert found, "the page shows no key"
    return found[1]


def test_a_key_is_shown_once_and_opens_what_its_scopes_say(owner: tuple[Client, User, Requester]) -> None:
    client, user, requester = owner

    made = asked(client, requester)

    token = shown(made)
    api = Api(token)
    assert [row["id"] for row in api.get("/requesters").json()["results"]] == [str(requester.public_id)]
    assert api.get("/worker/batches").status_code == 403
    key = ApiKey.objects.get(user=user)
    assert (key.name, key.scopes) == ("nightly", ["requester"])
    assert abs(key.expiry - key.created - timedelta(days=90)) < timedelta(minutes=5)
    listed = client.get(reverse("console_keys", args=[requester.public_id]))
    assert "nightly" in text_of(listed)
    assert token not in listed.content.decode()


def test_a_form_that_is_sent_twice_makes_one_key_and_shows_it_no_more(owner: tuple[Client, User, Requester]) -> None:
    client, user, requester = owner
    at = reverse("console_key_new", args=[requester.public_id])
    form = {
        "form_key": key_in(client.get(at)),
        "name": "n",
        "scopes": ["requester"],
        "days": "30",
        "password": PASSWORD,
    }
    first, second = client.post(at, form), client.post(at, form)
    assert (first.status_code, second.status_code) == (200, 303)
    assert second.url == reverse("console_keys", args=[requester.public_id])
    assert ApiKey.objects.filter(user=user).count() == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "guessed"}, "This is not the password of your account."),
        ({"scopes": []}, "Tick at least one."),
        ({"scopes": ["staff"]}, "Select a valid choice. staff is not one of the available choices."),
        ({"scopes": ["worker"]}, "Select a valid choice. worker is not one of the available choices."),
        ({"name": ""}, "This field is required."),
        ({"days": "100000"}, "Select a valid choice. 100000 is not one of the available choices."),
    ],
)
def test_what_is_wrong_is_said_and_no_key_is_made(
    owner: tuple[Client, User, Requester], wrong: dict[str, Any], words: str
) -> None:
    client, user, requester = owner
    refused = asked(client, requester, **wrong)
    assert refused.status_code == 422
    assert words in text_of(refused)
    assert ApiKey.objects.filter(user=user).count() == 0


def test_who_has_a_second_factor_needs_its_code_and_each_code_counts_once(
    owner: tuple[Client, User, Requester],
) -> None:
    client, user, requester = owner
    enrol(user)
    forget_codes()
    assert asked(client, requester).status_code == 422
    assert "This is not what your authenticator app shows now." in text_of(asked(client, requester, code="000000"))
    assert asked(client, requester, code=code_of(user)).status_code == 200
    again = asked(client, requester, name="another", code=code_of(user))
    assert again.status_code == 422
    assert "This code was used already" in text_of(again)
    assert ApiKey.objects.filter(user=user).count() == 1


def test_staff_without_a_second_factor_make_no_staff_key_by_page_api_or_command(
    owner: tuple[Client, User, Requester],
) -> None:
    """Somebody has the password of a member of the staff, who had no second factor, and founds an organisation."""
    _client, user, requester = owner
    with one_transaction(principal="test"):
        give_role(user_id=user.pk, role="finance")
    user.refresh_from_db()

    refused = asked(client_of(user), requester, scopes=["requester", "staff"])
    over_api = Api(basic=(user.email, PASSWORD)).post("/keys", {"name": "k", "scopes": ["staff"]})
    with pytest.raises(SecondFactorMissing), one_transaction(principal="test"):
        create_key(user=user, name="k", scopes=["requester", "staff"])

    assert refused.status_code == 422
    assert "Select a valid choice. staff is not one of the available choices." in text_of(refused)
    assert "A key of the staff is made with one only." in text_of(refused)
    assert (over_api.status_code, problem_of(over_api)) == (409, "second-factor-missing")
    assert not ApiKey.objects.filter(user=user).exists()
    # With one, and its code, it is made.
    enrol(user)
    forget_codes()
    made = asked(client_of(user), requester, scopes=["staff"], code=code_of(user))
    assert Api(shown(made)).get("/liabilities").status_code == 200
    assert ApiKey.objects.get(user=user).scopes == ["staff"]


def test_a_revoked_key_opens_nothing_and_only_ones_own_is_revoked(owner: tuple[Client, User, Requester]) -> None:
    client, user, requester = owner
    token = shown(asked(client, requester))
    key = ApiKey.objects.get(user=user)
    args = [requester.public_id, key.public_id]
    stranger = make.make_requester()
    theirs = client_of(make.owner_of(stranger)).post(
        reverse("console_key_revoke", args=[stranger.public_id, key.public_id]), {"form_key": "k" * 20}
    )
    assert (theirs.status_code, Api(token).get("/requesters").status_code) == (404, 200)

    done = client.post(reverse("console_key_revoke", args=args), {"form_key": "k" * 20})

    assert done.status_code == 303
    assert Api(token).get("/requesters").status_code == 401
