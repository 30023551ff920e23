"""Organisations and who may do what in them."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from marketplace.accounts.models import Member, Requester, User
from marketplace.accounts.queries import requester_for
from marketplace.common.errors import Forbidden
from tests.api_client import Api, code_of, key_for, new_email, signed_up


def founded(user: User) -> str:
    return str(Api(key_for(user, "requester")).post("/requesters", {"name": "Acme Labels"}).json()["id"])


def test_the_founder_owns_the_organisation(db: None) -> None:
    user = signed_up()
    api = Api(key_for(user, "requester"))

    made = api.post("/requesters", {"name": "Acme Labels"})

    assert made.status_code == 201
    assert made.json() == {"id": made.json()["id"], "name": "Acme Labels", "role": "owner"}
    one = api.get(f"/requesters/{made.json()['id']}").json()
    assert {name: one[name] for name in ("id", "name", "role")} == made.json()
    assert [row["id"] for row in api.get("/requesters").json()["results"]] == [made.json()["id"]]


def test_to_strangers_it_does_not_exist(db: None) -> None:
    stranger = Api(key_for(signed_up(), "requester"))
    requester = founded(signed_up())

    foreign = stranger.get(f"/requesters/{requester}")
    members = stranger.get(f"/requesters/{requester}/members")
    inviting = stranger.post(f"/requesters/{requester}/member-invitations", {"email": new_email(), "role": "owner"})

    assert [code_of(response) for response in (foreign, members, inviting)] == ["not-found"] * 3
    assert stranger.get("/requesters").json() == {"results": [], "next": None}


def taken_in(requester: str, user: User, role: str) -> None:
    Member.objects.create(requester=Requester.objects.get(public_id=requester), user=user, role=role)


def test_nobody_becomes_a_member_without_having_said_so(db: None) -> None:
    """Members of an organisation may not work for it: to make somebody one shuts him out."""
    owner, worker = signed_up(), signed_up()
    requester = founded(owner)

    response = Api(key_for(owner, "requester")).post(
        f"/requesters/{requester}/members", {"email": worker.email, "role": "viewer"}
    )

    assert response.status_code == 405
    assert not Member.objects.filter(user=worker).exists()


@pytest.mark.parametrize("role", ["manager", "reviewer", "viewer"])
def test_only_owners_ask_people_to_join(db: None, role: str) -> None:
    owner, member = signed_up(), signed_up()
    requester = founded(owner)
    taken_in(requester, member, role)

    response = Api(key_for(member, "requester")).post(
        f"/requesters/{requester}/member-invitations", {"email": signed_up().email, "role": "owner"}
    )

    assert (response.status_code, code_of(response)) == (403, "role-too-low")


def test_roles_include_the_lower_ones(db: None) -> None:
    owner, manager = signed_up(), signed_up()
    requester = founded(owner)
    taken_in(requester, manager, "manager")
    public_id = Member.objects.get(user=owner).requester.public_id

    for role in ("viewer", "reviewer", "manager"):
        assert requester_for(manager.pk, public_id, at_least=role).public_id == public_id
    with pytest.raises(Forbidden):
        requester_for(manager.pk, public_id, at_least="owner")


def staff_key(email: str, **options: object) -> dict[str, str]:
    out = StringIO()
    call_command("staff_key", "--email", email, stdout=out, **options)
    (line,) = out.getvalue().splitlines()
    return dict(json.loads(line))


def test_the_console_makes_staff_and_prints_one_line(migrator: Any) -> None:
    email = new_email()

    printed = staff_key(email.upper(), name="Operator")

    assert set(printed) == {"email", "key", "scopes", "expires_at"}
    assert (printed["email"], printed["scopes"]) == (email, ["staff"])
    user = User.objects.get(email=email)
    assert (user.is_staff, user.name, user.has_usable_password()) == (True, "Operator", False)
    assert Api(printed["key"]).post("/invitations", {"accounts": [{"email": new_email()}]}).status_code == 201


def test_the_console_gives_staff_a_password_where_it_is_asked_to(migrator: Any) -> None:
    email = new_email()

    first, second = (staff_key(email, password=True)["password"] for _ in range(2))

    user = User.objects.get(email=email)
    assert (user.check_password(first), user.check_password(second)) == (False, True)


def test_the_console_keeps_an_existing_account(migrator: Any) -> None:
    user = signed_up()

    staff_key(user.email)

    kept = User.objects.get(email=user.email)
    assert (kept.pk, kept.is_staff, kept.password) == (user.pk, True, user.password)


def test_the_console_refuses_what_is_no_address(db: None) -> None:
    with pytest.raises(CommandError):
        staff_key("nobody")
