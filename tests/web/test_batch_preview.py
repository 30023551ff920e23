"""A batch before it is taken: instructions that run nothing, labels, a sample that tells nothing, and the terms."""

import json
import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.batches.commands.lifecycle import pause_batch
from marketplace.batches.models import Batch
from marketplace.batches.queries import sample_of
from marketplace.common.transactions import one_transaction
from marketplace.pages.markdown import html_of
from marketplace.projects.commands import create_project, publish_version
from tests import factories as make
from tests.acts import in_one
from tests.web.visitors import text_of, visitor

INTERFACE = {
    "data": [
        {"name": "text", "type": "text", "title": "The letter"},
        {"name": "facts", "type": "table"},
        {"name": "photo", "type": "image"},
    ],
    "answer": [
        {
            "name": "label",
            "type": "choice",
            "title": "Which animal?",
            "help": "The first that is named.",
            "labels": [
                {"value": "cat", "title": "Cat", "definition": "Any cat.", "excludes": ["lions"], "hotkey": "c"},
                {"value": "dog", "title": "Dog", "examples": ["A poodle <b>"]},
            ],
        }
    ],
}
DATA = {"text": "Dear <b>Ada</b>", "facts": [{"year": 1843}], "photo": "https://example.org/cat.png"}


def letters(instructions: str = "Read *well*.", **terms: object) -> Batch:
    requester = make.make_requester()
    with one_transaction(principal="test"):
        project = create_project(
            requester_id=requester.pk, name="Letters", interface=INTERFACE, instructions=instructions
        )
    with one_transaction(principal="test"):
        publish_version(project=project, number=1)
    batch = make.make_draft(project, name="Letters", **terms)
    make.add_rows(batch, [{"external_id": f"t{n}", "data": DATA | {"text": f"{DATA['text']} {n}"}} for n in range(3)])
    return make.published(batch)


@pytest.mark.django_db
def test_a_preview_says_what_is_asked_what_is_paid_and_when() -> None:
    client, _worker = visitor()
    batch = letters(time_limit_s=90, auto_accept_s=86_400, lease_cap=7, worker_limit=40, lease_max_s=600)
    page = client.get(f"/work/batches/{batch.public_id}/")
    read = text_of(page)
    assert page.status_code == 200
    assert "0.02 EUR for each answer that is accepted" in read
    assert "by itself after 1 day at the latest" in read
    assert "You have 1 min 30 s for a task; while you work it is prolonged by itself, up to 10 min." in read
    assert "You can hold 7 tasks at a time" in read and "One person gives 40 answers here at most." in read
    assert "A rejected answer is not paid." in read
    assert "Which animal?" in read and "The first that is named." in read
    assert "Any cat." in read and "lions" in read and "A poodle <b>" in read
    assert "<em>well</em>" in page.content.decode()
    assert "Dear <b>Ada</b> 0" in read and "1843" in read
    assert 'src="https://example.org/cat.png"' in page.content.decode()
    assert re.search(r"Commitment 1, .*: [0-9a-f]{64}", read)
    assert "overlap" not in page.content.decode()


@pytest.mark.django_db
def test_the_sample_is_the_first_task_also_where_that_is_gold_and_says_nothing_else() -> None:
    client, _worker = visitor()
    ordinary = make.make_batch(tasks=3, gold=0)
    gold_first = make.make_draft(make.make_project())
    make.add_rows(gold_first, list(reversed(make.rows(2, 1))))
    make.published(gold_first)
    found = []
    for batch in (ordinary, gold_first):
        page = client.get(f"/work/batches/{batch.public_id}/").content.decode()
        written = re.search(r'<script id="sample" type="application/json">(.*?)</script>', page)
        assert written
        found.append(json.loads(written[1]))
    assert [one["data"] for one in found] == [{"text": "animal 0"}, {"text": "known animal 0"}]
    assert [set(one) for one in found] == [{"interface", "data"}] * 2
    assert found[0]["interface"] == found[1]["interface"]
    assert sample_of(make.make_draft()) is None


@pytest.mark.django_db
def test_previews_with_and_without_gold_take_the_same_statements_and_none_asks_for_a_key() -> None:
    client, _worker = visitor()

    def statements(batch: Batch) -> list[str]:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(f"/work/batches/{batch.public_id}/").status_code == 200
        return [re.sub(r"'[^']*'|\d+", "?", one["sql"]) for one in asked.captured_queries]

    project = make.make_project()
    statements(make.make_batch(project=project))
    without, with_gold = (statements(make.make_batch(gold=gold, project=project)) for gold in (0, 3))
    assert with_gold == without
    assert len(without) <= 20
    for hidden in ("goldkey", "verdict", "gold_reader", "gold_toaudit", "reputation_outcome"):
        assert not [one for one in without if hidden in one]


@pytest.mark.django_db
def test_one_can_begin_where_the_batch_is_open_and_reads_why_not_elsewhere() -> None:
    client, worker = visitor()
    open_to_all = make.make_batch()
    at = f"/work/batches/{open_to_all.public_id}/"
    assert f'href="{at}do/"' in client.get(at).content.decode()
    french = make.make_batch(audience={"languages": {"any": ["fr"]}})
    page = client.get(f"/work/batches/{french.public_id}/")
    assert "Start working" not in text_of(page) and "It asks for the language fr." in text_of(page)
    in_one(pause_batch, batch_id=open_to_all.pk)
    page = client.get(at)
    assert "Start working" not in text_of(page) and "This batch takes no work just now." in text_of(page)
    small = make.make_batch(tasks=1, overlap=1)
    make.take(make.make_worker(), small)
    page = client.get(f"/work/batches/{small.public_id}/")
    assert "Start working" not in text_of(page) and "All of it is taken just now." in text_of(page)
    assert worker.pk


@pytest.mark.django_db
def test_drafts_and_nothing_are_not_found() -> None:
    client, _worker = visitor()
    for missing in (make.make_draft().public_id, uuid4()):
        assert client.get(f"/work/batches/{missing}/").status_code == 404


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](vbscript:x)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](data:image/png;base64,AAAA)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](http://example.org/spy.png)",
    '![x](https://example.org/x.png "t\\" onerror=\\"alert(1)")',
    '[x](https://example.org/"onmouseover="alert(1))',
    '[x](https://example.org "t\\"onclick=\\"alert(1)")',
    '```"onload="alert(1)\nx\n```',
    "[x][y]\n\n[y]: javascript:alert(1)",
    "|a|\n|:-:|\n|<b onclick=x>|",
    "<style>*{color:red}</style>",
    '<a style="position:fixed" href="https://example.org">x</a>',
    "<form action=/work/><input name=x></form>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!-- x --><base href=//example.org>",
    "[x](//example.org)",
    "[x](/accounts/logout/)",
]
KNOWN = {
    "p", "a", "img", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "h3", "h4", "h5", "h6", "hr", "br",
    "s", "div", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ALLOWED = {"href", "rel", "target", "title", "src", "alt", "loading", "referrerpolicy", "class", "tabindex", "start"}


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_write_becomes_nothing_that_runs_or_looks_like_ours(text: str) -> None:
    html = html_of(text)
    for tag, attributes in re.findall(r"<([a-z0-9]+)((?:\s+[a-z-]+(?:=\"[^\"]*\")?)*)\s*/?>", html):
        assert tag in KNOWN, html
        for name, value in re.findall(r"([a-z-]+)(?:=\"([^\"]*)\")?", attributes):
            assert name in ALLOWED, html
            if name == "href":
                assert re.match(r"https?://|mailto:", value), html
            if name == "src":
                assert re.match(r"https://|data:image/(png|gif|jpeg|webp);base64,", value), html
    # Nothing is left that opens an element otherwise.
    assert not re.search(rf"<(?!/?(?:{'|'.join(KNOWN)})[\s>/])", html), html


def test_links_give_nothing_away_and_headings_stand_below_those_of_the_page() -> None:
    rel = 'rel="nofollow ugc noopener noreferrer" target="_blank"'
    assert html_of("# Hi\n\n[x](https://example.org)") == (
        f'<h3>Hi</h3>\n<p><a href="https://example.org" {rel}>x</a></p>\n'
    )
    assert '<td class="align-right">1</td>' in html_of("|a|\n|-:|\n|1|")
    assert html_of("###### Low") == "<h6>Low</h6>\n"
