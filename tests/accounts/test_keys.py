"""Keys: made with a password, shown once, limited by scope, over at once."""

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, hotp_value
from django.contrib.auth.hashers import get_hasher
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.models import ApiKey, Notice, User
from marketplace.accounts.second_factor import require_password
from marketplace.common.database import run, value
from marketplace.common.transactions import one_transaction
from tests.api_client import PASSWORD, Api, code_of, key_for, signed_up
from tests.web.visitors import client_of

Clock = Callable[[timedelta], None]


def test_a_password_makes_a_key_that_works(db: None) -> None:
    user = signed_up()

    made = Api(basic=(user.email.upper(), PASSWORD)).post("/keys", {"name": "laptop", "scopes": ["requester"]})

    assert made.status_code == 201
    key = made.json()
    assert set(key) == {"id", "name", "key", "scopes", "expires_at", "created_at"}
    listed = Api(key["key"]).get("/keys").json()["results"]
    assert listed == [{name: cell for name, cell in key.items() if name != "key"}]


def test_the_key_itself_is_kept_nowhere(db: None) -> None:
    user = signed_up()
    api = Api(basic=(user.email, PASSWORD))

    first = api.post("/keys", {"name": "laptop", "scopes": ["requester"]}, key="once")
    again = api.post("/keys", {"name": "laptop", "scopes": ["requester"]}, key="once")

    text = first.json()["key"]
    assert again.content == first.content
    assert ApiKey.objects.filter(user=user).count() == 1
    stored = bytes(value("SELECT body FROM common_idempotency WHERE principal = %s", [f"key-user:{user.pk}"]))
    assert text.encode() not in stored
    assert value("SELECT count(*) FROM accounts_apikey k WHERE k::text LIKE %s", [f"%{text}%"]) == 0


@pytest.mark.parametrize(
    "basic", [("EMAIL", "wrong password"), ("nobody@example.org", PASSWORD), ("EMAIL", ""), ("x\x00y", PASSWORD)]
)
def test_wrong_credentials_make_no_key_and_say_no_more(db: None, basic: tuple[str, str]) -> None:
    user = signed_up()
    email = user.email if basic[0] == "EMAIL" else basic[0]

    response = Api(basic=(email, basic[1])).post("/keys", {"name": "k", "scopes": ["worker"]})

    assert (response.status_code, code_of(response)) == (401, "password-refused")
    assert response.json()["detail"] == "E-mail address or password is wrong."
    assert response["WWW-Authenticate"].startswith("Basic")


def test_after_ten_wrong_passwords_the_right_one_has_to_wait(db: None) -> None:
    user = signed_up()
    for _ in range(10):
        wrong = Api(basic=(user.email, "wrong")).post("/keys", {"name": "k", "scopes": ["worker"]})
        assert wrong.status_code == 401

    response = Api(basic=(user.email, PASSWORD)).post("/keys", {"name": "k", "scopes": ["worker"]})

    assert (response.status_code, code_of(response)) == (429, "too-many-requests")
    assert 0 < int(response["Retry-After"]) <= 900


def test_right_passwords_are_not_counted(db: None) -> None:
    user = signed_up()
    api = Api(basic=(user.email, PASSWORD))

    statuses = {api.post("/keys", {"name": "k", "scopes": ["worker"]}).status_code for _ in range(15)}

    assert statuses == {201}


def test_a_second_factor_is_asked_for(db: None) -> None:
    user = signed_up()
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    api = Api(basic=(user.email, PASSWORD))
    ask = {"name": "k", "scopes": ["worker"]}

    without = api.post("/keys", ask)
    wrong = api.post("/keys", ask, **{"Touchstone-OTP": "000000"})
    import time

    right = api.post("/keys", ask, **{"Touchstone-OTP": f"{hotp_value(secret, int(time.time()) // 30):06d}"})

    assert (without.status_code, code_of(without)) == (401, "second-factor-needed")
    assert wrong.status_code == 401
    assert right.status_code == 201


def test_only_staff_get_staff_keys(db: None) -> None:
    user = signed_up()

    response = Api(basic=(user.email, PASSWORD)).post("/keys", {"name": "k", "scopes": ["worker", "staff"]})

    assert (response.status_code, code_of(response)) == (403, "scope-not-allowed")
    assert not ApiKey.objects.filter(user=user).exists()


def test_a_key_does_only_what_its_scopes_say(db: None) -> None:
    user = signed_up()

    as_worker = Api(key_for(user, "worker")).post("/requesters", {"name": "Acme"})
    as_requester = Api(key_for(user, "requester")).post("/workers")
    as_both = Api(key_for(user, "requester", "worker")).post("/workers")

    assert (as_worker.status_code, code_of(as_worker)) == (403, "wrong-scope")
    assert (as_requester.status_code, code_of(as_requester)) == (403, "wrong-scope")
    assert as_both.status_code == 201


def test_a_key_ends_when_it_said(db: None, clock: Clock) -> None:
    user = signed_up()
    api = Api(key_for(user, "requester", life=timedelta(seconds=60)))
    assert api.get("/requesters").status_code == 200

    clock(timedelta(seconds=61))

    response = api.get("/requesters")
    assert (response.status_code, code_of(response)) == (401, "key-expired")
    assert response["WWW-Authenticate"] == "Bearer"
    assert ApiKey.objects.filter(user=user).count() == 1


def test_a_revoked_key_opens_nothing(db: None) -> None:
    user = signed_up()
    lost, kept = key_for(user, "requester"), key_for(user, "requester")
    lost_id = Api(lost).get("/keys").json()["results"][0]["id"]

    response = Api(kept).delete(f"/keys/{lost_id}")

    assert (response.status_code, response.content) == (204, b"")
    assert code_of(Api(lost).get("/keys")) == "key-refused"
    assert Api(kept).get("/keys").status_code == 200


def test_nobody_revokes_another_persons_key(db: None) -> None:
    mine, theirs = key_for(signed_up(), "worker"), key_for(signed_up(), "worker")
    their_id = Api(theirs).get("/keys").json()["results"][0]["id"]

    response = Api(mine).delete(f"/keys/{their_id}")

    assert (response.status_code, code_of(response)) == (404, "not-found")
    assert Api(theirs).get("/keys").status_code == 200


def named_keys(user: User) -> dict[str, str]:
    """The ids of a person's keys, by what they are for."""
    return {"+".join(key.scopes): str(key.public_id) for key in ApiKey.objects.filter(user=user)}


@pytest.mark.parametrize(
    ("scopes", "known"),
    [
        (["worker"], {"worker"}),
        (["requester"], {"requester"}),
        (["requester", "worker"], {"worker", "requester", "requester+worker"}),
        (["staff", "worker"], {"worker", "staff+worker"}),
        (["requester", "staff", "worker"], {"worker", "requester", "requester+worker", "staff+worker", "all"}),
    ],
)
def test_a_key_knows_and_revokes_only_keys_that_open_no_more_than_it(
    db: None, scopes: list[str], known: set[str]
) -> None:
    with one_transaction(principal="console"):
        user = ensure_staff(email="keys@example.org", role="quality")
    for one in (["worker"], ["requester"], ["requester", "worker"], ["staff", "worker"]):
        key_for(user, *one)
    key_for(user, "requester", "staff", "worker")
    named = named_keys(user)
    named["all"] = named.pop("requester+staff+worker")
    api = Api(key_for(user, *scopes))
    (own,) = {str(one) for one in ApiKey.objects.filter(user=user).values_list("public_id", flat=True)} - set(
        named.values()
    )

    listed = {row["id"] for row in api.get("/keys").json()["results"]}
    assert listed == {own} | {named[one] for one in known}

    nobodys = api.delete(f"/keys/{uuid4()}")
    for name, key in named.items():
        answer = api.delete(f"/keys/{key}")
        assert answer.status_code == (204 if name in known else 404), name
        if name not in known:
            assert code_of(answer) == code_of(nobodys) == "not-found"
            assert answer.json()["detail"] == nobodys.json()["detail"]
    left = {str(one) for one in ApiKey.objects.filter(user=user).values_list("public_id", flat=True)}
    assert left == {own} | {key for name, key in named.items() if name not in known}
    assert api.delete(f"/keys/{own}").status_code == 204


def test_who_is_signed_in_on_a_page_revokes_each_of_his_keys(db: None) -> None:
    user = signed_up()
    key_for(user, "requester", "worker")
    client = client_of(user)

    answer = client.delete(f"/api/v1/keys/{named_keys(user)['requester+worker']}", headers={"Idempotency-Key": "once"})

    assert answer.status_code == 204
    assert not ApiKey.objects.filter(user=user).exists()


def test_no_key_makes_a_key(db: None) -> None:
    user = signed_up()

    response = Api(key_for(user, "requester", "worker")).post("/keys", {"name": "k", "scopes": ["worker"]})

    assert response.status_code == 401
    assert ApiKey.objects.filter(user=user).count() == 1


def test_keys_of_a_closed_account_open_nothing(db: None) -> None:
    user = signed_up()
    api = Api(key_for(user, "worker"))
    user.is_active = False
    user.save(update_fields=["is_active"])

    assert api.get("/keys").status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer nonsense", "Bearer " + "x" * 5000, "Bearer \xe9"])
def test_a_header_that_is_no_key_is_refused(db: None, header: str) -> None:
    response = Api().get("/keys", Authorization=header)

    assert (response.status_code, code_of(response)) == (401, "key-refused")


def test_authentication_is_one_statement_and_writes_nothing(db: None) -> None:
    api = Api(key_for(signed_up(), "requester"))

    with CaptureQueriesContext(
        connection,
    ) as queries:
        api.get("/requesters")

    assert len(queries) == 2
    assert all(query["sql"].startswith("SELECT") for query in queries)


def test_no_statement_of_the_application_makes_staff(db: None) -> None:
    from django.db import ProgrammingError, transaction

    user = signed_up()
    with pytest.raises(ProgrammingError), transaction.atomic():
        run("UPDATE accounts_user SET is_staff = true WHERE id = %s", [user.pk])
    user.refresh_from_db()
    assert not user.is_staff


def test_a_password_that_is_shown_again_is_not_hashed_anew_for_that_would_end_every_session(db: None) -> None:
    user = signed_up()
    # As before the site's hashes became stronger: signing in makes a new one.
    old = get_hasher().encode(PASSWORD, "few")
    assert get_hasher().must_update(old)
    user.password = old
    user.save(update_fields=["password"])

    require_password(user_id=user.pk, password=PASSWORD)

    user.refresh_from_db()
    assert user.password == old


def test_whoever_resets_his_password_has_no_key_left(db: None) -> None:
    """He has lost it, perhaps to somebody who has made keys with it; a change of it leaves his own ones."""
    user = signed_up()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    key = Api(key_for(user, "worker"))
    client = Client(REMOTE_ADDR=key.address)
    client.post("/accounts/password/reset/", {"email": user.email})
    [link] = re.findall(r"/accounts/password/reset/key/\S+/", mail.outbox[-1].body)

    page = client.get(link, follow=True)
    done = client.post(page.request["PATH_INFO"], {"password1": "twelve red apples", "password2": "twelve red apples"})

    assert done.status_code == 302
    assert User.objects.get(pk=user.pk).check_password("twelve red apples")
    assert key.get("/keys").status_code == 401
    assert not ApiKey.objects.filter(user=user).exists()


def test_whoever_has_an_account_is_told_of_each_key_that_is_made(db: None) -> None:
    user = signed_up()

    Api(basic=(user.email, PASSWORD)).post("/keys", {"name": "laptop", "scopes": ["worker"]})

    assert "“laptop”" in Notice.objects.get(user=user).text
