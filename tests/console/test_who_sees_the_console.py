"""Members see their organisations, others see nothing, and a role is what it says."""

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories as make
from tests.web.visitors import client_of, text_of

pytestmark = pytest.mark.django_db


def test_strangers_sign_in_first() -> None:
    requester = make.make_requester()
    for path in (reverse("console"), reverse("console_home", args=[requester.public_id])):
        reply = Client().get(path)
        assert (reply.status_code, reply["Location"]) == (302, f"/accounts/login/?next={path}")


def test_anothers_organisation_is_not_there_like_one_that_does_not_exist() -> None:
    requester, other = make.make_requester(), make.make_requester()
    client = client_of(requester.members.get().user)

    assert client.get(reverse("console_home", args=[requester.public_id])).status_code == 200
    assert client.get(reverse("console_home", args=[other.public_id])).status_code == 404
    assert client.get(reverse("console_home", args=["00000000-0000-4000-8000-000000000000"])).status_code == 404


def test_who_has_one_organisation_goes_straight_there() -> None:
    requester = make.make_requester()
    client = client_of(requester.members.get().user)
    assert client.get(reverse("console"))["Location"] == reverse("console_home", args=[requester.public_id])
    assert "You belong to no organisation yet" in text_of(client_of(make.make_user()).get(reverse("console")))
