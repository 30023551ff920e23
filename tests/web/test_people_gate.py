"""The worker's pages are for workers: strangers sign in, others become one, and both come back."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import RequestFactory

from tests import factories as make
from tests.api_client import signed_up
from workers.web.people import WorkerRequest, worker_page

seen: list[tuple[int, int]] = []


@worker_page
def page(request: WorkerRequest, number: int) -> HttpResponse:
    seen.append((request.worker_id, number))
    return HttpResponse("in")


def asked(user: Any) -> HttpResponse:
    seen.clear()
    request = RequestFactory().get("/work/earnings/?since=2026-01-01")
    request.user = user
    return page(request, 7)


def test_a_worker_is_let_in_by_his_own_id_and_nothing_is_kept(db: None) -> None:
    worker = make.make_worker()

    response = asked(worker.user)

    assert (response.status_code, response.content) == (200, b"in")
    assert seen == [(worker.pk, 7)]
    assert "no-store" in response["Cache-Control"]


def test_somebody_who_is_no_worker_is_asked_to_become_one_and_comes_back(db: None) -> None:
    make.make_worker()

    response = asked(signed_up())

    assert response.status_code == 302
    assert response["Location"] == "/work/start/?next=%2Fwork%2Fearnings%2F%3Fsince%3D2026-01-01"
    assert "no-store" in response["Cache-Control"]
    assert seen == []


def test_a_stranger_signs_in_first_and_comes_back(db: None) -> None:
    response = asked(AnonymousUser())

    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=/work/earnings/%3Fsince%3D2026-01-01"
    assert seen == []
