"""What a curator and a requester ask is understood, and what they note is what is stored."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from marketplace.results.tasks import build_datasets
from tests import factories as make
from tests.api.callers import Caller, caller_for
from tests.conftest import owner_connection
from tests.torture import sql
from tests.torture.actors.curator import Curator
from tests.torture.actors.requester import SIDE_TASKS, Requester
from tests.torture.checkers import stored
from tests.torture.compare import Stored, compare
from tests.torture.journal import Fact, Journals
from tests.torture_tests.asking import asks


@pytest.fixture
def owner(committed: str) -> Caller:
    """Whose projects are empty yet."""
    return caller_for(make.owner_of(make.make_requester()), "requester")


def project_of(owner: Caller) -> Any:
    """A project of his."""
    from marketplace.accounts.models import Requester as Organisation

    return make.make_project(Organisation.objects.get())


def ended(folder: Path) -> tuple[list[Fact], Stored, list[Any]]:
    """What was noted and what is stored; and batches that have other tasks than were imported."""
    facts = Journals(folder).read_on()
    assert [fact for fact in facts if fact["did"] in ("wrong", "surprise")] == []
    with owner_connection(settings.DATABASES["default"]["NAME"]) as database:
        now, half = stored(database), database.execute(sql.HALF_IMPORTS).fetchall()
    assert compare(facts, now) == []
    return facts, now, half


def test_a_curator_settles_labels_and_shares_what_he_downloaded(owner: Caller, tmp_path: Path) -> None:
    batch = make.make_batch(4, project=project_of(owner), name="main 0", overlap=1)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 4))
    at = f"batches/{batch.public_id}"
    given = [row["id"] for row in owner.get(f"{at}/answers").expect(200)["results"]]
    owner.post(f"{at}/answers/accept", {"answers": given}).expect(200)
    curator: Any = object.__new__(Curator)
    curator.runs, curator.made, curator.known, curator.settled = [], [], {}, 0
    curator.shared = curator.dead_links = 0
    asks(curator, "curator", owner, tmp_path)

    curator.aggregate()
    curator.asked(*curator.draft())
    build_datasets()
    curator.fetch_old()
    for _ in range(12):
        curator.settle()
        curator.share()

    facts, now, _ = ended(tmp_path)
    links = [fact for fact in facts if fact["did"] == "link"]
    assert {(fact["used"], fact["ended"]) for fact in links} == {(False, False), (True, False), (False, True)}
    assert len(now.links) == 12 and all(used for *_, used in now.links.values())
    assert sum(gone for *_, gone, _used in now.links.values()) == curator.dead_links > 0
    assert len(now.adjudications) == 12 and {one.answer is None for one in now.adjudications.values()} == {True, False}


def test_a_requester_begins_with_a_pilot_and_no_item_is_lost_on_the_way(owner: Caller, tmp_path: Path) -> None:
    requester: Any = object.__new__(Requester)
    requester.project, requester.made, requester.sides = str(project_of(owner).public_id), 0, []
    requester.stage = SimpleNamespace(time_limit_s=6, auto_accept_s=10, max_attempts=6)
    asks(requester, "requester", owner, tmp_path)

    for _ in range(6):
        requester.sides = []
        requester.pilot()

    facts, now, half = ended(tmp_path)
    pilots = [fact for fact in facts if fact["did"] == "pilot"]
    assert len(now.pilots) == len(pilots) == 6 and all(0 < fact["items"] < SIDE_TASKS for fact in pilots)
    assert {now.batches[fact["draft"]][0] for fact in pilots} == {"published", "cancelled"}
    assert half == [], "what has left a draft for its pilot counts as imported"
