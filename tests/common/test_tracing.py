"""A request can be followed: through its answer, its lines, its events, and the tasks that come of them."""

import io
import json
import logging
from collections.abc import Iterator
from logging.config import DictConfigurator  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
import structlog
from django.test import Client

from marketplace.common import outbox
from marketplace.common.database import rows, run, value
from marketplace.common.logs import logging_config
from marketplace.common.outbox import deliver, read
from marketplace.common.tracing import ID, current_id, traced
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import horizon
from tests.api.callers import Caller, caller_for
from tests.browser.market import own_redis
from tests.live.servers import serving, until

OURS = "0123456789abcdef0123456789abcdef"
ANOTHER = "f" * 32


def requests_in(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "touchstone.request"]


def test_every_answer_names_its_request_and_no_two_are_the_same(db: None) -> None:
    stranger = Caller("stranger")
    ids = [stranger.get(path).headers["X-Request-Id"] for path in ("/", "worker", "/nowhere", "/health/", "worker")]

    assert all(ID.fullmatch(found) for found in ids)
    assert len(set(ids)) == len(ids)
    assert current_id() is None, "nothing stays bound after a request"


@pytest.mark.parametrize(
    ("proxies", "given", "believed"),
    [(0, OURS, False), (1, OURS, True), (1, OURS.upper(), False), (1, "1", False), (1, OURS + "\n", False)],
    ids=["no proxy", "a proxy", "capitals", "too short", "a line more"],
)
def test_an_id_is_believed_of_our_own_proxy_alone(
    db: None, settings: Any, proxies: int, given: str, believed: bool
) -> None:
    settings.PROXIES = proxies

    told = Caller("stranger", **{"X-Request-Id": given}).get("/health/").headers["X-Request-Id"]

    assert (told == given) == believed
    assert ID.fullmatch(told)


def test_a_request_is_one_line_with_its_route_and_never_its_address(db: None, caplog: pytest.LogCaptureFixture) -> None:
    batch = make.make_batch(tasks=1)
    owner = caller_for(make.owner_of(batch.requester), "requester")
    caplog.set_level(logging.INFO, logger="touchstone.request")

    said = owner.get(f"batches/{batch.public_id}?a=b")
    Caller("stranger").get("/accounts/password/reset/key/7-cafe-secret/?token=secret")
    Caller("stranger").get("/secret/place")

    ours, reset, unknown = requests_in(caplog)
    assert {name: getattr(ours, name) for name in ("method", "route", "status", "about")} == {
        "method": "GET",
        "route": "api/v1/batches/<uuid:batch>",
        "status": said.status,
        "about": {"batch": str(batch.public_id)},
    }
    assert ours.duration_ms > 0  # type: ignore[attr-defined]
    assert reset.route.startswith("accounts/password/reset/key/")  # type: ignore[attr-defined]
    assert unknown.route == ""  # type: ignore[attr-defined]
    assert "secret" not in str([record.__dict__ for record in (ours, reset, unknown)])


def test_lines_of_all_loggers_are_json_with_the_request() -> None:
    written = list(lines_written("json"))

    assert [line["event"] for line in written] == ["paid 3", "task_started", "it failed"]
    assert {line["request_id"] for line in written} == {OURS}
    assert [line["level"] for line in written] == ["info", "info", "error"]
    assert written[0] | {"batch": "b"} == written[0]
    assert "ZeroDivisionError" in written[2]["exception"]


def handler_for(form: str, out: io.StringIO) -> logging.Handler:
    given = logging_config(form, "INFO", requests="INFO")["formatters"]["lines"]
    handler = logging.StreamHandler(out)
    handler.setFormatter(DictConfigurator({"version": 1}).configure_formatter(dict(given)))
    return handler


def lines_written(form: str) -> Iterator[Any]:
    """What a formatter makes of a plain line, one of the library's, and one with a traceback."""
    out = io.StringIO()
    handler = handler_for(form, out)
    logger = logging.getLogger("touchstone.of-a-test")
    logger.addHandler(handler)
    try:
        with traced(OURS):
            logger.info("paid %s", 3, extra={"batch": "b"})
            structlog.get_logger("touchstone.of-a-test").info("task_started", task="t")
            try:
                1 / 0  # noqa: B018
            except ZeroDivisionError:
                logger.exception("it failed")
    finally:
        logger.removeHandler(handler)
    for line in out.getvalue().splitlines():
        yield json.loads(line)


def test_a_failed_request_is_named_by_its_route_too(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    out = io.StringIO()
    handler = handler_for("json", out)
    logging.getLogger("django.request").addHandler(handler)
    monkeypatch.setattr("allauth.account.views.PasswordResetFromKeyView.dispatch", lambda *_, **__: 1 / 0)
    try:
        Client(raise_request_exception=False).get("/accounts/password/reset/key/7-secret/")
    finally:
        logging.getLogger("django.request").removeHandler(handler)

    line = json.loads(out.getvalue().splitlines()[-1])
    assert line["event"].startswith("Internal Server Error: /accounts/password/reset/key/")
    assert "7-secret" not in line["event"] + line["exception"]
    assert "request" not in line


def test_an_unknown_form_of_lines_stops_the_start() -> None:
    with pytest.raises(ValueError, match="choose one of plain, json"):
        logging_config("xml", "INFO", requests="INFO")


def test_an_event_has_its_request_beside_it_and_its_readers_act_in_its_name(
    committed: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PROXIES = 1
    seen: list[str | None] = []
    monkeypatch.setitem(outbox._handlers, "AnswerAccepted", [lambda event: seen.append(current_id())])
    batch, worker = make.make_batch(tasks=1, overlap=1), make.make_worker()
    make.answer(worker, make.take(worker, batch))
    owner = caller_for(make.owner_of(batch.requester), "requester")
    before = value("SELECT max(id) FROM common_outbox")

    at = f"batches/{batch.public_id}/answers/accept"
    owner.post(at, {"all_submitted": True}, headers={"X-Request-Id": OURS}).expect(200)
    with one_transaction(principal="test", key="k") as execution:
        run("INSERT INTO common_outbox (kind, body, made_at) VALUES ('Later', '{}', market_now())")
        execution.keep(200, b"")

    written = rows(
        "SELECT kind, replace(request::text, '-', '') FROM common_outbox WHERE id > %s ORDER BY id", [before]
    )
    assert written[-1] == ("Later", None), "the setting ends with its transaction, though the connection is the same"
    assert "AnswerAccepted" in [kind for kind, _ in written]
    assert {request for _, request in written[:-1]} == {OURS}
    horizon()
    with one_transaction(principal="test"):
        for event in read("tracing"):
            deliver(event)
    assert seen == [OURS]
    assert current_id() is None


@pytest.mark.stack
def test_a_request_is_followed_into_the_log_of_a_worker(committed: str, tmp_path: Path) -> None:
    """Over HTTP to a web process, through the outbox, to the sweep that reads it, and into the task that it sends."""
    batch = make.make_batch(tasks=2, overlap=1)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch))
    owner = caller_for(make.owner_of(batch.requester), "requester")
    own = own_redis()
    with redis.Redis.from_url(own) as client:
        client.flushdb()
    settings = {"TOUCHSTONE_LOG_FORMAT": "json", "TOUCHSTONE_LOG_LEVEL": "DEBUG", "TOUCHSTONE_PROXIES": "1"}
    with serving(committed, tmp_path, "web", "worker", "beat", REDIS_URL=own, **settings) as servers:
        request_id = accept_all(servers.web_url, owner.token or "", str(batch.public_id))
        until(lambda: bool(tasks_of(servers.log("worker"), request_id)), 60)

    assert request_id == OURS
    assert "workers.assignments.tasks.settle_due" in tasks_of(servers.log("worker"), request_id)
    assert tasks_of(servers.log("worker"), ANOTHER) == set()


def accept_all(site: str, token: str, batch: str) -> str:
    """Accept what was answered, as a proxy hands it on; the id in the answer."""
    response = requests.post(
        f"{site}/api/v1/batches/{batch}/answers/accept",
        json={"all_submitted": True},
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "accept", "X-Request-Id": OURS},
        timeout=30,
    )
    assert response.status_code == 200, response.text
    return response.headers["X-Request-Id"]


def tasks_of(log: str, request_id: str) -> set[str]:
    """Names of the tasks that began in the name of the request."""
    found = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return {
        str(line["task"]) for line in found if line.get("request_id") == request_id and line["event"] == "task_started"
    }
