"""A batch set up step by step: each step is saved by itself, and the last one says what is missing."""

import json
import re
from html import unescape
from math import sqrt

import pytest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse

from marketplace.accounts.models import Requester
from marketplace.api.imports import WHOLE_BYTES_MAX
from marketplace.batches.models import Batch, Task
from marketplace.batches.queries import estimate
from marketplace.batches.zipped import FILE_BYTES_MAX
from marketplace.common.database import run, value
from marketplace.pages.templatetags.pages import duration
from marketplace.projects.answer_types.registry import aggregation_methods
from marketplace.results.queries.forecast import calendar_of
from marketplace.web.batch_words import METHODS
from marketplace.web.views import setup
from tests import factories as make
from tests.console.members import member, owner, send
from tests.web.visitors import key_in, text_of
from workers.assignments.hourly import Pace

pytestmark = pytest.mark.django_db
STEPS = ("items", "gold", "terms", "audience", "quality", "check")
TERMS = {
    "price": "0.05", "currency": "EUR", "expected_s": "12", "overlap": "3", "time_limit": "10", "auto_accept": "2",
    "target_hourly": "", "topup": "", "worker_limit": "40", "daily_limit": "", "pair_limit": "", "lease_cap": "10",
    "max_attempts": "5", "head_start": "0", "dispute": "5", "order": "spread",
}  # fmt: skip
QUALITY = {
    "rules_by": "careful", "rules": "", "max_share": "12", "min_share": "4", "probation": "10", "refill": "off",
    "method": "majority",
}  # fmt: skip


def at(batch: Batch, step: str) -> str:
    return reverse(f"console_setup_{step}", args=[batch.public_id])


def a_draft(tasks: int = 3, gold: int = 0, **terms: object) -> tuple[Requester, Batch]:
    requester = make.make_requester()
    batch = make.make_draft(make.make_project(requester), **terms)
    if tasks:
        make.add_rows(batch, make.rows(tasks, gold))
    return requester, batch


def test_every_step_is_a_page_of_its_own_with_a_way_to_the_others() -> None:
    requester, batch = a_draft(3, 1)
    client = member(requester, "manager")
    for step in STEPS:
        page = client.get(at(batch, step))
        assert page.status_code == 200, step
        for other in STEPS:
            assert f'href="{at(batch, other)}"' in page.content.decode(), (step, other)
        assert page.content.decode().count('aria-current="step"') == 1


def test_a_draft_opens_at_the_first_step_that_is_not_done() -> None:
    requester, batch = a_draft(0)
    client, address = owner(requester), reverse("console_batch_setup", args=[batch.public_id])
    assert client.get(address)["Location"] == at(batch, "items")
    make.add_rows(batch, make.rows(2))
    assert client.get(address)["Location"] == at(batch, "check")


def test_who_may_not_change_it_reads_it() -> None:
    requester, batch = a_draft(price_micros=30_000)
    for role in ("viewer", "reviewer"):
        client = member(requester, role)
        page = client.get(reverse("console_batch_setup", args=[batch.public_id]))
        assert (page.status_code, "0.03 EUR" in text_of(page)) == (200, True)
        for step in STEPS:
            assert client.get(at(batch, step)).status_code == 403, (role, step)
    assert owner(make.make_requester()).get(at(batch, "items")).status_code == 404


def test_once_published_there_is_one_page_to_read() -> None:
    requester = make.make_requester()
    batch = make.make_batch(1, project=make.make_project(requester))
    client, address = owner(requester), reverse("console_batch_setup", args=[batch.public_id])
    for step in STEPS:
        assert client.get(at(batch, step))["Location"] == address
    assert client.get(address).status_code == 200
    refused = client.post(at(batch, "terms"), {"form_key": "k" * 22, **TERMS})
    assert refused["Location"] == address
    batch.refresh_from_db()
    assert batch.price_micros == make.PRICE


def test_the_page_of_items_gives_its_script_what_it_needs_and_says_what_is_there() -> None:
    requester, batch = a_draft(4, 1)
    page = owner(requester).get(at(batch, "items"))
    settings = json.loads(
        page.content.decode().split('<script id="settings" type="application/json">')[1].split("</")[0]
    )
    assert settings == {"batch": str(batch.public_id), "interface": batch.version.interface, "running": None}
    assert "Items 5 With a known answer 1 Answers wanted 15" in text_of(page)
    # The first item is shown as a worker sees it; whether it is gold is no part of that.
    assert '"text": "animal 0"' in page.content.decode()


def test_known_answers_are_shown_to_their_owner_with_a_note_of_it_and_taken_back() -> None:
    requester, batch = a_draft(2, 2)
    client = owner(requester)
    page = client.get(at(batch, "gold"))
    assert "label: cat" in text_of(page)
    assert value("SELECT count(*) FROM gold_look WHERE batch_id = %s", [batch.pk]) == 1

    reply = client.post(at(batch, "gold"), {"form_key": key_in(page), "task": "g1"})

    assert (reply.status_code, reply["Location"]) == (303, at(batch, "gold"))
    said = text_of(client.get(at(batch, "gold")))
    assert ("g0" in said, "g1" in said) == (True, False)
    assert Task.objects.filter(batch=batch).count() == 4


def test_terms_are_saved_in_the_units_of_people() -> None:
    requester, batch = a_draft(2, overlap=2)
    client = owner(requester)

    reply = send(client, at(batch, "terms"), **TERMS, go="quality")

    assert (reply.status_code, reply["Location"]) == (303, at(batch, "quality"))
    batch.refresh_from_db()
    assert (batch.price_micros, batch.overlap, batch.time_limit_s) == (50_000, 3, 600)
    assert (batch.auto_accept_s, batch.worker_limit, batch.daily_limit) == (172_800, 40, None)
    assert (batch.dispute_basis_points, batch.expected_s) == (500, 12)
    page = client.get(at(batch, "terms"))
    assert 'name="time_limit" value="10"' in page.content.decode()
    # Six answers of 5 cents and a tenth more, and one answer's worth aside for disputes.
    assert "0.385 EUR" in text_of(page)
    # Twelve seconds for five cents are fifteen euros an hour.
    assert "15.00 EUR" in text_of(page)
    # The next step comes where none was chosen.
    assert send(client, at(batch, "terms"), **TERMS)["Location"] == at(batch, "audience")


def test_wrong_terms_are_said_at_their_fields_and_nothing_is_saved() -> None:
    requester, batch = a_draft(1, time_limit_s=900, lease_max_s=1_000)
    client = owner(requester)
    typed = send(client, at(batch, "terms"), **{**TERMS, "price": "0", "currency": "eur"})
    assert typed.status_code == 422
    assert 'name="worker_limit" value="40"' in typed.content.decode()
    assert "Three capitals, as EUR." in text_of(typed)
    alone = send(client, at(batch, "terms"), **{**TERMS, "topup": "10"})
    assert "A target for the hour and a limit for what is added go together." in text_of(alone)
    # What only the domain knows is told at the field that stands for it.
    longer = send(client, at(batch, "terms"), **{**TERMS, "time_limit": "20"})
    assert longer.status_code == 422
    field = longer.content.decode().split('name="time_limit"')[1].split('name="auto_accept"')[0]
    assert "Must lie between 1200 and 604800" in text_of(field)
    batch.refresh_from_db()
    assert (batch.worker_limit, batch.price_micros) == (None, make.PRICE)


def test_an_audience_is_saved_as_data_and_what_is_wrong_with_it_is_told_with_its_place() -> None:
    requester, batch = a_draft(1)
    client, audience = owner(requester), {"all": [{"country": {"in": ["DE"]}}, {"device": {"in": ["phone"]}}]}

    assert send(client, at(batch, "audience"), audience=json.dumps(audience)).status_code == 303
    batch.refresh_from_db()
    assert batch.audience == audience
    assert "a country among DE" in text_of(client.get(at(batch, "audience")))

    wrong = send(client, at(batch, "audience"), audience='{"country": {"in": ["Germany"]}}')
    empty = send(
        client, at(batch, "audience"), audience='{"all": [{"device": {"in": ["phone"]}}, {"country": {"in": []}}]}'
    )
    assert "Country: choose at least one, and at most 250" in text_of(empty)
    # The page shows it at the condition.
    assert '"problems": [{"path": "all[1].country.in"' in empty.content.decode()
    assert wrong.status_code == 422
    assert "Country: must be a country as DE, in two capitals" in text_of(wrong)
    assert "This is not valid JSON: line 2, character 1." in text_of(
        send(client, at(batch, "audience"), audience="{\n1")
    )
    assert "in braces" in text_of(send(client, at(batch, "audience"), audience="[]"))
    batch.refresh_from_db()
    assert batch.audience == audience
    assert send(client, at(batch, "audience"), audience="").status_code == 303
    batch.refresh_from_db()
    assert batch.audience == {}


@pytest.mark.parametrize(
    "data",
    [
        '{"\\ud800": 1}', '{"all": [{"country": {"in": ["\\ud800"]}}]}', '{"country": {"in": ["\\u0000"]}}',
        '{"all": ' + "[" * 5_000, '{"all": ' + "[" * 400 + "]" * 400 + "}", '{"a": ' + "9" * 5_000 + "}", '{"a": NaN}',
        '{"country": {"in": ["DE"]}, "country": {"in": ["AT"]}}',
    ],
)  # fmt: skip
def test_data_that_nothing_could_hold_is_refused_in_words_and_kept_as_it_was_typed(data: str) -> None:
    requester, batch = a_draft(1)
    client = owner(requester)
    kept = (batch.audience, batch.quality)
    rules = '{"rules": [{"name": "hurries", "words": ' + data + "}]}"
    for step, form in (("audience", {"audience": data}), ("quality", {**QUALITY, "rules_by": "own", "rules": rules})):
        refused = send(client, at(batch, step), **form)
        assert (refused.status_code, "This cannot be read." in text_of(refused)) == (422, True), step
        typed = data if step == "audience" else rules
        assert typed in unescape(refused.content.decode())
    batch.refresh_from_db()
    assert (batch.audience, batch.quality) == kept


def test_ways_to_make_results_are_those_that_fit_what_is_asked() -> None:
    requester = make.make_requester()
    boxes = {
        "data": [{"name": "picture", "type": "image"}],
        "answer": [
            {"name": "things", "type": "boxes", "of": "picture", "labels": [{"value": "a"}]},
            {"name": "count", "type": "number", "required": False},
        ],
    }
    draft = make.make_draft(make.make_project(requester))
    drawn = make.make_draft(make.make_project(requester, interface=boxes))
    client = owner(requester)
    said = text_of(client.get(at(draft, "quality")))
    assert ("Dawid and Skene: learns how each worker errs (usual)" in said, "Clusters" in said) == (True, False)
    page = client.get(at(drawn, "quality"))
    offered = re.findall(r'<option value="(\w+)"( selected)?>', page.content.decode().split('name="method"')[1])
    assert offered == [("clusters", " selected"), ("median", ""), ("trimmed_mean", ""), ("worker_bias", "")]
    assert "Where it does not fit a question, that question has the usual way of its kind." in text_of(page)
    assert "Results by Clusters" in text_of(client.get(at(drawn, "check")))

    refused = send(client, at(draft, "quality"), **{**QUALITY, "method": "clusters"})

    assert (refused.status_code, "This does not fit what is asked." in text_of(refused)) == (422, True)
    assert send(client, at(drawn, "quality"), **{**QUALITY, "method": "median"}).status_code == 303


@pytest.mark.parametrize("name", aggregation_methods())
def test_every_way_to_make_results_has_words(name: str) -> None:
    assert name in METHODS


def test_a_known_answer_of_no_item_is_not_taken_back() -> None:
    requester, batch = a_draft(2, 1)
    client = owner(requester)
    for name in ("t99", "\x00", "g0\x00"):
        reply = client.post(at(batch, "gold"), {"form_key": "k" * 22, "task": name}, follow=True)
        assert (reply.status_code, "1 of the items are not there" in text_of(reply)) == (200, True)
    assert estimate(batch).gold_tasks == 1


def test_quality_is_a_preset_or_rules_of_ones_own() -> None:
    requester, batch = a_draft(1)
    client = owner(requester)
    assert send(client, at(batch, "quality"), **QUALITY)["Location"] == at(batch, "check")
    batch.refresh_from_db()
    assert (batch.quality, batch.aggregation) == ({"preset": "careful"}, {"method": "majority"})
    gold = batch.gold_policy
    assert (gold["min_share"], gold["max_share"], gold["probation"], gold["refill"]) == (0.04, 0.12, 10, "off")
    # What the page does not ask for stays.
    assert gold["probation_share"] == 0.3

    rules = {
        "rules": [
            {
                "name": "hurries", "scope": "batch", "window": {"answers": 40},
                "all": [{"metric": "answers", "at_least": 20}, {"metric": "fast_share", "above": 0.6, "bound": "low"}],
                "then": [{"do": "notify"}], "words": "Please take your time.",
            }
        ]
    }  # fmt: skip
    own = send(client, at(batch, "quality"), **{**QUALITY, "rules_by": "own", "rules": json.dumps(rules)})
    assert own.status_code == 303, text_of(own)
    batch.refresh_from_db()
    assert batch.quality == rules
    none = send(client, at(batch, "quality"), **{**QUALITY, "rules_by": "own", "rules": ""})
    assert "Write at least one rule" in text_of(none)
    much = send(client, at(batch, "quality"), **{**QUALITY, "min_share": "20"})
    assert "The least must not be more than the most." in text_of(much)
    batch.refresh_from_db()
    assert batch.quality == rules


def test_the_last_step_names_what_is_missing_with_a_link_to_its_step() -> None:
    requester, batch = a_draft(0)
    client = owner(requester)
    page = client.get(at(batch, "check"))
    assert "There are no items yet." in text_of(page)
    assert page.content.decode().count(f'href="{at(batch, "items")}"') >= 2
    assert "Something is missing" in text_of(page)

    make.add_rows(batch, make.rows(2))
    make.spend_all(batch, but=1)
    page = client.get(at(batch, "check"))
    assert "Your funds lack 0.131999 EUR for all of it." in text_of(page)
    assert "No item has a known answer" in text_of(page)
    refused = client.post(at(batch, "check"), {"form_key": key_in(page)}, follow=True)
    batch.refresh_from_db()
    assert batch.state == "draft"
    assert "0.131999" in text_of(refused)


def test_it_is_published_once_by_a_manager() -> None:
    requester, batch = a_draft(2)
    client = member(requester, "manager")
    key = key_in(client.get(at(batch, "check")))
    before = make.funds(batch)
    first = client.post(at(batch, "check"), {"form_key": key})
    second = client.post(at(batch, "check"), {"form_key": key})
    assert (first.status_code, first["Location"]) == (303, second["Location"])
    batch.refresh_from_db()
    assert (batch.state, before - make.funds(batch)) == ("published", 6 * (make.PRICE + make.FEE))


def test_a_pilot_is_published_from_the_last_step_and_the_rest_waits() -> None:
    requester, batch = a_draft(30, kind="pilot")
    client = owner(requester)

    reply = send(client, at(batch, "check"), to=at(batch, "pilot"), items="5")

    pilot = Batch.objects.get(kind="pilot")
    assert (reply.status_code, reply["Location"]) == (303, reverse("console_batch_pilot", args=[pilot.public_id]))
    batch.refresh_from_db()
    assert (pilot.state, batch.state, batch.pilot_id) == ("published", "draft", pilot.pk)
    said = text_of(client.get(at(batch, "check")))
    assert ("The report of its pilot" in said, "A pilot first" in said) == (True, False)

    wrong = client.post(at(batch, "pilot"), {"form_key": "k" * 22, "items": "0"})
    assert (wrong.status_code, "greater than or equal to 1" in text_of(wrong)) == (422, True)


@pytest.mark.parametrize(
    ("pace", "said"),
    [
        (Pace(12, 40, "batch"), "at 12 s an answer, as measured in this batch"),
        (Pace(12, 40, "project"), "at 12 s an answer, as measured in other batches of this project"),
        (Pace(12, 40, "answers"), "at 12 s an answer, as measured where the same kinds of questions were asked"),
        (Pace(0.4, 40, "project"), "not known: the answers measured so far took 0.4 s, which is too short"),
        (None, "not known: nothing like it was measured yet"),
    ],
)
def test_what_an_hour_pays_says_whose_measure_it_is(
    pace: Pace | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    requester, batch = a_draft(2)
    monkeypatch.setattr(setup, "pace_for", lambda batch: pace)
    client = owner(requester)
    assert said in text_of(client.get(at(batch, "check")))
    terms = text_of(client.get(at(batch, "terms")))
    assert ("no price is suggested" in terms) == bool(pace and pace.median_s < 1)
    assert ("At this price an hour pays" in terms) == bool(pace and pace.median_s >= 1)


def test_a_pilot_is_smaller_than_the_whole() -> None:
    requester, batch = a_draft(23)
    client = owner(requester)
    assert 'name="items" value="4" inputmode="numeric" step="1" autocomplete="off" min="1" max="22"' in (
        client.get(at(batch, "check")).content.decode()
    )

    refused = send(client, at(batch, "check"), to=at(batch, "pilot"), items="23")

    words = "The batch has 23 items: take fewer for the pilot, or publish all of it instead."
    assert (refused.status_code, words in text_of(refused)) == (422, True)
    batch.refresh_from_db()
    assert (batch.state, Batch.objects.count()) == ("draft", 1)
    assert send(client, at(batch, "check"), to=at(batch, "pilot"), items="22").status_code == 303


def test_a_draft_is_given_up_and_a_published_batch_is_not() -> None:
    requester, batch = a_draft(2)
    client = owner(requester)
    reply = send(client, at(batch, "check"), to=at(batch, "discard"))
    assert reply["Location"] == reverse("console_batches", args=[requester.public_id])
    batch.refresh_from_db()
    assert batch.state == "cancelled"
    other = make.make_batch(1, project=batch.project)
    client.post(at(other, "discard"), {"form_key": "k" * 22})
    other.refresh_from_db()
    assert other.state == "published"


def test_how_soon_it_is_done_is_told_by_the_projects_last_batches_or_that_there_is_none() -> None:
    requester, batch = a_draft(20)
    client = owner(requester)
    assert "No batch of this project has enough answers yet" in text_of(client.get(at(batch, "check")))

    last = make.make_batch(10, project=batch.project, name="Before", overlap=1, lease_cap=100, time_limit_s=9_000)
    worker = make.make_worker()
    leases = make.take(worker, last, 10)
    run("UPDATE test_clock SET shift = shift + interval '100 minutes'")
    make.answer(worker, leases)

    # Ten answers took a hundred minutes; sixty are wanted. By chance ten may as well have been four or sixteen.
    found = calendar_of(batch, 60)
    assert found is not None
    assert (found.name, found.answers, found.batches) == ("Before", 10, 1)
    assert found.finish_s == pytest.approx(36_000, rel=0.03)
    assert found.low_s == pytest.approx(60 * 6_000 / (10 + 1.96 * sqrt(10)), rel=0.03)
    assert found.high_s == pytest.approx(60 * 6_000 / (10 - 1.96 * sqrt(10)), rel=0.03)
    said = text_of(client.get(at(batch, "check")))
    assert "as “Before”, the last batch of this project, went" in said
    assert f"Done about {duration(found.finish_s)} after it is published" in said


def test_the_page_of_items_says_how_large_a_file_in_a_zip_may_be() -> None:
    requester, batch = a_draft()
    said = text_of(member(requester, "manager").get(at(batch, "items")))
    assert "up to 1000 files" in said.replace(",", "")
    for size in (FILE_BYTES_MAX, WHOLE_BYTES_MAX):
        assert filesizeformat(size).replace("\xa0", " ") in said
