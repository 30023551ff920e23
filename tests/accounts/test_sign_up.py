"""Opening an account over the API, and what strangers may try."""

import hashlib
import json
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction

from marketplace.accounts.commands import people
from marketplace.accounts.models import Notice, User
from marketplace.accounts.queries import account_at
from marketplace.common import limits
from tests.api_client import PASSWORD, Api, code_of, key_for, mailed_code, new_email, opened, signed_up


def test_an_account_opens_with_the_code_from_the_mail(db: None) -> None:
    email = new_email()

    response = opened(email.upper(), name="Ada")

    user = User.objects.get(email=email)
    assert response.status_code == 201
    assert response.json() == {"id": str(user.public_id), "email": email, "name": "Ada"}
    assert user.check_password(PASSWORD)
    assert not user.is_staff
    assert EmailAddress.objects.get(user=user).verified
    assert account_at(email) == user


def test_without_its_mail_nobody_opens_an_account_with_an_address(db: None) -> None:
    email, other = new_email(), new_email()
    Api().post("/accounts", {"email": email})
    code = mailed_code(email)

    for wrong in ("x", code[:-1], code + "x", other, code.replace(code[:8], "ImEuYkBj", 1)):
        response = Api().post("/accounts/confirmations", {"code": wrong, "password": PASSWORD})
        assert (response.status_code, code_of(response)) == (403, "sign-up-invalid"), wrong
    assert not User.objects.filter(email__in=[email, other]).exists()


def test_a_code_opens_one_account_and_only_for_an_hour(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    email = new_email()
    opened(email)
    Api().post("/accounts", {"email": (late := new_email())})

    again = Api().post("/accounts", {"email": email})
    monkeypatch.setattr(people, "SIGN_UP_LIFE", timedelta(seconds=-1))
    too_late = Api().post("/accounts/confirmations", {"code": mailed_code(late), "password": PASSWORD})

    assert again.status_code == 202
    assert "has one already" in Notice.objects.filter(email=email).latest("pk").text
    assert (too_late.status_code, code_of(too_late)) == (403, "sign-up-invalid")


def test_an_address_has_one_account_however_it_is_written(db: None) -> None:
    email = new_email()
    Api().post("/accounts", {"email": email})
    code = mailed_code(email)
    first = Api().post("/accounts/confirmations", {"code": code, "password": PASSWORD})

    response = Api().post("/accounts/confirmations", {"code": code, "password": "another long sentence"})

    assert first.status_code == 201
    assert (response.status_code, code_of(response)) == (409, "email-taken")
    assert User.objects.get(email=email).check_password(PASSWORD)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email=email.upper())


@pytest.mark.parametrize("password", ["1234567", "password123", "12345678901"])
def test_a_weak_password_is_refused_with_reasons(db: None, password: str) -> None:
    email = new_email()

    response = opened(email, password)

    assert (response.status_code, code_of(response)) == (422, "weak-password")
    assert response.json()["errors"][0]["field"] == "password"
    assert not User.objects.filter(email=email).exists()


def test_nobody_signs_up_as_staff(db: None) -> None:
    response = opened(new_email(), is_staff="yes")

    assert (response.status_code, code_of(response)) == (400, "unknown-field")
    assert response.json()["fields"] == ["is_staff"]


def test_what_is_given_to_an_address_does_not_fall_to_whoever_wrote_it_first(db: None) -> None:
    """By the pages an account is there before its code was typed; nothing is given to it, and it makes no key."""
    squatted = signed_up()
    EmailAddress.objects.create(user=squatted, email=squatted.email, verified=False, primary=True)

    response = Api(basic=(squatted.email, PASSWORD)).post("/keys", {"name": "k", "scopes": ["worker"]})

    assert (response.status_code, code_of(response)) == (401, "address-not-shown")
    assert account_at(squatted.email) is None


def test_a_repeat_gets_the_same_bytes_and_makes_nothing(db: None) -> None:
    email, api = new_email(), Api()
    api.post("/accounts", {"email": email})
    ask = {"code": mailed_code(email), "password": PASSWORD}
    first = api.post("/accounts/confirmations", ask, key=email)

    again = api.post("/accounts/confirmations", ask, key=email)

    assert again.content == first.content
    assert again.status_code == 201
    assert again["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first
    assert User.objects.filter(email=email).count() == 1


def test_the_same_key_for_another_request_is_refused(db: None) -> None:
    api, key = Api(), new_email()
    api.post("/accounts", {"email": new_email()}, key=key)

    response = api.post("/accounts", {"email": new_email()}, key=key)

    assert (response.status_code, code_of(response)) == (422, "idempotency-key-reused")


def test_a_write_without_a_key_is_refused(db: None) -> None:
    email = new_email()

    response = Api().post("/accounts", {"email": email}, key=None)

    assert (response.status_code, code_of(response)) == (400, "idempotency-key-missing")
    assert not Notice.objects.filter(email=email).exists()


def test_what_is_kept_of_a_request_does_not_help_to_guess_its_password(db: None) -> None:
    email = new_email()
    Api().post("/accounts", {"email": email})
    ask = {"code": mailed_code(email), "password": PASSWORD}
    Api().post("/accounts/confirmations", ask, key=email)

    with connection.cursor() as cursor:
        cursor.execute("SELECT body_hash FROM common_idempotency WHERE key = %s", [email])
        (kept,) = cursor.fetchone()
    for text in (json.dumps(ask).encode(), b"POST\n/api/v1/accounts/confirmations\n" + json.dumps(ask).encode()):
        assert bytes(kept) != hashlib.sha256(text).digest()


def test_the_eleventh_account_of_an_hour_is_refused(db: None) -> None:
    api = Api()
    for _ in range(10):
        assert api.post("/accounts", {"email": new_email()}).status_code == 202

    response = api.post("/accounts", {"email": new_email()})

    assert (response.status_code, code_of(response)) == (429, "too-many-requests")
    assert 3500 < int(response["Retry-After"]) <= 3600
    assert Api().post("/accounts", {"email": new_email()}).status_code == 202


def test_a_client_cannot_make_up_its_address(db: None) -> None:
    api = Api()
    for n in range(10):
        api.post("/accounts", {"email": new_email()}, **{"X-Forwarded-For": f"192.0.2.{n}"})

    response = api.post("/accounts", {"email": new_email()}, **{"X-Forwarded-For": "192.0.2.99"})

    assert response.status_code == 429


@pytest.fixture
def no_redis(settings: object) -> object:
    """Every new connection to Redis fails."""
    settings.REDIS_URL = "unix:///nowhere/valkey.sock?db=0"  # type: ignore[attr-defined]
    limits.windows.cache_clear()
    cache.close()
    yield
    limits.windows.cache_clear()


def test_without_redis_sign_up_and_passwords_stay_closed_and_the_rest_goes_on(db: None, no_redis: None) -> None:
    user = signed_up()
    key = key_for(user, "requester")

    sign_up = Api().post("/accounts", {"email": new_email()})
    sign_in = Api(basic=(user.email, PASSWORD)).post("/keys", {"name": "k", "scopes": ["worker"]})
    work = Api(key).post("/requesters", {"name": "Acme"})

    assert (sign_up.status_code, code_of(sign_up)) == (503, "unavailable")
    assert (sign_in.status_code, code_of(sign_in)) == (503, "unavailable")
    assert work.status_code == 201
