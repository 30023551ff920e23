"""What rules did and whose answers are held back, and skills and lists of workers: looked at, and acted on by keys."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from marketplace.batches.models import Batch
from tests import factories as make
from tests.acts import in_one
from tests.api.test_quality_view import MISSES, answers
from tests.browser.accessibility import wider_than_window
from tests.browser.market import Market
from tests.console.test_rules_page import limited
from workers.assignments.commands.holds import hold_answers
from workers.assignments.origin import Origin
from workers.profiles.commands import pseudonym_for
from workers.profiles.commands.skills import create_skill
from workers.reputation.commands.apply import evaluate_due

pytestmark = [pytest.mark.stack, pytest.mark.browser]


@dataclass(frozen=True)
class Doubted:
    """A batch in which answers of one worker are held back, a rule held of another, and a third is limited."""

    owner: User
    batch: Batch
    held: str


def make_doubted() -> Doubted:
    batch = make.make_batch(6, overlap=2, quality={"rules": [MISSES]}, name="Pets in the park")
    owner, worker, other = make.owner_of(batch.requester), make.make_worker(), make.make_worker()
    make.answer(worker, make.take(worker, batch, 2))
    in_one(
        hold_answers,
        batch_id=batch.pk,
        worker_id=worker.pk,
        life=timedelta(days=5),
        reason="Four answers in a second.",
        origin=Origin(1),
    )
    in_one(answers, worker=other, batch=batch, scores=[0.0] * 6)
    in_one(evaluate_due)
    limited(worker, "batch", batch.pk, owner, "Please read the instructions again.")
    in_one(
        create_skill, requester_id=batch.requester_id, kind="qualification", name="Birds", description="Knows birds."
    )
    name = in_one(pseudonym_for, worker_id=worker.pk, requester_id=batch.requester_id)
    return Doubted(owner, batch, name)


@pytest.mark.parametrize(("width", "touch"), [(1280, False), (390, True)])
def test_doubt_is_looked_at_and_let_go_and_workers_come_onto_lists(
    market: Market,
    visit: Callable[..., Page],
    axe: Callable[[Page], None],
    shot: Callable[..., None],
    width: int,
    touch: bool,
) -> None:
    doubted: Any = market.beside(make_doubted)
    page = visit(doubted.owner, f"/console/batches/{doubted.batch.public_id}/", width=width, touch=touch)

    def looked_at(name: str) -> None:
        axe(page)
        assert wider_than_window(page) == []
        shot(page, f"doubt-{name}-{width}")

    page.get_by_role("link", name="See why").click()
    held = page.get_by_role("region", name="Answers held back")
    expect(held).to_contain_text("2 answers wait")
    expect(page.get_by_role("region", name="Rules that held of somebody")).to_contain_text("Too many wrong.")
    looked_at("rules")
    held.get_by_text("They are in order").click()
    held.get_by_label("Why are they in order?").fill("I looked at them.")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Held back no longer.")
    expect(held).to_contain_text("Nothing is held back.")
    limits = page.get_by_role("region", name="Whom you limit")
    limits.get_by_text("End it before its time").first.click()
    looked_at("lift")

    page.goto(page.url.partition("/console/")[0] + f"/console/{doubted.batch.requester.public_id}/workers/")
    looked_at("workers")
    page.get_by_role("link", name="Birds").click()
    page.get_by_label("Worker").fill(doubted.held)
    page.get_by_label("What it rests on").fill("Passed our exam.")
    page.get_by_role("button", name="Give it").click()
    expect(page.get_by_role("region", name="Who holds it")).to_contain_text(doubted.held)
    looked_at("skill")
    page.get_by_role("link", name="Workers: skills and lists").first.click()
    lists = page.get_by_role("region", name="Lists")
    lists.get_by_text("Make one").click()
    lists.get_by_label("Name").fill("Best")
    lists.get_by_role("button", name="Make it").click()
    page.get_by_label("Workers", exact=True).fill(doubted.held)
    page.get_by_role("button", name="Put them on it").click()
    expect(page.get_by_role("region", name="Who is on it")).to_contain_text(doubted.held)
    looked_at("list")
