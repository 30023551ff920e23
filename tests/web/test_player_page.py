"""The frame of the player: who gets it, what it holds, and why a batch is closed."""

import json
import re
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from marketplace.batches.models import Batch
from tests import factories as make
from tests.pages.weights import weight_of
from workers.assignments.models import Assignment
from workers.profiles.models import Worker
from workers.web.modules import player_modules

pytestmark = pytest.mark.django_db


def address(batch: Batch) -> str:
    return f"/work/batches/{batch.public_id}/do/"


def signed_in(worker: Worker) -> Client:
    client = Client()
    client.force_login(worker.user)
    return client


def settings_of(html: str) -> dict[str, Any]:
    found = re.search(r'data-settings="([^"]*)"', html)
    assert found is not None
    read: dict[str, Any] = json.loads(unescape(found[1]))
    return read


def test_a_stranger_signs_in_and_comes_back() -> None:
    batch = make.make_batch()

    answer = Client().get(address(batch))

    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={address(batch)}"


def test_a_worker_gets_the_batch_and_its_interface() -> None:
    batch = make.make_batch(tasks=2, gold=2, lease_cap=7, time_limit_s=90)

    answer = signed_in(make.make_worker()).get(address(batch))

    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    html = answer.content.decode()
    told = settings_of(html)
    assert {name: told[name] for name in ("batch", "price", "currency", "limit", "cap", "version")} == {
        "batch": str(batch.public_id), "price": 20_000, "currency": "EUR", "limit": 90, "cap": 7, "version": 1,
    }  # fmt: skip
    assert told["interface"] == batch.version.interface
    assert "<p>Say which animal it is.</p>" in html
    assert "gold" not in html.lower() and "animal 0" not in html


def test_reading_the_page_takes_no_task() -> None:
    batch, worker = make.make_batch(), make.make_worker()

    signed_in(worker).get(address(batch))

    assert not Assignment.objects.filter(worker=worker, batch=batch).exists()


@pytest.mark.parametrize("missing", ["unknown", "draft"])
def test_what_was_never_published_is_not_there(missing: str) -> None:
    batch = make.make_draft()
    where = f"/work/batches/{uuid4() if missing == 'unknown' else batch.public_id}/do/"

    assert signed_in(make.make_worker()).get(where).status_code == 404


def test_a_batch_that_is_closed_to_the_worker_says_why_and_what_next() -> None:
    batch = _for_france()

    answer = signed_in(make.make_worker()).get(address(batch))

    assert answer.status_code == 403
    html = answer.content.decode()
    assert "This batch is not open to you" in html
    assert "See other batches" in html
    assert "data-settings" not in html


def test_who_holds_a_task_may_finish_it_though_the_batch_has_closed_to_him() -> None:
    worker = make.make_worker()
    batch = _for_france()
    Worker.objects.filter(pk=worker.pk).update(country="FR")
    make.take(worker, batch)
    Worker.objects.filter(pk=worker.pk).update(country="DE")

    assert signed_in(worker).get(address(batch)).status_code == 200
    assert signed_in(make.make_worker()).get(address(batch)).status_code == 403


def test_each_module_that_is_announced_is_there_and_the_tools_are_those_of_the_interface() -> None:
    every = ["choice", "taxonomy", "rating", "text", "number", "preference", "ranking", "mask", "tracks", "cuboids"]
    data = ["text", "markdown", "image", "table", "url"]
    interface = {"data": [{"type": kind} for kind in data], "answer": [{"type": kind} for kind in every]}

    modules = player_modules(interface)

    assert [module for module in modules if finders.find(module) is None] == []
    assert modules.count("work/player/tools/later.js") == 1
    forms = player_modules({"data": [{"type": "text"}], "answer": [{"type": "choice"}]})
    assert [module for module in forms if "/tools/" in module or "/data/" in module] == [
        "work/player/data/index.js", "work/player/tools/index.js", "work/player/data/text.js",
        "work/player/tools/choice.js",
    ]  # fmt: skip


FORMS = ["choice", "taxonomy", "rating", "text", "number", "preference", "ranking"]


def test_the_player_of_every_form_at_once_weighs_little() -> None:
    """All tools for forms and pictures, text, Markdown with its parser and tables; before any data."""
    data = [{"name": kind, "type": kind} for kind in ("text", "markdown", "image", "table", "url")]
    asked: dict[str, dict[str, Any]] = {
        "choice": {"labels": [{"value": "cat"}, {"value": "dog"}]},
        "taxonomy": {"tree": [{"value": "cat"}, {"value": "dog"}]},
        "preference": {"left": "text", "right": "url"},
        "ranking": {"items": [{"value": "a"}, {"value": "b"}]},
    }
    answer = [{"name": f"a_{kind}", "type": kind, **asked.get(kind, {})} for kind in FORMS]
    batch = make.make_draft(make.make_project(interface={"data": data, "answer": answer}))
    row = {
        "text": "x",
        "markdown": "x",
        "image": "https://example.org/x.png",
        "table": {"a": 1},
        "url": "https://example.org/",
    }
    make.add_rows(batch, [{"external_id": "1", "data": row}])

    weight = weight_of(signed_in(make.make_worker()), address(make.published(batch)))

    assert weight.total <= 100_000, str(weight)
    assert weight.requests <= 55, str(weight)


def test_the_frame_asks_the_database_a_fixed_number_of_times(django_assert_max_num_queries: Any) -> None:
    batch, worker = make.make_batch(), make.make_worker()
    client = signed_in(worker)
    client.get(address(batch))

    with django_assert_max_num_queries(12):
        assert client.get(address(batch)).status_code == 200


def _for_france() -> Batch:
    return make.make_batch(audience={"country": {"in": ["FR"]}})
