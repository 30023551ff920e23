"""Who has a part in a matter: members of now and before, and all accounts of one person (R41, R42)."""

import psycopg
import pytest
from django.db import DatabaseError, transaction

from marketplace.accounts.commands import ensure_staff, remove_member
from marketplace.accounts.models import Member, Role
from marketplace.accounts.queries import has_part, same_person
from marketplace.common.database import run
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.profiles.commands.links import end_link, link_accounts

pytestmark = pytest.mark.django_db


def staff() -> int:
    with one_transaction(principal="test"):
        return int(ensure_staff(email=make.make_user().email).pk)


def test_whoever_leaves_an_organisation_keeps_his_part_in_it_and_so_do_his_other_accounts() -> None:
    requester, by = make.make_requester(), staff()
    member, other, stranger = (make.make_worker() for _ in range(3))
    Member.objects.create(requester=requester, user_id=member.user_id, role=Role.VIEWER)
    assert has_part(requester.pk, member.user_id)
    assert not has_part(requester.pk, other.user_id)

    with one_transaction(principal="test"):
        remove_member(requester_id=requester.pk, member=member.user.public_id)
        link_accounts(workers=[member.public_id, other.public_id], reason="one telephone", by=by)

    assert has_part(requester.pk, member.user_id)
    assert has_part(requester.pk, other.user_id)
    assert not has_part(requester.pk, stranger.user_id)
    assert not has_part(make.make_requester().pk, member.user_id)


def test_accounts_are_one_persons_even_after_their_link_was_ended() -> None:
    one, other, third = (make.make_worker() for _ in range(3))
    by = staff()
    assert not same_person(one.user_id, other.user_id)

    with one_transaction(principal="test"):
        link = link_accounts(workers=[one.public_id, other.public_id], reason="one telephone", by=by)
    assert same_person(one.user_id, other.user_id)
    with one_transaction(principal="test"):
        end_link(link=link, reason="two sisters", by=by)

    assert same_person(one.user_id, other.user_id)
    assert same_person(other.user_id, one.user_id)
    assert same_person(third.user_id, third.user_id)
    assert not same_person(one.user_id, third.user_id)


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM accounts_formermember",
        "UPDATE accounts_formermember SET left_at = market_now()",
        "INSERT INTO accounts_formermember (requester_id, user_id) SELECT requester_id, user_id FROM accounts_member",
    ],
)
def test_who_left_cannot_be_forgotten_by_the_running_site(attack: str) -> None:
    requester, member = make.make_requester(), make.make_user()
    gone = Member.objects.create(requester=requester, user=member, role=Role.VIEWER)
    gone.delete()

    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        run(attack)
    assert isinstance(refused.value.__cause__, psycopg.errors.InsufficientPrivilege)
    assert has_part(requester.pk, member.pk)
