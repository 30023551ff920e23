"""Projects: begun from a template, written as drafts, published, compared, and which answers are stale."""

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from marketplace.accounts.models import Requester
from marketplace.common.transactions import one_transaction
from marketplace.projects.commands import add_version, publish_version
from marketplace.projects.models import Project, Version
from marketplace.projects.starters import starters
from marketplace.web.views import projects, versions
from tests import factories as make
from tests.console.members_of import browser_of
from tests.web.visitors import key_in, text_of

pytestmark = pytest.mark.django_db
CONFIG = '<View><Text name="t" value="$text"/><Rating name="stars" toName="t"/></View>'


def draft_of(project: Project, **changes: Any) -> Version:
    with one_transaction(principal="test"):
        return add_version(
            project_id=project.pk, **{"interface": make.INTERFACE, "instructions": "Look twice.", **changes}
        )


def at(name: str, project: Project, *more: Any) -> str:
    return reverse(f"console_{name}", args=[project.public_id, *more])


def begun(client: Client, requester: Requester, **said: str) -> Any:
    path = reverse("console_project_new", args=[requester.public_id])
    return client.post(path, {"form_key": key_in(client.get(path)), "name": "Moods", **said})


@pytest.mark.parametrize("name", starters())
def test_every_template_begins_a_project(name: str) -> None:
    requester = make.make_requester()
    client = browser_of(requester, "manager")

    done = begun(client, requester, starter=name)

    project = Project.objects.get(requester=requester)
    assert (done.status_code, done.url) == (303, at("version", project, 1))
    version = project.versions.get()
    assert (version.published_at, version.instructions) == (None, starters()[name].instructions)
    assert version.interface["answer"][0]["type"] == name
    page = client.get(done.url)
    assert page.status_code == 200
    assert "This is your draft." in text_of(page)


def test_a_labelling_config_of_label_studio_begins_one_too() -> None:
    requester = make.make_requester()
    client = browser_of(requester)
    wrong = begun(client, requester, starter="label-studio", config="<View>")
    assert wrong.status_code == 422
    assert "Is not XML" in text_of(wrong)
    assert "Paste the config here." in text_of(begun(client, requester, starter="label-studio"))
    assert begun(client, requester, starter="label-studio", config=CONFIG).status_code == 303
    assert Version.objects.get().interface["answer"][0]["name"] == "stars"


def test_what_is_missing_is_said_at_its_field() -> None:
    requester = make.make_requester()
    client = browser_of(requester)
    assert "Choose what to begin with." in text_of(begun(client, requester))
    assert "This field is required." in text_of(begun(client, requester, starter="choice", name=""))
    assert Project.objects.count() == 0


@pytest.mark.parametrize("role", ["reviewer", "viewer"])
def test_who_is_no_manager_looks_and_changes_nothing(role: str) -> None:
    project = make.make_project()
    draft_of(project)
    client = browser_of(project.requester, role)

    for path in (at("project", project), at("version", project, 1), at("version", project, 2),
                 at("version_changes", project, 2)):  # fmt: skip
        assert client.get(path).status_code == 200
    assert "Save the draft" not in text_of(client.get(at("version", project, 2)))
    assert client.get(reverse("console_project_new", args=[project.requester.public_id])).status_code == 403
    form = {"form_key": "k" * 20, "interface": "{}", "instructions": "", "made_from": "x", "name": "N", "from": "1"}
    for path in (at("version", project, 2), at("version_publish", project, 2), at("version_new", project),
                 at("project", project)):  # fmt: skip
        assert client.post(path, form).status_code == 403
    assert [one.number for one in project.versions.exclude(published_at=None)] == [1]
    project.refresh_from_db()
    assert project.name == "Pets"


def test_another_organisations_project_is_not_there() -> None:
    project = make.make_project()
    client = browser_of(make.make_requester())
    for path in (at("project", project), at("version", project, 1), at("version_changes", project, 1)):
        assert client.get(path).status_code == 404


def saved(client: Client, project: Project, number: int, interface: Any, **more: str) -> Any:
    path = at("version", project, number)
    version = project.versions.get(number=number)
    text = interface if isinstance(interface, str) else json.dumps(interface)
    form = {"form_key": "k" * 20, "interface": text, "instructions": "Look.\r\nTwice.", "then": "save"}
    return client.post(path, {**form, "made_from": version.fingerprint, **more})


def test_a_draft_is_saved_and_read_again() -> None:
    project = make.make_project()
    draft_of(project)
    client = browser_of(project.requester)
    interface = {**make.INTERFACE, "data": []}

    done = saved(client, project, 2, interface)

    assert (done.status_code, done.url) == (303, at("version", project, 2))
    version = project.versions.get(number=2)
    assert (version.interface["data"], version.instructions) == ([], "Look.\nTwice.")
    assert saved(client, project, 2, interface, then="publish", form_key="l" * 20).url == (
        at("version_publish", project, 2)
    )


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('{"answer": [', "not valid JSON"),
        ('{"answer": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ({"data": [], "answer": []}, "must be a list of 1 to 100 fields"),
        ({"answer": [{"name": "l", "type": "choice", "labels": [{"value": "a"}, {"value": "a"}]}]},
         "is the value of another label too"),
    ],
)  # fmt: skip
def test_mistakes_are_told_and_what_was_written_is_kept(written: Any, words: str) -> None:
    project = make.make_project()
    before = draft_of(project).fingerprint
    refused = saved(browser_of(project.requester), project, 2, written, instructions="Kept <b>words</b>")

    assert refused.status_code == 422
    assert words in text_of(refused)
    assert "Kept &lt;b&gt;words&lt;/b&gt;" in refused.content.decode()
    assert project.versions.get(number=2).fingerprint == before


def test_nobodys_words_are_written_over_unseen() -> None:
    project = make.make_project()
    draft = draft_of(project)
    first, second = browser_of(project.requester), browser_of(project.requester, "manager")
    assert saved(first, project, 2, make.INTERFACE).status_code == 303

    refused = saved(second, project, 2, make.INTERFACE, made_from=draft.fingerprint, instructions="Mine.")

    assert refused.status_code == 422
    assert "Somebody else saved this draft after you opened it." in text_of(refused)
    assert "Mine." in refused.content.decode()
    assert project.versions.get(number=2).instructions == "Look.\nTwice."


def test_a_published_version_is_shown_and_refuses_to_be_written() -> None:
    project = make.make_project()
    client = browser_of(project.requester)
    page = client.get(at("version", project, 1))
    assert "Say which animal it is." in text_of(page)
    assert "Save the draft" not in text_of(page)
    refused = saved(client, project, 1, make.INTERFACE)
    assert refused.status_code == 422
    assert "This version is published and stays as it is" in text_of(refused)


def test_publishing_says_what_it_means_and_marks_the_answers_before_it() -> None:
    batch = make.make_batch(4, name="Night shift")
    project, worker = batch.project, make.make_worker()
    make.answer(worker, make.take(worker, batch, 3))
    client = browser_of(batch.requester)
    labels = [{"value": "cat", "title": "Kitten"}, {"value": "dog", "title": "Dog"}]
    draft_of(project, interface={"data": make.INTERFACE["data"],
                                 "answer": [{**make.INTERFACE["answer"][0], "labels": labels}]})  # fmt: skip
    assert "None: all answers were given under the latest version." in text_of(client.get(at("project", project)))
    asked = client.get(at("version_publish", project, 2))
    assert "3 answers that were given under earlier versions stay as they are" in text_of(asked)
    assert "Kitten" in text_of(asked)

    done = client.post(at("version_publish", project, 2), {"form_key": key_in(asked)})

    assert (done.status_code, done.url) == (303, at("project", project))
    assert project.versions.get(number=2).published_at is not None
    page = text_of(client.get(done.url))
    assert "3 of 3 answers were given under a version that is not the latest" in page
    assert "Version 1: 3 answers" in page
    assert "Night shift 3 answers" in page
    assert client.get(at("version_publish", project, 2)).url == at("version", project, 2)


def test_publishing_says_what_workers_could_not_make_sense_of() -> None:
    requester = make.make_requester()
    project = make.make_project(requester)
    twice = [{"value": "a", "title": "Cat"}, {"value": "b", "title": "cat"}, {"value": "c", "title": "Dog"}]
    tree = [{"value": "x", "children": [{"value": "y", "title": "Fish"}, {"value": "z", "title": "Fish"}]}]
    draft_of(project, interface={"answer": [
        {"name": "animal", "type": "choice", "title": "Which?", "labels": twice},
        {"name": "kind", "type": "taxonomy", "tree": tree},
        {"name": "much", "type": "rating", "title": "How much?", "labels": ["No", "Some", "No", "All", "Most"]},
    ]})  # fmt: skip
    said = text_of(browser_of(requester).get(at("version_publish", project, 2)))
    assert "“Which?” has two labels that are called “cat”." in said
    assert "A question has no words: workers see “kind”. “kind” has two labels that are called “Fish”." in said
    assert "How much?" not in said.split("Publish it")[0]


def test_two_versions_are_compared_in_words() -> None:
    project = make.make_project()
    labels = [{"value": "dog", "title": "Dog", "definition": "Any <i>dog</i>."}, {"value": "cat", "title": "Cat"}]
    draft_of(project, interface={"data": [], "answer": [{**make.INTERFACE["answer"][0], "labels": labels}]})
    page = browser_of(project.requester).get(at("version_changes", project, 2))
    text = text_of(page)

    assert "new Questions › “label” › labels › “dog” › definition" in text
    assert "Any &lt;i&gt;dog&lt;/i&gt;." in page.content.decode()
    assert "changed Questions › “label” › labels › order" in text
    assert "gone What is shown › “text”" in text
    assert "Gone: Say which animal it is." in text
    assert "New: Look twice." in text
    assert browser_of(project.requester).get(at("version_changes", project, 2) + "?since=9").status_code == 404
    assert browser_of(project.requester).get(at("version_changes", project, 2) + "?since=a").status_code == 404


def test_a_new_draft_begins_as_the_version_that_it_is_made_from_once() -> None:
    project = make.make_project()
    client = browser_of(project.requester, "manager")
    form = {"form_key": "k" * 20, "from": "1"}
    replies = [client.post(at("version_new", project), form) for _ in range(2)]
    assert {(reply.status_code, reply.url) for reply in replies} == {(303, at("version", project, 2))}
    first, second = project.versions.order_by("number")
    assert (second.fingerprint, second.published_at) == (first.fingerprint, None)
    assert client.post(at("version_new", project), {"form_key": "l" * 20, "from": "7"}).status_code == 404


def test_a_project_is_renamed_by_managers() -> None:
    project = make.make_project()
    client = browser_of(project.requester, "manager")
    assert client.post(at("project", project), {"form_key": "k" * 20, "name": "Beasts"}).status_code == 303
    assert "Beasts" in text_of(client.get(reverse("console_projects", args=[project.requester.public_id])))


def test_the_list_says_which_version_counts_and_how_many_batches_there_are() -> None:
    project = make.make_project()
    make.make_draft(project)
    client = browser_of(project.requester, "viewer")
    listed = reverse("console_projects", args=[project.requester.public_id])
    assert "Pets version 1 1 batch" in text_of(client.get(listed))
    draft = draft_of(project)
    with one_transaction(principal="test"):
        publish_version(project=project, number=draft.number)
    assert "Pets version 2 1 batch" in text_of(client.get(listed))


def test_a_project_leads_to_its_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "BATCHES_SHOWN", 2)
    requester = make.make_requester()
    project = make.make_project(requester)
    client, page = browser_of(requester, "viewer"), at("project", project)
    assert "Batches There are none yet." in text_of(client.get(page))
    hidden, draft, open_one = (make.make_draft(project, name=name) for name in ("Oldest", "A draft", "An open one"))
    make.add_rows(open_one, make.rows(1))
    make.published(open_one)

    shown = client.get(page).content.decode()

    assert f'href="{reverse("console_batch_setup", args=[draft.public_id])}"' in shown
    assert f'href="{reverse("console_batch", args=[open_one.public_id])}"' in shown
    assert str(hidden.public_id) not in shown
    assert f'href="{reverse("console_batches", args=[requester.public_id])}?project={project.public_id}"' in shown
    assert "An open one Running" in text_of(client.get(page))


def following(page: Any) -> str:
    found = re.search(r'href="(\?[^"]*)" rel="next"', page.content.decode())
    return found[1].replace("&amp;", "&") if found else ""


def whole_versions_read(client: Client, path: str) -> int:
    """How many statements of a page read what versions say."""
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    return sum('"instructions"' in one["sql"] for one in asked)


def test_projects_come_page_by_page_and_none_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "PROJECTS_SHOWN", 2)
    requester = make.make_requester()
    made = [make.make_project(requester) for _ in range(5)]
    draft_of(made[0])
    client = browser_of(requester, "viewer")
    listed = reverse("console_projects", args=[requester.public_id])

    seen, address = [], listed
    while address:
        page = client.get(address)
        seen.append(re.findall(r'href="/console/projects/([0-9a-f-]{36})/"', page.content.decode()))
        address = following(page) and listed + following(page)

    newest_first = [str(one.public_id) for one in reversed(made)]
    assert seen == [newest_first[:2], newest_first[2:4], newest_first[4:]]
    assert whole_versions_read(client, listed) == 0


def test_versions_come_page_by_page_and_none_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "VERSIONS_SHOWN", 3)
    project = make.make_project()
    for _ in range(6):
        draft_of(project)
    client, path = browser_of(project.requester), at("project", project)

    first = client.get(path)
    second = client.get(path + following(first))
    third = client.get(path + following(second))

    shown = [re.findall(r"Version (\d)", text_of(re.search("<tbody>.*?</tbody>", page.content.decode(), re.DOTALL)[0]))  # type: ignore[index]
             for page in (first, second, third)]  # fmt: skip
    assert shown == [["7", "6", "5"], ["4", "3", "2"], ["1"]]
    assert following(third) == ""
    # What is published is known on every page.
    assert "Nothing is published yet" not in text_of(first) and "New batch" in text_of(first)
    assert whole_versions_read(client, path) == 0


def test_of_many_versions_two_are_read_to_compare_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "OTHERS_SHOWN", 2)
    project = make.make_project()
    for _ in range(4):
        draft_of(project)
    client, path = browser_of(project.requester), at("version_changes", project, 5)

    assert whole_versions_read(client, path) == 2
    page = client.get(f"{path}?since=1").content.decode()
    assert re.findall(r'<option value="(\d)"( selected)?>', page) == [("4", ""), ("3", ""), ("1", " selected")]
