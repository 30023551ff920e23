"""Lists by key."""

from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from marketplace.accounts.models import Requester
from marketplace.common.errors import BadRequest
from marketplace.rest.pagination import page_of, page_of_rows, whole


def listed(url: str, **options: Any) -> tuple[list[str], str | None]:
    rows = Requester.objects.filter(name__startswith="page ")
    response = page_of(Request(APIRequestFactory().get(url)), rows, lambda row: row.name, **options)
    import json

    page = json.loads(response.content)
    return page["results"], page["next"]


def walked(url: str, **options: Any) -> list[list[str]]:
    pages, following = [], url
    while following:
        results, following = listed(following, **options)
        pages.append(results)
    return pages


@pytest.fixture
def seven(db: None) -> list[str]:
    names = [f"page {letter}" for letter in "cabdacb"]
    for name in names:
        Requester.objects.create(name=name)
    return names


def test_pages_together_are_the_list(seven: list[str]) -> None:
    assert walked("/list?limit=3") == [seven[:3], seven[3:6], seven[6:]]


def test_a_full_last_page_has_no_next(seven: list[str]) -> None:
    assert walked("/list?limit=7") == [seven]


@pytest.mark.parametrize("descending", [False, True])
def test_equal_values_are_neither_lost_nor_shown_twice(seven: list[str], descending: bool) -> None:
    pages = walked("/list?limit=2", sort="name", descending=descending)

    assert [name for page in pages for name in page] == sorted(seven, reverse=descending)


def test_times_can_be_sorted_by(seven: list[str]) -> None:
    assert walked("/list?limit=4", sort="created_at", descending=True) == [seven[:2:-1], seven[2::-1]]


def test_rows_that_come_in_between_shift_nothing(seven: list[str]) -> None:
    _, following = listed("/list?limit=3", sort="name")
    Requester.objects.create(name="page a")

    assert following is not None
    assert listed(following, sort="name")[0] == ["page b", "page c", "page c"]


def test_next_keeps_the_other_parameters(seven: list[str]) -> None:
    _, following = listed("/list?limit=3&colour=red", allowed=["colour"])

    assert following is not None
    assert following.startswith("http://testserver/list?limit=3&colour=red&cursor=")


def test_a_cursor_shows_no_id(seven: list[str]) -> None:
    import base64

    _, following = listed("/list?limit=3", sort="name")
    assert following is not None
    cursor = following.split("cursor=")[1]

    assert b"page" not in base64.urlsafe_b64decode(cursor.replace("%3D", "="))


@pytest.mark.parametrize(
    "url",
    [
        "/list?cursor=nonsense",
        "/list?cursor=",
        "/list?limit=0",
        "/list?limit=1001",
        "/list?limit=-1",
        "/list?limit=ten",
        "/list?limit=²",
        "/list?limit=99999999999999999999",
        "/list?colour=red",
        "/list?name__startswith=a",
    ],
)
def test_what_is_not_understood_is_refused(seven: list[str], url: str) -> None:
    with pytest.raises(BadRequest):
        listed(url)


def test_a_cursor_of_another_list_or_order_is_refused(seven: list[str]) -> None:
    _, following = listed("/list?limit=3", sort="name")
    assert following is not None

    for url, sort in ((following.replace("/list", "/other"), "name"), (following, "id")):
        with pytest.raises(BadRequest):
            listed(url, sort=sort)


def test_rows_of_a_statement_are_paged_the_same_way() -> None:
    import json

    def fetch(after: int, limit: int) -> list[dict[str, Any]]:
        return [{"cursor": n, "square": n * n} for n in range(after + 1, 8)][:limit]

    pages, url = [], "/list?limit=3"
    while url:
        response = page_of_rows(Request(APIRequestFactory().get(url)), fetch, lambda row: row["square"])
        page = json.loads(response.content)
        pages.append(page["results"])
        url = page["next"]

    assert pages == [[1, 4, 9], [16, 25, 36], [49]]


def test_a_short_list_has_the_same_form() -> None:
    response = whole(Request(APIRequestFactory().get("/list")), [1, 2])

    assert response.content == b'{"results":[1,2],"next":null}'
