"""Sign up, show that an address is one's own, come in; a second factor; sessions and their end."""

import re
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from marketplace.accounts.commands import Invitee, accept_invitation, invite
from marketplace.accounts.models import Member, User
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api_client import PASSWORD, new_email, signed_up
from tests.pages.test_pages import browser, require_strict

VERIFY = "/accounts/confirm-email/"


def sign_up(email: str) -> Client:
    client = browser()
    response = client.post("/accounts/signup/", {"email": email, "password1": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, VERIFY)
    return client


def sign_in(email: str, password: str = PASSWORD) -> tuple[Client, Any]:
    client = browser()
    return client, client.post("/accounts/login/", {"login": email, "password": password})


def show_password(client: Client) -> None:
    """What the site asks for before something changes that protects the account."""
    response = client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert response.status_code == 302, response.content


def code_mailed(to: str) -> str:
    message = mail.outbox[-1]
    assert message.to == [to]
    (code,) = re.findall(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", message.body, re.MULTILINE)
    return str(code)


def is_in(client: Client) -> bool:
    return bool(client.get("/accounts/email/").status_code == 200)


def test_who_signs_up_is_in_once_he_enters_the_code_from_his_mail(db: None) -> None:
    email = new_email()
    client = sign_up(email)
    page = client.get(VERIFY)
    require_strict(page)
    assert email in page.content.decode()
    assert not is_in(client)

    entered = client.post(VERIFY, {"code": code_mailed(email)})

    assert (entered.status_code, entered["Location"]) == (302, "/arrived/")
    assert is_in(client)
    assert EmailAddress.objects.get(email=email).verified


def test_a_wrong_code_lets_nobody_in_and_is_told_at_its_field(db: None) -> None:
    client = sign_up(new_email())

    answer = client.post(VERIFY, {"code": "WRONG1"})

    assert 'class="errorlist' in answer.content.decode()
    assert not is_in(client)


def test_the_right_password_does_not_do_before_the_address_was_shown(db: None) -> None:
    email = new_email()
    sign_up(email)

    client, answer = sign_in(email)

    assert answer["Location"] == VERIFY
    assert not is_in(client)


def test_accounts_from_elsewhere_come_in_at_once_and_stay_able_to(db: None) -> None:
    user = signed_up()
    client, first = sign_in(user.email)
    assert (first["Location"], is_in(client)) == ("/arrived/", True)

    # The page of the address has put it on record by now, not verified.
    assert not EmailAddress.objects.get(user=user).verified
    again, second = sign_in(user.email)

    assert (second["Location"], is_in(again)) == ("/arrived/", True)


def test_worker_and_requester_of_the_demo_sign_in_without_a_code(db: None) -> None:
    """Both were invited, and have no address on record."""
    with one_transaction(principal="test"):
        invited = invite(people=[Invitee(email=new_email(), name=name) for name in ("Simulated worker 1", "Owner")])
    with one_transaction(principal="test"):
        people = [accept_invitation(code=one.code, password=PASSWORD) for one in invited]
    assert not EmailAddress.objects.exists()

    for user in people:
        client, _ = sign_in(user.email)
        assert is_in(client)
    assert mail.outbox == []


def test_a_taken_address_is_not_told_to_who_tries_it(db: None) -> None:
    taken = signed_up().email

    known, unknown = (sign_up(email) for email in (taken, new_email()))

    assert [client.get(VERIFY).status_code for client in (known, unknown)] == [200, 200]
    assert User.objects.filter(email=taken).count() == 1
    assert not is_in(known)


def test_the_page_says_where_mails_are_where_none_are_sent(db: None, settings: Any) -> None:
    client = sign_up(new_email())
    silent = client.get(VERIFY).content.decode()
    settings.MAIL_PLACE = ".data/up/logs/web.log"

    told = client.get(VERIFY).content.decode()

    assert ".data/up/logs/web.log" in told
    assert "it sends no mail" not in silent


def test_who_arrives_goes_to_where_he_has_something_to_do(db: None) -> None:
    newcomer, member, worker = signed_up(), signed_up(), make.make_worker().user
    Member.objects.create(requester=make.make_requester(funds_micros=0), user=member, role="viewer")
    places = []
    for user in (newcomer, member, worker):
        client = browser()
        client.force_login(user)
        places.append([client.get(path).get("Location") for path in ("/arrived/", "/")])

    assert places == [["/work/start/", None], ["/", None], ["/work/", "/work/"]]


# --- the second factor -------------------------------------------------------------------------------------------


def code_now(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time())))))


def with_second_factor() -> tuple[Client, User, str]:
    user = signed_up()
    client, _ = sign_in(user.email)
    assert client.get("/accounts/2fa/totp/activate/")["Location"].startswith("/accounts/reauthenticate/")
    show_password(client)
    form = client.get("/accounts/2fa/totp/activate/")
    require_strict(form)
    (secret,) = re.findall(r'<code class="secret">([A-Z2-7]+)</code>', form.content.decode())
    turned_on = client.post("/accounts/2fa/totp/activate/", {"code": code_now(secret)})
    assert turned_on.status_code == 302, turned_on.content
    return client, user, secret


def test_a_second_factor_is_asked_for_at_the_next_sign_in_and_a_recovery_code_does_too(db: None) -> None:
    client, user, _secret = with_second_factor()
    shown = client.get("/accounts/2fa/recovery-codes/")
    require_strict(shown)
    codes = re.findall(r"<li><code>(\d+)</code></li>", shown.content.decode())
    assert len(codes) == 10

    other, answer = sign_in(user.email)
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    require_strict(other.get("/accounts/2fa/authenticate/"))
    assert not is_in(other)
    other.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert not is_in(other)
    other.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert is_in(other)

    third, _ = sign_in(user.email)
    third.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert not is_in(third), "a recovery code counts once"


def test_the_secret_is_kept_sealed_and_opens_the_api_as_well(db: None) -> None:
    _, user, secret = with_second_factor()

    kept = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP).data["secret"]

    assert secret not in kept
    assert get_adapter().decrypt(kept) == secret


# --- sessions ----------------------------------------------------------------------------------------------------


def test_sign_out_everywhere_else_ends_every_other_session_and_not_this_one(db: None) -> None:
    user, stranger = signed_up(), signed_up()
    here, elsewhere, his = (sign_in(one.email)[0] for one in (user, user, stranger))
    page = here.get("/accounts/sessions/")
    require_strict(page)
    assert page.content.decode().count('<li class="row">') == 2

    here.post("/accounts/sessions/")

    assert [is_in(client) for client in (here, elsewhere, his)] == [True, False, True]
    assert here.get("/accounts/sessions/").content.decode().count('<li class="row">') == 1


def test_a_new_address_counts_once_its_code_was_entered(db: None) -> None:
    user, new = signed_up(), new_email()
    client, _ = sign_in(user.email)
    show_password(client)

    client.post("/accounts/email/", {"action_add": "", "email": new})
    before = User.objects.get(pk=user.pk).email
    client.post(VERIFY, {"code": code_mailed(new)})

    assert (before, User.objects.get(pk=user.pk).email) == (user.email, new)


# --- every page of the library -----------------------------------------------------------------------------------


def addresses(patterns: Any = None, prefix: str = "") -> list[str]:
    """Of /accounts/, those without arguments."""
    found: list[str] = []
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        here = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += addresses(pattern.url_patterns, here)
        elif isinstance(pattern, URLPattern) and here.startswith("accounts/") and "<" not in here and "(" not in here:
            found.append("/" + here.replace("^", "").replace("$", "").replace("\\Z", ""))
    return found


def test_every_page_of_the_library_is_one_of_ours(db: None) -> None:
    client, _, _ = with_second_factor()
    paths = addresses()
    assert {"/accounts/sessions/", "/accounts/2fa/recovery-codes/generate/", "/accounts/inactive/"} <= set(paths)
    shown = []
    for path in paths:
        for who in (client, browser()):
            response = who.get(path)
            assert response.status_code in (200, 302), (path, response.status_code)
            if response.status_code == 200 and response["Content-Type"].startswith("text/html"):
                require_strict(response)
                page = response.content.decode()
                assert page.count("<h1") == 1, path
                assert "pages/components.css" in page, path
                shown.append(path)
    assert len(shown) >= 15, shown
