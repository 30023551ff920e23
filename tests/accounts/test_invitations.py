"""Invitations: one code, one person, one time."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from marketplace.accounts.commands import Invitee, accept_invitation, ensure_staff, invite, new_password
from marketplace.accounts.errors import InvitationInvalid
from marketplace.accounts.models import Act, Invitation, Notice, User
from marketplace.common.database import value
from marketplace.common.transactions import one_transaction
from tests.api_client import PASSWORD, Api, code_of, key_for, new_email, signed_up
from workers.profiles.models import Worker

Clock = Callable[[timedelta], None]


def staff() -> Api:
    with one_transaction(principal="test"):
        user = ensure_staff(email=new_email())
    return Api(key_for(user, "staff"))


def invited(api: Api, *accounts: dict[str, Any]) -> list[dict[str, str]]:
    response = api.post("/invitations", {"accounts": list(accounts)})
    assert response.status_code == 201, response.content
    return list(response.json()["invitations"])


def test_an_invited_worker_chooses_a_password_and_works(db: None) -> None:
    email = new_email()
    (invitation,) = invited(staff(), {"email": email.upper(), "name": "Ada", "worker": True})
    assert invitation["email"] == email
    before = Api(basic=(email, PASSWORD)).post("/keys", {"name": "k", "scopes": ["worker"]})

    joined = Api().post("/invitations/accept", {"code": invitation["code"], "password": PASSWORD})

    assert before.status_code == 401
    assert joined.status_code == 201
    user = User.objects.get(email=email)
    assert joined.json() == {"id": str(user.public_id), "email": email, "worker": str(user.worker.public_id)}
    key = Api(basic=(email, PASSWORD)).post("/keys", {"name": "k", "scopes": ["worker"]}).json()["key"]
    assert Api(key).get("/worker").json()["id"] == joined.json()["worker"]


def test_somebody_invited_as_no_worker_is_none(db: None) -> None:
    (invitation,) = invited(staff(), {"email": new_email()})

    joined = Api().post("/invitations/accept", {"code": invitation["code"], "password": PASSWORD})

    assert joined.json()["worker"] is None


def test_a_code_works_once(db: None) -> None:
    (invitation,) = invited(staff(), {"email": new_email()})
    ask = {"code": invitation["code"], "password": PASSWORD}
    Api().post("/invitations/accept", ask)

    again = Api().post("/invitations/accept", ask | {"password": "another good password"})

    assert (again.status_code, code_of(again)) == (404, "invitation-invalid")
    assert User.objects.get(email=invitation["email"]).check_password(PASSWORD)


def test_the_lost_answer_to_an_acceptance_can_be_asked_for_again(db: None) -> None:
    (invitation,) = invited(staff(), {"email": new_email()})
    ask = {"code": invitation["code"], "password": PASSWORD}

    first, again = (Api().post("/invitations/accept", ask, key=invitation["code"]) for _ in range(2))

    assert (again.status_code, again.content) == (201, first.content)


def test_a_newer_code_ends_with_the_older(db: None) -> None:
    api, email = staff(), new_email()
    (first,), (second,) = invited(api, {"email": email}), invited(api, {"email": email})

    assert Api().post("/invitations/accept", {"code": first["code"], "password": PASSWORD}).status_code == 201
    late = Api().post("/invitations/accept", {"code": second["code"], "password": "another good password"})

    assert code_of(late) == "invitation-invalid"


def test_a_code_ends_after_fourteen_days(db: None, clock: Clock) -> None:
    (invitation,) = invited(staff(), {"email": new_email()})

    clock(timedelta(days=14, seconds=1))

    late = Api().post("/invitations/accept", {"code": invitation["code"], "password": PASSWORD})
    assert code_of(late) == "invitation-invalid"


def test_a_weak_password_spends_no_code(db: None) -> None:
    (invitation,) = invited(staff(), {"email": new_email()})

    weak = Api().post("/invitations/accept", {"code": invitation["code"], "password": "12345678"})
    good = Api().post("/invitations/accept", {"code": invitation["code"], "password": PASSWORD})

    assert code_of(weak) == "weak-password"
    assert good.status_code == 201


def test_codes_are_kept_as_hashes_only(db: None) -> None:
    (invitation,) = invited(staff(), {"email": new_email()})

    code = invitation["code"]

    assert value("SELECT count(*) FROM accounts_invitation i WHERE i::text LIKE %s", [f"%{code}%"]) == 0
    assert value("SELECT count(*) FROM common_idempotency WHERE position(%s::bytea in body) > 0", [code.encode()]) == 0


def test_people_who_have_an_account_are_not_invited_and_nobody_else_either(db: None) -> None:
    taken, free = signed_up().email, new_email()

    response = staff().post("/invitations", {"accounts": [{"email": free}, {"email": taken}, {"email": free.upper()}]})

    assert (response.status_code, code_of(response)) == (422, "not-invitable")
    assert response.json()["errors"] == [
        {"item": 1, "field": "email", "message": "has an account"},
        {"item": 2, "field": "email", "message": "occurs twice"},
    ]
    assert not User.objects.filter(email=free).exists()


def test_a_thousand_people_are_invited_at_once(db: None) -> None:
    people = [{"email": f"w{n}-{new_email()}", "worker": n % 2 == 0} for n in range(1000)]

    codes = invited(staff(), *people)

    assert [one["email"] for one in codes] == [person["email"] for person in people]
    assert len({one["code"] for one in codes}) == 1000
    assert Worker.objects.filter(user__email__in=[person["email"] for person in people]).count() == 500


@pytest.mark.parametrize("scope", ["requester", "worker"])
def test_only_staff_invite(db: None, scope: str) -> None:
    response = Api(key_for(signed_up(), scope)).post("/invitations", {"accounts": [{"email": new_email()}]})

    assert (response.status_code, code_of(response)) == (403, "wrong-scope")


def test_of_many_who_use_a_code_at_once_one_gets_in(committed: str, together: Callable[..., list[Any]]) -> None:
    with one_transaction(principal="test"):
        (invitation,) = invite(people=[Invitee(new_email())])

    def accept(n: int) -> str:
        with one_transaction(principal="test"):
            accept_invitation(code=invitation.code, password=f"{PASSWORD} {n}")
        return f"{PASSWORD} {n}"

    outcomes = together([lambda n=n: accept(n) for n in range(8)])

    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert sum(isinstance(outcome, InvitationInvalid) for outcome in outcomes) == 7
    assert User.objects.get(pk=invitation.user_id).check_password(winner)
    assert not Invitation.objects.filter(used_at=None).exists()


def test_an_account_that_is_somebodys_is_not_invited_again(db: None) -> None:
    """Whoever may invite would choose its password: the account of a superuser without one is the prize."""
    with one_transaction(principal="test"):
        boss, plain = ensure_staff(email=new_email()), User.objects.create(email=new_email(), password="!x")

    for email in (boss.email, plain.email):
        response = staff().post("/invitations", {"accounts": [{"email": email}]})
        assert response.status_code == 422, email
        assert response.json()["errors"][0]["message"] == "has an account"
    assert not Invitation.objects.filter(user__in=[boss, plain]).exists()


def test_an_old_code_opens_no_account_that_has_got_a_password_or_a_role_meanwhile(db: None) -> None:
    by, emails = staff(), [new_email(), new_email()]
    codes = [one["code"] for one in invited(by, *({"email": email} for email in emails))]
    with one_transaction(principal="test"):
        drawn = new_password(user=User.objects.get(email=emails[0]))
        ensure_staff(email=emails[1])

    for code in codes:
        response = Api().post("/invitations/accept", {"code": code, "password": PASSWORD})
        assert (response.status_code, code_of(response)) == (404, "invitation-invalid")
    assert User.objects.get(email=emails[0]).check_password(drawn)
    assert not User.objects.get(email=emails[1]).has_usable_password()


def test_whoever_was_invited_is_told_that_the_account_is_open(db: None) -> None:
    (invitation,) = invited(staff(), {"email": (email := new_email())})

    Api().post("/invitations/accept", {"code": invitation["code"], "password": PASSWORD})

    assert "has chosen its password" in Notice.objects.get(email=email).text
    assert Act.objects.filter(act="permission.invitation_accepted").count() == 1
