"""Opening an account, and what strangers may try."""

import pytest
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction

from marketplace.accounts.models import User
from marketplace.common import limits
from tests.api_client import PASSWORD, Api, code_of, key_for, new_email, signed_up


def test_signing_up_opens_an_account(db: None) -> None:
    email = new_email()

    response = Api().post("/accounts", {"email": email.upper(), "password": PASSWORD, "name": "Ada"})

    user = User.objects.get(email=email)
    assert response.status_code == 201
    assert response.json() == {"id": str(user.public_id), "email": email, "name": "Ada"}
    assert user.check_password(PASSWORD)
    assert not user.is_staff


def test_an_address_has_one_account_however_it_is_written(db: None) -> None:
    user = signed_up()

    response = Api().post("/accounts", {"email": user.email.title(), "password": PASSWORD})

    assert (response.status_code, code_of(response)) == (409, "email-taken")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email=user.email.upper())


@pytest.mark.parametrize("password", ["1234567", "password123", "12345678901"])
def test_a_weak_password_is_refused_with_reasons(db: None, password: str) -> None:
    email = new_email()

    response = Api().post("/accounts", {"email": email, "password": password})

    assert (response.status_code, code_of(response)) == (422, "weak-password")
    assert response.json()["errors"][0]["field"] == "password"
    assert not User.objects.filter(email=email).exists()


def test_nobody_signs_up_as_staff(db: None) -> None:
    response = Api().post("/accounts", {"email": new_email(), "password": PASSWORD, "is_staff": True})

    assert (response.status_code, code_of(response)) == (400, "unknown-field")
    assert response.json()["fields"] == ["is_staff"]


def test_a_repeat_gets_the_same_bytes_and_makes_nothing(db: None) -> None:
    ask = {"email": new_email(), "password": PASSWORD}
    api = Api()
    first = api.post("/accounts", ask, key=ask["email"])

    again = api.post("/accounts", ask, key=ask["email"])

    assert again.content == first.content
    assert again.status_code == 201
    assert again["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first
    assert User.objects.filter(email=ask["email"]).count() == 1


def test_the_same_key_for_another_request_is_refused(db: None) -> None:
    api, key = Api(), new_email()
    api.post("/accounts", {"email": new_email(), "password": PASSWORD}, key=key)

    response = api.post("/accounts", {"email": new_email(), "password": PASSWORD}, key=key)

    assert (response.status_code, code_of(response)) == (422, "idempotency-key-reused")


def test_a_write_without_a_key_is_refused(db: None) -> None:
    email = new_email()

    response = Api().post("/accounts", {"email": email, "password": PASSWORD}, key=None)

    assert (response.status_code, code_of(response)) == (400, "idempotency-key-missing")
    assert not User.objects.filter(email=email).exists()


def test_what_is_kept_of_a_request_does_not_help_to_guess_its_password(db: None) -> None:
    import hashlib
    import json

    ask = {"email": new_email(), "password": PASSWORD}
    Api().post("/accounts", ask, key=ask["email"])

    with connection.cursor() as cursor:
        cursor.execute("SELECT body_hash FROM common_idempotency WHERE key = %s", [ask["email"]])
        (kept,) = cursor.fetchone()
    for text in (json.dumps(ask).encode(), b"POST\n/api/v1/accounts\n" + json.dumps(ask).encode()):
        assert bytes(kept) != hashlib.sha256(text).digest()


def test_the_eleventh_account_of_an_hour_is_refused(db: None) -> None:
    api = Api()
    for _ in range(10):
        assert api.post("/accounts", {"email": new_email(), "password": "1"}).status_code == 422

    response = api.post("/accounts", {"email": new_email(), "password": PASSWORD})

    assert (response.status_code, code_of(response)) == (429, "too-many-requests")
    assert 3500 < int(response["Retry-After"]) <= 3600
    assert Api().post("/accounts", {"email": new_email(), "password": PASSWORD}).status_code == 201


def test_a_client_cannot_make_up_its_address(db: None) -> None:
    api = Api()
    for n in range(10):
        api.post("/accounts", {"email": new_email(), "password": "1"}, **{"X-Forwarded-For": f"192.0.2.{n}"})

    response = api.post("/accounts", {"email": new_email(), "password": PASSWORD}, **{"X-Forwarded-For": "192.0.2.99"})

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

    sign_up = Api().post("/accounts", {"email": new_email(), "password": PASSWORD})
    sign_in = Api(basic=(user.email, PASSWORD)).post("/keys", {"name": "k", "scopes": ["worker"]})
    work = Api(key).post("/requesters", {"name": "Acme"})

    assert (sign_up.status_code, code_of(sign_up)) == (503, "unavailable")
    assert (sign_in.status_code, code_of(sign_in)) == (503, "unavailable")
    assert work.status_code == 201
