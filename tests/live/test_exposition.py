"""Metrics: well-formed, true, of no person, and not for everybody."""

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client

from marketplace.common.exposition import Gauge, exposition, gauge, gauges
from tests import factories as make
from tests.api.market import make_market
from tests.api_client import key_for, signed_up
from tests.staff.desk import at_desk, make_staff
from tests.web.visitors import client_of

SAMPLE = re.compile(r'touchstone_[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? -?\d+(\.\d+)?(e[+-]?\d+)?')
# What a label may name. None of them is a person's.
LABELS = {"reader", "state", "kind", "queue", "provider", "currency"}


def ask(key: str | None = None, address: str = "198.51.100.9", **headers: str) -> Any:
    given = {"Authorization": f"Bearer {key}"} if key else {}
    return Client(REMOTE_ADDR=address).get("/metrics", headers=given | headers)


def staff_key() -> str:
    return key_for(make_staff(), "staff")


def samples(text: str) -> dict[str, float]:
    """Values by name and labels; every line is a comment or a sample, and each name is explained once, before."""
    explained: list[str] = []
    found = {}
    for line in text.splitlines():
        if line.startswith("# "):
            kind, name, _ = line[2:].split(" ", 2)
            explained += [name] if kind == "TYPE" else []
            continue
        assert SAMPLE.fullmatch(line), line
        what, _, value = line.rpartition(" ")
        assert explained[-1] == what.partition("{")[0]
        assert what not in found
        found[what] = float(value)
    assert len(explained) == len(set(explained))
    return found


def test_figures_are_those_of_the_market(db: None, clock: Any) -> None:
    before = samples(ask(staff_key()).content.decode())
    batch = make.make_batch(tasks=3, overlap=2)
    worker, other = make.make_worker(), make.make_worker()
    make.take(worker, batch, count=2)
    make.answer(other, make.take(other, batch))
    clock(timedelta(seconds=60))

    response = ask(staff_key())
    now = samples(response.content.decode())

    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "no-store" in response["Cache-Control"]
    grown = {name: now[name] - before.get(name, 0) for name in now}
    assert grown['touchstone_batches{state="published"}'] == 1
    assert grown["touchstone_open_places"] == 3
    assert (grown["touchstone_leases"], grown["touchstone_workers_working"]) == (2, 1)
    assert now['touchstone_late_seconds{queue="scoring_behind"}'] >= 60
    assert now['touchstone_late_seconds{queue="leases_overdue"}'] == 0
    assert now['touchstone_outbox_backlog_events{reader="relay"}'] > 0
    assert (now["touchstone_payments_due"], now["touchstone_dead_letters"]) == (0, 0)
    assert now['touchstone_online{kind="worker"}'] >= 0


def test_money_on_its_way_is_told_by_provider_currency_and_state(db: None) -> None:
    market = make_market()
    now = samples(ask(staff_key()).content.decode())

    of_payouts = {name: value for name, value in now.items() if name.startswith("touchstone_payouts{")}
    assert sum(of_payouts.values()) >= 1
    labels = {label for name in now for label in re.findall(r'([a-z]+)="', name)}
    assert labels <= LABELS
    for person in (market.worker.user, market.other_worker.user):
        assert person.email not in "".join(now)


@pytest.mark.parametrize("scopes", [(), ("worker",), ("requester",)])
def test_keys_of_others_are_refused(db: None, scopes: tuple[str, ...]) -> None:
    key = key_for(signed_up(), *scopes) if scopes else None
    response = ask(key)

    assert response.status_code == (403 if scopes else 401)
    assert response["Content-Type"] == "application/problem+json"


def test_staff_on_the_pages_may_look_and_others_may_not(db: None) -> None:
    assert at_desk(make_staff("support")).get("/metrics").status_code == 200
    assert client_of(make_staff("support")).get("/metrics").status_code == 403, "no code was shown in this session"
    assert client_of(make.make_user()).get("/metrics").status_code == 403


def test_an_allowed_address_needs_no_key_and_cannot_be_claimed(db: None, settings: Any) -> None:
    settings.METRICS_ADDRESSES = [ip_network("10.8.0.0/24"), ip_network("2001:db8::7/128")]

    assert ask(address="10.8.0.9").status_code == 200
    assert ask(address="2001:db8::7").status_code == 200
    assert ask(address="10.8.1.9").status_code == 401
    assert ask(**{"X-Forwarded-For": "10.8.0.9"}).status_code == 401, "no proxy of ours stands in front"
    settings.PROXIES = 1
    assert ask(address="10.8.0.9", **{"X-Forwarded-For": "10.8.0.9, 198.51.100.9"}).status_code == 401


def test_prometheus_own_wish_for_a_form_is_granted(db: None) -> None:
    accepts = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    assert ask(staff_key(), Accept=accepts).status_code == 200


def test_without_redis_only_what_it_says_is_left_out(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.live.metrics.online", lambda kind: None)
    now = samples(ask(staff_key()).content.decode())

    assert not [name for name in now if "online" in name]
    assert "touchstone_open_places" in now


def test_texts_are_escaped() -> None:
    odd = Gauge("x", 'a\\b\n"c"', (({"k": 'a"b\\c\nd'}, 1.5),))
    assert exposition([odd, gauge("y", "", None), gauges("z", "", "k", {"a": 2, "b": None})]) == (
        '# HELP touchstone_x a\\\\b\\n"c"\n# TYPE touchstone_x gauge\ntouchstone_x{k="a\\"b\\\\c\\nd"} 1.5\n'
        "# HELP touchstone_y \n# TYPE touchstone_y gauge\n"
        '# HELP touchstone_z \n# TYPE touchstone_z gauge\ntouchstone_z{k="a"} 2\n'
    )
