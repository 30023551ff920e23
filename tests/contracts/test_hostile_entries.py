"""Hostile content (R30) through every entry: taken or refused in words, never an error of ours, and never as markup.

Generated: every text of every body of every address that writes takes hostile ones. A few each in CI, rotating so that
all are sent many times; `TOUCHSTONE_HOSTILE=all` sends all to each.
"""

import copy
import csv
import io
import json
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
from django.test import Client

from marketplace.accounts.models import Requester
from marketplace.batches.models import Batch, Task
from marketplace.pages.markdown import html_of
from marketplace.projects.interface import InterfaceInvalid, check_interface
from marketplace.projects.models import Project
from tests import factories as make
from tests.acts import undone
from tests.api.callers import Caller
from tests.api.described import operations
from tests.api.market import Market
from tests.api.test_matrix import ROUTES, ids  # noqa: F401  (`ids` is a fixture)
from tests.api.test_openapi import NEEDED
from tests.api_client import Api
from tests.contracts.bombs import PARQUET, parquet_of, png_of
from tests.contracts.hostile import CORPUS, KEPT, TEXTS, faults_of, interface_of, packs, row_of
from tests.contracts.persons import World
from tests.contracts.routes import pages
from tests.contracts.test_page_matrix import gates_of, line_of
from tests.contracts.test_unknown_input import allowed, one_of, writes

EACH = len(TEXTS) if os.environ.get("TOUCHSTONE_HOSTILE") == "all" else 12
ADDRESSES = [*dict.fromkeys(path for _, _, path, _ in operations())]


def test_the_corpus_is_as_large_as_promised_and_each_text_is_one() -> None:
    assert len(set(TEXTS)) == len(TEXTS) >= 200
    assert set(CORPUS) == {
        "html", "svg", "url", "mutation", "css", "colour", "file", "markdown", "template", "marks",
    }  # fmt: skip
    print(f"\n{len(TEXTS)} texts: " + ", ".join(f"{len(texts)} {kind}" for kind, texts in CORPUS.items()))


def leaves(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a body holds a text."""
    if isinstance(body, dict):
        for name, inner in body.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(body, list):
        for at, inner in enumerate(body):
            yield from leaves(inner, (*path, at))
    elif isinstance(body, str):
        yield path


def replaced(body: Any, path: tuple[Any, ...], text: str) -> Any:
    made = copy.deepcopy(body)
    inside = made
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = text
    return made


def test_every_text_of_every_body_may_be_hostile(market: Market, ids: Any) -> None:  # noqa: F811
    broke, sent, turn, taken = [], 0, 0, 0
    for path, method, may, body in writes(market):
        for leaf in leaves(body):
            for number in range(EACH):
                text = TEXTS[(turn + number) % len(TEXTS)]
                with undone():
                    reply = market[one_of(may)].call(method, path.format(**ids["own"]), replaced(body, leaf, text))
                sent += 1
                taken += reply.status < 300
                kind = reply.headers.get("Content-Type", "")
                if reply.status >= 500 or not kind.startswith(("application/json", "application/problem+json")):
                    broke.append(f"{method} {path} {leaf} {text[:60]!r}: {reply.status} {kind}")
                if reply.headers.get("X-Content-Type-Options") != "nosniff":
                    broke.append(f"{method} {path}: may be sniffed")
            turn += EACH
    assert broke == [], "\n".join(broke[:50])
    print(f"\n{sent} hostile bodies, {taken} of them kept as texts")
    assert turn >= len(TEXTS), "not every text had its turn"


def test_every_name_in_an_address_may_be_hostile(market: Market) -> None:
    broke = []
    for turn, path in enumerate(ADDRESSES):
        for number in range(min(EACH, 6)):
            text = quote(TEXTS[(turn * (EACH // 4) + number) % len(TEXTS)].encode(errors="replace"), safe="")
            for who in ("owner", "worker", "staff"):
                reply = market[who].get(re.sub(r"{\w+}", lambda _, text=text: text, path) + f"?cursor={text}&{text}=1")
                if reply.status >= 500 or "html" in reply.headers.get("Content-Type", ""):
                    broke.append(f"{path} {text[:60]}: {reply.status}")
    assert broke == []


@pytest.mark.parametrize("text", KEPT)
def test_markdown_of_it_is_nothing_but_markup_of_ours(text: str) -> None:
    for written in (text, f'# {text}\n\n- {text}\n\n> {text}\n\n[{text}]({text})\n\n![{text}]({text} "{text}")\n'):
        shown = html_of(written)
        assert faults_of(shown) == []
        assert "<script" not in shown and "<svg" not in shown
        for leads, attributes in re.findall(r'<a href="([^"]*)"([^>]*)>', shown):
            assert re.match(r"(https?://|mailto:)", leads, re.IGNORECASE)
            assert 'rel="nofollow ugc noopener noreferrer"' in attributes
        for source in re.findall(r'<img src="([^"]*)"', shown):
            assert re.match(r"https://|data:image/(png|gif|jpeg|webp);base64,", source, re.IGNORECASE)


def test_interfaces_say_hostile_words_and_do_nothing_else() -> None:
    for texts in packs():
        interface = check_interface(interface_of(texts))
        assert check_interface(interface) == interface
        said = json.dumps(interface)
        assert "labels" in said


@pytest.mark.parametrize("text", CORPUS["colour"])
def test_a_colour_is_no_place_for_anything_else(text: str) -> None:
    for place in ("colour", "color", "background", "style", "class"):
        label = {"value": "a", place: text}
        interface = {"data": [], "answer": [{"name": "l", "type": "choice", "labels": [label, {"value": "b"}]}]}
        with pytest.raises(InterfaceInvalid):
            check_interface(interface)


@pytest.mark.parametrize("text", [*CORPUS["url"], *CORPUS["html"][:10]])
def test_an_address_that_is_shown_or_followed_is_of_the_web(market: Market, text: str) -> None:
    """And for pictures and sounds, data of a kind that runs nothing."""
    kinds = {"i": "image", "a": "audio", "v": "video", "u": "url"}
    project = make.make_project(
        market.requester,
        {
            "data": [{"name": name, "type": kind, "required": False} for name, kind in kinds.items()],
            "answer": make.INTERFACE["answer"],
        },
    )
    batch = make.make_draft(project)
    for name, kind in kinds.items():
        body = json.dumps({"external_id": name, "data": {name: text}}).encode()
        reply = market["owner"].post(
            f"batches/{batch.public_id}/imports", raw=body, content_type="application/x-ndjson"
        )
        assert reply.status in (201, 422), reply.body
        if reply.status == 201:
            fine = (r"https?://", r"data:image/(png|jpeg|gif|webp);base64,") if kind == "image" else (r"https?://",)
            assert any(re.match(one, text) for one in fine), (kind, text)


# As a CSV, a zip and Parquet hold them unchanged.
KEPT_IN_FILES = [text for text in KEPT if len(text) < 150 and text.strip() == text and "\r" not in text]
ZIP = "application/zip"


def table_of(rows: list[list[str]]) -> str:
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    return table.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as made:
        for name, inside in files.items():
            made.writestr(name, inside)
    return body.getvalue()


def meaning(mapping: dict[str, str]) -> str:
    return f"?mapping={quote(json.dumps(mapping))}"


def all_forms(texts: list[str]) -> dict[str, tuple[str, str, bytes]]:
    """The texts as items in every form of file: what is asked, the kind, and the file."""
    rows = [{"external_id": f"{number}|{text}", "data": {"text": text}} for number, text in enumerate(texts)]
    numbered = [str(row["external_id"]) for row in rows]
    lines = "\n".join(map(json.dumps, rows)).encode()
    table = table_of([["external_id", "data.text"], *map(list, zip(numbered, texts, strict=True))]).encode()
    hostile = table_of([CORPUS["html"][:2], *map(list, zip(numbered, texts, strict=True))]).encode()
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    named = dict(zip(("external_id", "data.text"), CORPUS["html"][:2], strict=True))
    beside = {f"{number}{text}.png": png_of(4, 4) for number, text in enumerate(CORPUS["html"])}
    return {
        "JSON lines": ("", "application/x-ndjson", lines),
        "CSV": ("", "text/csv", table),
        "CSV with columns of hostile names": (meaning(named), "text/csv", hostile),
        "Label Studio": ("?format=label_studio", "application/json", json.dumps(tasks).encode()),
        "Parquet": ("", PARQUET, parquet_of({"external_id": numbered, "data.text": texts})),
        "zip of a CSV": ("", ZIP, packed({f"{CORPUS['html'][0]}.csv": table, **beside})),
        "zip of JSON lines": ("", ZIP, packed({f"{CORPUS['html'][1]}.jsonl": lines, **beside})),
    }


def test_every_form_of_import_keeps_hostile_texts_as_texts(market: Market) -> None:
    text_type = {"data": [{"name": "text", "type": "text"}], "answer": make.INTERFACE["answer"]}
    project = make.make_project(market.requester, text_type)
    for form, (query, kind, body) in all_forms(KEPT_IN_FILES).items():
        batch = make.make_draft(project)
        at = f"batches/{batch.public_id}"
        if "format" not in query:
            seen = market["owner"].post(f"{at}/imports/preview{query}", raw=body, content_type=kind).expect(200)
            assert (seen["error_count"], seen["sample"]) == (0, {"text": KEPT_IN_FILES[0]}), form
        reply = market["owner"].post(f"{at}/imports{query}", raw=body, content_type=kind)
        assert reply.status == 201, (form, reply.body[:500])
        assert told_to_workers(market, batch, len(KEPT_IN_FILES)) == set(KEPT_IN_FILES), form


def told_to_workers(market: Market, batch: Batch, count: int) -> set[str]:
    """What a worker is shown, once all of it was shown to him."""
    assert Task.objects.filter(batch=batch).count() == count
    make.published(batch)
    seen: set[str] = set()
    while len(seen) < count:
        claim = market["worker"].post(f"worker/batches/{batch.public_id}/claim", {"count": 50})
        leases = claim.expect(201)["assignments"]
        seen |= {lease["data"]["text"] for lease in leases}
        answers = [{"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}} for lease in leases]
        market["worker"].post("worker/submissions", {"answers": answers}).expect(200)
    return seen


def test_files_of_a_zip_may_be_called_anything(market: Market) -> None:
    """Without a table a file is an item, and its name is its text."""
    named = {f"{text}.png" for text in KEPT_IN_FILES}
    names = {name for name in named if not any(part.startswith(".") for part in PurePosixPath(name).parts)}
    assert len(names) > 150
    pictures = {
        "data": [{"name": "text", "type": "text"}, {"name": "picture", "type": "image"}],
        "answer": make.INTERFACE["answer"],
    }
    batch = make.make_draft(make.make_project(market.requester, pictures))
    query = meaning({"data.text": "name", "data.picture": "file"})
    at, body = f"batches/{batch.public_id}", packed(dict.fromkeys(sorted(named), png_of(4, 4)))
    refused = market["owner"].post(f"{at}/imports{query}", raw=body, content_type=ZIP)
    assert (refused.status, "leads elsewhere" in refused.json["detail"]) == (422, True)
    body = packed(dict.fromkeys(sorted(names), png_of(4, 4)))
    market["owner"].post(f"{at}/imports{query}", raw=body, content_type=ZIP).expect(201)
    assert told_to_workers(market, batch, len(names)) == names


@pytest.mark.parametrize("kind", CORPUS)
def test_a_column_may_be_called_anything_and_is_mapped_by_its_name(market: Market, kind: str) -> None:
    """Looked at and taken, or refused in words; in a CSV and in JSON."""
    owner, taken = market["owner"], 0
    for number, text in enumerate(CORPUS[kind]):
        query = meaning({"data.text": text})
        bodies = {
            "text/csv": table_of([[text, "other"], [f"said {number}", "-"]]).encode(errors="replace"),
            "application/x-ndjson": json.dumps({text: f"also said {number}"}).encode(),
        }
        for content_type, body in bodies.items():
            batch = make.make_draft(market.project)
            for path in ("imports/preview", "imports"):
                reply = owner.post(f"batches/{batch.public_id}/{path}{query}", raw=body, content_type=content_type)
                assert reply.status in (200, 201, 400, 422), (text[:60], reply.body[:300])
                assert reply.headers["X-Content-Type-Options"] == "nosniff"
                assert reply.headers["Content-Type"] in ("application/json", "application/problem+json")
            assert Task.objects.filter(batch=batch).count() == (reply.status == 201)
            taken += reply.status == 201
    assert taken > len(CORPUS[kind]), "nearly all of them are names like others"


def test_a_hostile_config_of_label_studio_is_words_or_refused(market: Market) -> None:
    bombs = [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><View>&b;</View>',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><View><Text name="&e;" value="$t"/></View>',
        '<!DOCTYPE x SYSTEM "https://evil.example/x.dtd"><View/>',
        "<View>" * 100_000,
        "<View " + " ".join(f'a{n}="x"' for n in range(50_000)) + "/>",
        '<View xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></View>',
        '<?xml version="1.0" encoding="UTF-7"?>+ADw-View/>',
        '<View><Style>* {background: url(https://evil.example/)}</Style><Text name="t" value="$t"/></View>',
        '<View><HyperText name="t" value="$t" inline="true"/><Choices name="c" toName="t"/></View>',
    ]  # fmt: skip
    for config in [*TEXTS, *bombs]:
        reply = market["owner"].post("label-studio/interface", {"config": config})
        assert reply.status < 500, config[:80]
        assert "root:" not in reply.body.decode()
    for text in KEPT:
        label = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        config = (
            f'<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="{label}" '
            f'background="{label}" hotkey="{label}"/><Choice value="b"/></Choices></View>'
        )
        reply = market["owner"].post("label-studio/interface", {"config": config})
        assert reply.status in (200, 422), text


@pytest.mark.parametrize("name", [*CORPUS["file"][:3], CORPUS["html"][0], CORPUS["template"][-1], CORPUS["marks"][0]])
def test_what_is_downloaded_is_a_file_with_a_name_of_ours(market: Market, ids: Any, name: str) -> None:  # noqa: F811
    """Whatever things are called: saved, not shown, and never taken for something else."""
    for model in (Requester, Project, Batch):
        model.objects.update(name=name.replace("\0", "")[:200])
    saved = 0
    for path, route in ROUTES.items():
        may = route.methods.get("GET")
        if may is None or not may.own:
            continue
        reply = market[one_of(may)].get(path.format(**ids["own"]) + NEEDED.get(f"/api/v1/{path}", ""))
        kind = reply.headers.get("Content-Type", "").partition(";")[0]
        assert reply.headers["X-Content-Type-Options"] == "nosniff", path
        if reply.status != 200 or kind == "application/json":
            continue
        saved += 1
        assert kind in ("text/csv", "application/x-ndjson", "application/pdf", "application/zip", "application/xml"), (
            path
        )
        assert re.fullmatch(r'attachment; filename="[\w.-]+"', reply.headers["Content-Disposition"]), path
    assert saved > 4


# --- pages -------------------------------------------------------------------------------------------------------


def test_no_page_repeats_what_was_asked_as_markup(world: World) -> None:
    """Parameters and fields of forms that every page might read."""
    wrong = []
    names = ("next", "q", "email", "login", "since", "currency", "page", "cursor", "state", "name", "words")
    for turn, page in enumerate(pages()):
        gates = gates_of(line_of(page.path) or "GET anybody")
        for number in range(EACH // 4):
            text = TEXTS[(turn * (EACH // 4) + number) % len(TEXTS)].replace("\0", "")
            sent = dict.fromkeys(names, text)
            for method in {"GET", "POST"} & set(gates):
                client = world.client(allowed(gates[method]))
                with undone():
                    path = world.path(page)
                    answer = getattr(client, method.lower())(path, sent | {"form_key": "k" * 20})
                if answer.status_code >= 500:
                    wrong.append(f"{method} {page.path} {text[:60]!r}: {answer.status_code}")
                elif "html" in answer.get("Content-Type", ""):
                    wrong += [f"{method} {page.path}: {one}" for one in faults_of(answer.content.decode())]
                    if "Content-Security-Policy" not in answer:
                        wrong.append(f"{method} {page.path}: no policy")
                # As a browser reads it; a path may be called anything.
                leads = urljoin(f"https://here.example{path}", answer.get("Location", ""))
                if urlsplit(leads).netloc != "here.example":
                    wrong.append(f"{method} {page.path}: leads to {leads}")
    assert wrong == [], "\n".join(wrong[:50])


@pytest.mark.parametrize("kind", CORPUS)
def test_error_pages_say_nothing_that_was_asked(db: None, kind: str) -> None:
    client = Client(REMOTE_ADDR=Api().address, raise_request_exception=False)
    for text in CORPUS[kind]:
        named = quote(text.encode(errors="replace"), safe="")
        for path in (f"/{named}", f"/work/{named}", f"/console/{named}/", f"/static/{named}", f"/accounts/{named}/"):
            answer = client.get(path)
            assert answer.status_code in (302, 400, 404), (path, answer.status_code)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert faults_of(body.decode()) == []
            assert b"hit()" not in body
        problem = Caller("stranger").get(f"/api/v1/{named}")
        assert (problem.status, problem.headers["Content-Type"]) == (404, "application/problem+json")


def test_a_worker_sees_hostile_work_as_words(world: World) -> None:
    """The pages as they come from the server; what a browser makes of them is in tests/browser."""
    wrong = []
    for number, texts in enumerate(packs()):
        interface = interface_of(texts)
        project = make.make_project(world.market.requester, interface, instructions="\n\n".join(texts))
        batch = make.make_draft(project, name=texts[0][:200], overlap=2)
        make.add_rows(batch, [row_of(interface, texts, number)])
        make.published(batch)
        client = world.client("worker")
        for path in ("/work/", f"/work/batches/{batch.public_id}/", f"/work/batches/{batch.public_id}/do/"):
            answer = client.get(path)
            assert answer.status_code == 200, (path, answer.status_code)
            wrong += [f"{path} {number}: {one}" for one in faults_of(answer.content.decode())]
    assert wrong == []


def test_the_routes_of_the_api_are_all_asked(market: Market) -> None:
    asked = {(method, path) for path, method, _, _ in writes(market)}
    taking = {
        (method, path)
        for path, route in ROUTES.items()
        for method, may in route.methods.items()
        if may.body is not None and may.kind and may.content_type == "application/json"
    }
    # What takes bytes of its own form, signed by a provider.
    assert taking - asked == {("POST", "payouts/notices/{provider}")}
