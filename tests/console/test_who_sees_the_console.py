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


def test_who_signs_in_on_the_way_to_an_act_comes_to_the_page_that_has_its_form() -> None:
    requester = make.make_requester()
    batch = make.make_draft(make.make_project(requester))
    project, organisation = f"/console/projects/{batch.project.public_id}/", f"/console/{requester.public_id}/"
    there = f"/console/batches/{batch.public_id}/"
    client, unknown = client_of(requester.members.get().user), "00000000-0000-4000-8000-000000000000"
    sent = Client().post(f"{project}versions/new/", {"from": "1"})
    assert sent["Location"] == f"/accounts/login/?next={project}versions/new/"
    for act, page in (
        (f"{project}versions/new/", project),
        (f"{there}setup/pilot/", f"{there}setup/"),
        (f"{there}setup/discard/", f"{there}setup/"),
        (f"{there}pilot/go/", f"{there}pilot/"),
        (f"{there}gold/key/", f"{there}gold/"),
        (f"{organisation}keys/{unknown}/revoke/", f"{organisation}keys/"),
        (f"{organisation}invitations/{unknown}/withdraw/", organisation),
    ):
        reply = client.get(act)
        assert (reply.status_code, reply["Location"]) == (302, page)
        assert client.put(act).status_code == 405


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
