"""Links to data sets: for whoever has them, for a while, and never more than that; and what formats would lose."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from marketplace.accounts.audit import audit_log
from marketplace.accounts.commands import change_role, remove_member
from marketplace.accounts.models import Act, Member
from marketplace.common.database import rows, run
from marketplace.common.transactions import one_transaction
from marketplace.results.models import Dataset, DatasetLink
from marketplace.results.tasks import build_datasets
from tests import factories as make
from tests.api.callers import Caller, caller_for
from tests.api.described import findings
from tests.results.test_datasets import labelled


@pytest.fixture
def made(committed: str) -> tuple[Caller, str]:
    batch, _ = labelled(4)
    caller = caller_for(batch.requester.members.get().user, "requester")
    path = f"batches/{batch.public_id}/datasets"
    caller.post(path, {"format": "jsonl"}).expect(202)
    assert caller.post(f"{path}/1/links", {}).code == "data-set-unfinished"
    build_datasets()
    return caller, path


def test_whoever_has_a_link_downloads_the_archive_until_it_ends(
    made: tuple[Caller, str], clock: Callable[[timedelta], None]
) -> None:
    caller, path = made
    whole = caller.get(f"{path}/1/archive").body
    link = caller.post(f"{path}/1/links", {"expires_in_s": 600})
    assert findings(link) == []
    address = link.expect(201)["address"].removeprefix("http://testserver")
    anybody = Caller("anybody")

    assert anybody.get(address).body == whole
    assert anybody.call("GET", address, headers={"Range": "bytes=5-"}).body == whole[5:]

    [told] = caller.get(f"{path}/1/links").expect(200)["results"]
    assert set(told) == {"id", "made_at", "expires_at", "ended_at", "used_at"}, "the address is shown once"
    assert address.split("/")[-2] not in str(rows("SELECT * FROM results_datasetlink"))
    clock(timedelta(seconds=601))
    assert anybody.get(address).status == 404


def test_a_link_that_was_ended_leads_nowhere_and_ends_once(made: tuple[Caller, str]) -> None:
    caller, path = made
    link = caller.post(f"{path}/1/links", {}).expect(201)
    ended = [caller.post(f"{path}/1/links/{link['id']}/end", {}) for _ in range(2)]
    assert findings(ended[0]) == []
    assert ended[0].expect(200)["ended_at"] == ended[1].expect(200)["ended_at"] is not None
    assert Caller("anybody").get(link["address"].removeprefix("http://testserver")).code == "not-found"
    assert DatasetLink.objects.get().ended_at is not None


def downloads() -> list[dict[str, Any]]:
    """What the audit log says of archives that were downloaded."""
    return list(Act.objects.filter(act="export.archive").order_by("pk").values_list("after", flat=True))


def test_a_link_opens_no_more_than_whoever_made_it_may(made: tuple[Caller, str]) -> None:
    caller, path = made
    requester = Dataset.objects.get().batch.requester
    user = make.make_user()
    member = Member.objects.create(requester=requester, user=user, role="manager")
    link = caller_for(user, "requester").post(f"{path}/1/links", {}).expect(201)
    owners = caller.post(f"{path}/1/links", {}).expect(201)
    anybody = Caller("anybody")

    def opens(one: Any) -> int:
        return anybody.get(one["address"].removeprefix("http://testserver")).status

    assert opens(link) == 200
    for role, status in (("reviewer", 404), ("viewer", 404), ("manager", 200), ("owner", 200)):
        with one_transaction(principal="test"):
            change_role(requester_id=requester.pk, member=user.public_id, role=role)
        assert opens(link) == status, role
    with one_transaction(principal="test"):
        remove_member(requester_id=requester.pk, member=user.public_id)
    assert (opens(link), opens(owners)) == (404, 200)
    # Of another organisation he may be what he likes.
    Member.objects.create(requester=make.make_requester(), user=user, role="owner")
    assert opens(link) == 404
    assert not Member.objects.filter(pk=member.pk).exists()


def test_a_link_of_a_closed_account_leads_nowhere(made: tuple[Caller, str]) -> None:
    caller, path = made
    link = caller.post(f"{path}/1/links", {}).expect(201)
    run("UPDATE accounts_user SET is_active = false WHERE id = %s", [DatasetLink.objects.get().made_by_id])
    assert Caller("anybody").get(link["address"].removeprefix("http://testserver")).status == 404


def test_whoever_has_a_link_writes_no_more_than_one_line_a_minute_into_the_log(
    made: tuple[Caller, str], clock: Callable[[timedelta], None], together: Callable[..., list[Any]]
) -> None:
    caller, path = made
    links = [caller.post(f"{path}/1/links", {}).expect(201) for _ in range(2)]
    addresses = [link["address"].removeprefix("http://testserver") for link in links]

    def pull(address: str) -> Callable[[], int]:
        piece = {"Range": "bytes=0-0"}
        return lambda: Caller("anybody").call("GET", address, headers=piece).status

    assert together([pull(addresses[0])] * 8) == [206] * 8
    for method in ("HEAD", "GET", "HEAD"):
        assert Caller("anybody").call(method, addresses[0]).status == 200
    assert downloads() == [{"version": 1, "from_byte": 0, "link": links[0]["id"]}]

    assert pull(addresses[1])() == 206, "another link has a line of its own"
    clock(timedelta(seconds=61))
    assert [pull(addresses[0])() for _ in range(3)] == [206] * 3
    assert [row["link"] for row in downloads()] == [links[0]["id"], links[1]["id"], links[0]["id"]]
    told = caller.get(f"{path}/1/links").expect(200)["results"]
    assert all(one["used_at"] is not None for one in told)
    assert audit_log().first_bad is None


@pytest.mark.parametrize(
    "change",
    [
        "SET expires_at = expires_at + interval '1 day'",
        "SET made_by_id = made_by_id + 1",
        "SET used_at = NULL",
        "SET used_at = used_at - interval '1 day'",
    ],
)
def test_a_link_is_used_and_ends_and_changes_in_nothing_else(
    made: tuple[Caller, str], as_owner: psycopg.Connection[Any], change: str
) -> None:
    caller, path = made
    link = caller.post(f"{path}/1/links", {}).expect(201)
    assert Caller("anybody").get(link["address"].removeprefix("http://testserver")).status == 200
    with pytest.raises(psycopg.errors.CheckViolation, match="changes in nothing else"):
        as_owner.execute(f"UPDATE results_datasetlink {change}")  # type: ignore[call-overload]


def test_formats_say_what_they_lose_before_anything_is_made(made: tuple[Caller, str]) -> None:
    caller, path = made
    reply = caller.get(path.replace("datasets", "formats"))
    assert findings(reply) == []
    told: dict[str, Any] = {one["name"]: one for one in reply.expect(200)["results"]}
    assert (told["jsonl"]["possible"], told["jsonl"]["losses"]) == (True, [])
    assert told["coco"]["possible"] is False and "can say anything" in told["coco"]["why"]


def test_data_sets_of_a_project_name_their_batches(made: tuple[Caller, str]) -> None:
    caller, path = made
    batch = caller.get(path.removesuffix("/datasets")).expect(200)
    reply = caller.get(f"projects/{batch['project']}/datasets")
    assert findings(reply) == []
    [one] = reply.expect(200)["results"]
    assert (one["number"], one["batch"], one["batch_name"], one["state"]) == (1, batch["id"], batch["name"], "done")
