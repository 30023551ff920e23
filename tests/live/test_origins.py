"""Which pages may open a socket: twenty ways to be another page are refused before the socket opens (R27)."""

import pytest

from tests import factories as make
from tests.api_client import key_for
from tests.live.communicators import Socket
from tests.live.test_streams_socket import run
from workers.live.origins import origin_allowed, origin_of

WRONG = [
    "null", "", " ", "http://testserver.evil.example", "http://eviltestserver", "http://evil.example/http://testserver",
    "https://testserver", "http://testserver:8000", "http://testserver/", "http://testserver/path", "HTTP://testserver",
    "http://TESTSERVER", "http://user@testserver", "http://testserver@evil.example", "testserver", "//testserver",
    "http://testserver ", "http://testserver,http://evil.example", "http://desk.example:8443", "https://desk.example",
    "https://desk.example:84430", "https://sub.desk.example:8443", "file://", "*", "http://test\xe9server",
]  # fmt: skip


@pytest.mark.parametrize("origin", WRONG)
def test_another_page_is_refused_even_with_a_good_key(db: None, origin: str) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        assert await Socket(origin=origin).connect() == (False, 4403)
        assert await Socket(origin=origin, authorization=f"Bearer {key}").connect() == (False, 4403)

    run(story)


@pytest.mark.parametrize("origin", ["http://testserver", "https://desk.example:8443"])
def test_our_own_pages_may(db: None, origin: str) -> None:
    async def story() -> None:
        socket = Socket(origin=origin)
        assert (await socket.connect())[0]
        await socket.leave()

    run(story)


def test_without_an_origin_only_a_program_with_a_key_may(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")

    async def story() -> None:
        assert await Socket().connect() == (False, 4403)
        assert await Socket(cookie="sessionid=x").connect() == (False, 4403)
        socket = Socket(authorization=f"Bearer {key}")
        assert (await socket.connect())[0]
        await socket.hello()
        await socket.leave()

    run(story)


def test_origins_are_compared_whole() -> None:
    assert origin_allowed("http://a.example", ["http://a.example/"])
    assert not origin_allowed("http://a.example/", ["http://a.example"])
    assert not origin_allowed("http://a.example", [])
    assert origin_of("HTTPS://A.example:443/x") == "https://a.example"
    assert origin_of("http://[::1]:80/") == "http://[::1]"
