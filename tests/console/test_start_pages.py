"""Organisations: founded, joined, and what needs attention in one."""

import re

import pytest
from django.urls import reverse

from marketplace.accounts.models import Member, MemberInvitation, Requester
from tests import factories as make
from tests.console.members_of import browser_of, make_member
from tests.web.visitors import client_of, key_in, text_of

pytestmark = pytest.mark.django_db


def test_a_newcomer_founds_an_organisation_and_is_led_on() -> None:
    user = make.make_user()
    client = client_of(user)
    page = client.get(reverse("console"))
    assert "You belong to no organisation yet" in text_of(page)

    done = client.post(reverse("console_found"), {"form_key": key_in(page), "name": "Acme"})

    member = Member.objects.get(user=user)
    assert (member.role, member.requester.name) == ("owner", "Acme")
    assert (done.status_code, done.url) == (303, reverse("console_home", args=[member.requester.public_id]))
    home = client.get(done.url)
    assert "Three steps to your first answers" in text_of(home)
    assert reverse("console_project_new", args=[member.requester.public_id]) in home.content.decode()


def test_a_form_that_is_sent_twice_founds_one() -> None:
    client = client_of(make.make_user())
    sent = {"form_key": key_in(client.get(reverse("console"))), "name": "Acme"}
    replies = [client.post(reverse("console_found"), sent) for _ in range(2)]
    assert replies[0].url == replies[1].url
    assert Requester.objects.filter(name="Acme").count() == 1


def test_an_organisation_needs_a_name() -> None:
    client = client_of(make.make_user())
    refused = client.post(reverse("console_found"), {"form_key": "k" * 20, "name": " "})
    assert refused.status_code == 422
    assert "This field is required." in text_of(refused)
    assert Requester.objects.count() == 0


def test_who_has_several_chooses_and_can_come_back_from_one() -> None:
    first, second = make.make_requester(), make.make_requester()
    user = make.owner_of(first)
    Member.objects.create(requester=second, user=user, role="viewer")
    page = client_of(user).get(reverse("console"))
    for requester in (first, second):
        assert reverse("console_home", args=[requester.public_id]) in page.content.decode()
    alone = browser_of(second)
    assert alone.get(reverse("console") + "?all").status_code == 200


def test_the_overview_says_what_waits_and_whose_money_is_held() -> None:
    batch = make.make_batch(4, name="Night shift")
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 3))

    page = text_of(browser_of(batch.requester).get(reverse("console_home", args=[batch.requester.public_id])))

    assert "3 wait for your decision" in page
    assert "Night shift" in page
    assert "3 of 12" in page
    assert "0 workers contest a rejection" in page
    assert "held for running work" in page
    assert "Three steps" not in page


@pytest.mark.parametrize(("role", "sees"), [("manager", True), ("viewer", False)])
def test_the_first_steps_offer_what_the_role_may_do(role: str, sees: bool) -> None:
    requester = make.make_requester()
    page = browser_of(requester, role).get(reverse("console_home", args=[requester.public_id]))
    assert (reverse("console_project_new", args=[requester.public_id]) in page.content.decode()) is sees


def test_an_owner_invites_and_the_link_lets_the_invited_in_once() -> None:
    requester, user = make.make_requester(), make.make_user()
    client, at = browser_of(requester), reverse("console_people", args=[requester.public_id])
    sent = {"form_key": key_in(client.get(at)), "email": user.email, "role": "reviewer"}

    made = client.post(at, sent)

    found = re.search(r'value="http://testserver(/console/join/\?code=[^"]+)"', made.content.decode())
    assert made.status_code == 200
    assert found
    assert f"{user.email} is invited" in text_of(made)
    # A second sending makes no second code, and the first is shown no more.
    again = client.post(at, sent)
    assert (again.status_code, again.url) == (303, at)
    assert MemberInvitation.objects.count() == 1
    assert "code=" not in client.get(at).content.decode()

    guest = client_of(user)
    page = guest.get(found[1])
    assert "Join Acme Labels" in text_of(page)
    code = found[1].partition("code=")[2]
    done = guest.post(reverse("console_join"), {"form_key": key_in(page), "code": code})
    assert (done.status_code, done.url) == (303, reverse("console_home", args=[requester.public_id]))
    assert Member.objects.get(user=user).role == "reviewer"
    assert guest.get(found[1]).status_code == 422


def test_with_another_address_the_link_says_so_and_lets_nobody_in() -> None:
    requester, user, thief = make.make_requester(), make.make_user(), make.make_user()
    client, at = browser_of(requester), reverse("console_people", args=[requester.public_id])
    made = client.post(at, {"form_key": "k" * 20, "email": user.email, "role": "owner"})
    code = made.content.decode().partition("code=")[2].partition('"')[0]

    page = client_of(thief).get(f"{reverse('console_join')}?code={code}")
    assert "for another e-mail address" in text_of(page)
    assert "form_key" not in page.content.decode()
    refused = client_of(thief).post(reverse("console_join"), {"form_key": "k" * 20, "code": code})
    assert refused.status_code == 422
    assert "Sign in with the e-mail address" in text_of(refused)
    assert not Member.objects.filter(user=thief).exists()
    assert user.email not in page.content.decode()


def test_an_unknown_code_is_told_plainly() -> None:
    page = client_of(make.make_user()).get(f"{reverse('console_join')}?code=x")
    assert page.status_code == 422
    assert "unknown, used or has expired" in text_of(page)


def test_an_invitation_is_taken_back() -> None:
    requester = make.make_requester()
    client, at = browser_of(requester), reverse("console_people", args=[requester.public_id])
    client.post(at, {"form_key": "k" * 20, "email": "new@people.example", "role": "viewer"})
    assert "new@people.example" in text_of(client.get(at))
    invitation = MemberInvitation.objects.get()
    done = client.post(
        reverse("console_withdraw", args=[requester.public_id, invitation.public_id]), {"form_key": "k" * 20}
    )
    assert done.status_code == 303
    assert "new@people.example" not in text_of(client.get(at))


def test_roles_are_changed_and_members_removed_by_owners() -> None:
    requester = make.make_requester()
    user = make_member(requester, name="Grace Hopper")
    client, at = browser_of(requester), reverse("console_member", args=[requester.public_id, user.public_id])
    assert "Grace Hopper" in text_of(client.get(at))

    done = client.post(at, {"form_key": "k" * 20, "role": "manager"})

    assert (done.status_code, Member.objects.get(user=user).role) == (303, "manager")
    gone = client.post(reverse("console_member_remove", args=[requester.public_id, user.public_id]),
                       {"form_key": "k" * 20})  # fmt: skip
    assert gone.status_code == 303
    assert not Member.objects.filter(user=user).exists()
    assert client.get(at).status_code == 404


def test_the_last_owner_is_told_why_he_stays() -> None:
    requester = make.make_requester()
    owner = make.owner_of(requester)
    client, args = client_of(owner), [requester.public_id, owner.public_id]

    for refused in (
        client.post(reverse("console_member", args=args), {"form_key": "k" * 20, "role": "viewer"}),
        client.post(reverse("console_member_remove", args=args), {"form_key": "l" * 20}),
    ):
        assert refused.status_code == 422
        assert "Is the only owner: make somebody else an owner first" in text_of(refused)
    assert Member.objects.get(user=owner).role == "owner"


@pytest.mark.parametrize("role", ["manager", "viewer"])
def test_others_see_the_members_and_change_none(role: str) -> None:
    requester = make.make_requester()
    owner, me = make.owner_of(requester), make_member(requester, role)
    client, at = client_of(me), reverse("console_people", args=[requester.public_id])
    page = client.get(at)

    assert owner.email in text_of(page)
    assert "Invite somebody" not in text_of(page)
    args = [requester.public_id, owner.public_id]
    assert client.get(reverse("console_member", args=args)).status_code == 403
    assert client.post(at, {"form_key": "k" * 20, "email": "a@b.example", "role": "owner"}).status_code == 403
    assert client.post(reverse("console_member_remove", args=args), {"form_key": "k" * 20}).status_code == 403
    assert MemberInvitation.objects.count() == 0
    left = client.post(reverse("console_member_remove", args=[requester.public_id, me.public_id]),
                       {"form_key": "k" * 20})  # fmt: skip
    assert left.status_code == 303
    assert not Member.objects.filter(user=me).exists()


def test_a_member_of_another_organisation_is_not_there() -> None:
    requester, other = make.make_requester(), make.make_requester()
    stranger = make.owner_of(other)
    client = browser_of(requester)
    assert client.get(reverse("console_member", args=[requester.public_id, stranger.public_id])).status_code == 404
