"""Staff roles: given and taken by the database only, each time with a row in the log; and what each opens."""

from io import StringIO
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import IntegrityError, ProgrammingError, transaction

from marketplace.accounts.commands import give_role, take_role
from marketplace.accounts.errors import NotAGranter
from marketplace.accounts.models import Act, StaffGrant, StaffRole, User
from marketplace.accounts.queries import has_staff_role, staff_roles
from marketplace.api.checks import WALK
from marketplace.common.database import acting_as, run, value
from marketplace.common.transactions import one_transaction
from marketplace.common.walks import keep_walk
from tests import factories as make
from tests.api.callers import caller_for
from tests.api_client import PASSWORD, Api, code_of, signed_up
from tests.payouts import people
from tests.staff.desk import at_desk, make_staff, told
from tests.web.visitors import client_of


def give(user: User, role: str, by: User | None = None) -> bool:
    with one_transaction(principal="console"):
        return give_role(user_id=user.pk, role=role, by=by.pk if by else None)


def take(user: User, role: str, by: User | None = None) -> bool:
    with one_transaction(principal="console"):
        return take_role(user_id=user.pk, role=role, by=by.pk if by else None)


def test_a_role_makes_staff_and_the_last_one_taken_makes_none(db: None) -> None:
    user = make.make_user()
    assert give(user, "finance") and give(user, "support")
    assert not give(user, "finance"), "a repeat changes nothing"
    user.refresh_from_db()
    assert user.is_staff and staff_roles(user.pk) == {"finance", "support"}
    assert has_staff_role(user.pk, "finance") and not has_staff_role(user.pk, "quality")
    assert take(user, "finance") and take(user, "support") and not take(user, "support")
    user.refresh_from_db()
    assert not user.is_staff and staff_roles(user.pk) == frozenset()


def test_each_change_leaves_one_row_with_what_was_before_and_after(db: None) -> None:
    boss, user = make_staff(), make.make_user()
    give(user, "quality", by=boss)
    give(user, "quality", by=boss)
    take(user, "quality", by=boss)
    [granted] = [row for row in told("permission.staff_granted") if row.subject_id == str(user.public_id)]
    [revoked] = told("permission.staff_revoked")
    assert (granted.actor_id, granted.before, granted.after) == (boss.pk, {"roles": []}, {"roles": ["quality"]})
    assert (revoked.actor_id, revoked.before, revoked.after) == (boss.pk, {"roles": ["quality"]}, {"roles": []})


@pytest.mark.parametrize("role", ["support", "finance", "quality"])
def test_only_superusers_give_roles_and_nobody_to_himself(db: None, role: str) -> None:
    boss, other, user = make_staff(), make_staff(role), make.make_user()
    for by, whom in ((other, user), (user, user), (boss, boss), (other, other)):
        with pytest.raises(NotAGranter):
            give(whom, "superuser", by=by)
        # The database does not take the program's word for it.
        with pytest.raises(ProgrammingError, match="a superuser gives and takes roles"), transaction.atomic():
            run("SELECT grant_staff(%s, 'superuser', %s)", [whom.pk, by.pk])
        with pytest.raises(ProgrammingError, match="a superuser gives and takes roles"), transaction.atomic():
            run("SELECT revoke_staff(%s, %s, %s)", [whom.pk, role, by.pk])
    assert staff_roles(other.pk) == {role}
    assert staff_roles(user.pk) == frozenset()


def test_no_statement_of_the_application_gives_a_role(db: None) -> None:
    user = make.make_user()
    make_staff()
    for attack in (
        f"INSERT INTO accounts_staffrole (user_id, role) VALUES ({user.pk}, 'superuser')",
        f"UPDATE accounts_staffrole SET user_id = {user.pk}",
        "DELETE FROM accounts_staffrole",
        "TRUNCATE accounts_staffrole",
        f"UPDATE accounts_user SET is_staff = true WHERE id = {user.pk}",
    ):
        with pytest.raises(ProgrammingError), transaction.atomic():
            run(attack)
    assert not StaffGrant.objects.filter(user=user).exists()


CONSOLES = {
    "accounts_give_role": "SELECT accounts_give_role({user}, 'superuser', NULL, '')",
    "accounts_give_role in another's name": "SELECT accounts_give_role({user}, 'superuser', {boss}, '')",
    "accounts_take_role": "SELECT accounts_take_role({boss}, 'superuser', NULL, '')",
    "grant_staff": "SELECT grant_staff({user}, 'superuser', NULL)",
    "revoke_staff": "SELECT revoke_staff({boss}, 'superuser', NULL)",
}


@pytest.mark.parametrize("way", CONSOLES)
def test_the_site_makes_no_superuser_by_saying_that_it_is_the_console(db: None, way: str) -> None:
    """The role has the rights of the program and no others; the login of tests has the console's beside them."""
    boss, user = make_staff(), make.make_user()
    rows_before = Act.objects.count()
    with pytest.raises(ProgrammingError) as refused, transaction.atomic(), acting_as("touchstone_runtime"):
        run(CONSOLES[way].format(user=user.pk, boss=boss.pk))
    said = "a superuser gives and takes roles" if way.endswith("staff") else "permission denied for function"
    assert said in str(refused.value)
    assert staff_roles(user.pk) == frozenset() and staff_roles(boss.pk) == {"superuser"}
    assert Act.objects.count() == rows_before
    # The same role, for somebody who may.
    with transaction.atomic(), acting_as("touchstone_runtime"):
        run("SELECT grant_staff(%s, 'finance', %s)", [user.pk, boss.pk])
    assert staff_roles(user.pk) == {"finance"}


def test_even_the_owner_of_the_tables_gives_none_beside_the_log(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    user, staff = make.make_user(), make_staff("finance")
    for attack, constraint in (
        (f"INSERT INTO accounts_staffrole (user_id, role) VALUES ({user.pk}, 'superuser')", "staffrole_logged"),
        (f"UPDATE accounts_staffrole SET role = 'superuser' WHERE user_id = {staff.pk}", "append_only"),
        (f"DELETE FROM accounts_staffrole WHERE user_id = {staff.pk}", "staffrole_logged"),
        ("TRUNCATE accounts_staffrole", "append_only"),
    ):
        with pytest.raises(psycopg.Error) as refused:
            as_owner.execute(attack)
        assert refused.value.diag.constraint_name == constraint, attack
    assert staff_roles(staff.pk) == {"finance"}


def test_a_role_that_there_is_not_is_refused(db: None) -> None:
    user, boss = make.make_user(), make_staff()
    with pytest.raises(IntegrityError, match="staff_role"), transaction.atomic():
        run("SELECT grant_staff(%s, 'emperor', %s)", [user.pk, boss.pk])


def test_who_is_given_a_role_signs_in_again(db: None) -> None:
    user = make_staff("quality")
    client = at_desk(user)
    assert client.get("/staff/").status_code == 200
    run(
        "INSERT INTO usersessions_usersession (user_id, session_key, ip, user_agent, created_at, last_seen_at, data)"
        " VALUES (%s, %s, '127.0.0.1', '', now(), now(), '{}')",
        [user.pk, client.session.session_key],
    )
    give(user, "finance")
    assert client.get("/staff/").url.startswith("/accounts/login/")


def test_a_role_that_is_taken_closes_at_once_what_it_opened(db: None) -> None:
    boss, user = make_staff(), make_staff("finance")
    caller = caller_for(user, "staff")
    assert caller.get("liabilities").status == 200
    take(user, "finance", by=boss)
    assert (caller.get("liabilities").status, caller.get("liabilities").code) == (403, "wrong-scope")


MAY = {
    "support": {
        "sanctions", "appeals", "rejection-reviews", "workers/links", "people?search=x", "market-quality",
        "market-quality/days.csv", "firings",
    },
    "finance": {
        "payouts", "payouts/in-flight", "payout-runs", "payout-reports", "destination-attempts", "deposits",
        "deposit-reports", "liabilities", "liabilities.csv", "audit-log", "people?search=x",
        "ledger/account?address=platform:fees", "ledger/transfers?address=platform:fees",
        "check/last",
    },
    "quality": {
        "sanctions", "appeals", "rejection-reviews", "workers/links", "platform-rules", "people?search=x",
        "market-quality", "market-quality/days.csv", "firings",
    },
    "superuser": {"dead-letters", "staff"},
}  # fmt: skip
LOG = {"rows": 0, "anchors": 0, "first_bad": None}
ANY = {"presence", "check", "market-health", "audit-log/check", "configuration", "configuration/history"}


@pytest.mark.parametrize("role", StaffRole.values)
def test_each_role_reads_what_is_its_own_and_nothing_else(db: None, role: str) -> None:
    caller = caller_for(make_staff(role), "staff")
    with one_transaction(principal="test"):
        keep_walk(name=WALK, found={"violations": 0, "promises": [], "books": None, "log": LOG})
    every = set().union(*MAY.values()) | ANY
    own = every if role == "superuser" else MAY[role] | ANY
    for path in sorted(every):
        reply = caller.get(path)
        if path in own:
            assert reply.status == 200, (path, reply.body)
        else:
            assert (reply.status, reply.code) == (403, "staff-role-needed"), path


def test_a_key_for_staff_is_made_over_http_with_a_second_factor_only(db: None) -> None:
    user = signed_up()
    give(user, "support")
    refused = Api(basic=(user.email, PASSWORD)).post("/keys", {"name": "k", "scopes": ["staff"]})
    assert (refused.status_code, code_of(refused)) == (409, "second-factor-missing")
    people.enrol(user)
    code = people.code_of(user)
    made = Api(basic=(user.email, PASSWORD)).post(
        "/keys", {"name": "k", "scopes": ["staff"]}, **{"Touchstone-OTP": code}
    )
    assert made.status_code == 201


def test_a_session_without_a_code_opens_nothing_of_staffs_not_even_by_the_api(db: None) -> None:
    user = make_staff()
    plain = client_of(user)
    page = plain.get("/staff/money/")
    assert page.status_code == 403
    assert "/accounts/2fa/reauthenticate/?next=%2Fstaff%2Fmoney%2F" in page.content.decode()
    assert plain.get("/api/v1/liabilities").status_code == 403
    assert at_desk(user).get("/staff/money/").status_code == 200
    assert at_desk(user).get("/api/v1/liabilities").status_code == 200


def test_staff_without_a_second_factor_are_told_to_set_one_up(db: None) -> None:
    user = make_staff()
    people.forget_factor(user)
    page = at_desk(user).get("/staff/")
    assert page.status_code == 403
    assert "/accounts/2fa/totp/activate/" in page.content.decode()


def test_the_console_gives_and_takes_roles(committed: str, migrator: Any, as_owner: psycopg.Connection[Any]) -> None:
    """As the owner of the tables, where the login may no more than the program's role."""
    login = settings.RUNTIME_LOGIN
    as_owner.execute(f"REVOKE ALL ON FUNCTION accounts_give_role FROM {login}")
    as_owner.execute(f"REVOKE ALL ON FUNCTION accounts_take_role FROM {login}")
    email, out = make.make_user().email, StringIO()
    call_command("staff_role", "--email", email, "--role", "support", stdout=out)
    call_command("staff_role", "--email", email, "--role", "finance", stdout=out)
    call_command("staff_role", "--email", email, "--role", "support", "--revoke", stdout=out)
    assert out.getvalue().splitlines() == [
        f"{email}: support",
        f"{email}: finance, support",
        f"{email}: finance",
    ]
    call_command("staff_key", "--email", email, stdout=StringIO())
    assert staff_roles(User.objects.get(email=email).pk) == {"finance"}, "a key makes nobody a superuser"
    assert value("SELECT count(*) FROM accounts_act WHERE via = 'console' AND act LIKE 'permission.staff%%'") == 3
