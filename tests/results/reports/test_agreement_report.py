"""What a report says of agreement: by label, worker, version and time; and for every type of answer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random

import numpy as np
import pytest

from marketplace.aggregation.agreement.krippendorff import krippendorff_alpha
from marketplace.aggregation.agreement.units import Units
from marketplace.common.lots import lot
from marketplace.projects.answer_types.registry import answer_type
from marketplace.results.reports import agreement
from marketplace.results.reports.agreement import field_agreement
from marketplace.results.reports.figures import Said

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LABELS = [{"value": value} for value in ("cat", "dog", "fox")]
BOX = {"x": 10, "y": 10, "width": 40, "height": 40}


def declared(**field):
    return answer_type(field["type"]).check_field({"name": "it", **field})


def said(task, worker, value, *, version=1, at=NOON):
    return Said(task, worker, version, at, {"it": value})


CHOICE = declared(type="choice", labels=LABELS)


def crowd(tasks=60, workers=3, right=0.8, seed=1, labels=("cat", "dog", "fox")):
    chance = Random(seed)
    answers = []
    for task in range(tasks):
        truth = chance.choice(labels)
        for worker in range(workers):
            value = truth if chance.random() < right else chance.choice([label for label in labels if label != truth])
            answers.append(said(task, worker, value))
    return answers


def test_labels_are_compared_as_names_and_alpha_is_krippendorffs():
    answers = crowd()
    found = field_agreement(CHOICE, answers)
    code = [["cat", "dog", "fox"].index(one.values["it"]) for one in answers]
    units = Units.of([one.task_id for one in answers], [one.worker_id for one in answers], np.array(code, float))
    assert (found.level, found.tasks, found.compared, found.answers) == ("nominal", 60, 60, 180)
    assert found.figures["krippendorff"].value == krippendorff_alpha(units)
    assert set(found.figures) == {"agreement", "krippendorff", "fleiss", "cohen"}
    for name in ("agreement", "krippendorff", "fleiss"):
        figure = found.figures[name]
        assert figure.low < figure.value < figure.high


def test_the_same_answers_in_any_order_make_the_same_report():
    answers = crowd()
    turned = answers[:]
    Random(3).shuffle(turned)
    assert field_agreement(CHOICE, turned) == field_agreement(CHOICE, answers)


def test_low_agreement_points_to_the_instructions_and_names_what_is_confused():
    answers = [said(task, worker, "fox" if task % 2 else ("cat", "dog")[worker]) for task in range(40)
               for worker in range(2)]  # fmt: skip
    found = field_agreement(CHOICE, answers)
    assert found.words == "fair" and found.figures["krippendorff"].value < 0.6
    assert found.advice.startswith("Agreement is fair (0.")
    assert "below 0.6: look at the instructions first." in found.advice
    assert "“cat” and “dog” (20)" in found.advice
    [confusion] = found.confused
    assert (confusion.one, confusion.other, confusion.pairs, confusion.share) == ("cat", "dog", 20, 0.5)
    assert confusion.task_ids == (0, 2, 4)


def test_high_agreement_asks_for_nothing():
    found = field_agreement(CHOICE, crowd(right=1.0))
    assert (found.words, found.advice, found.confused) == ("almost perfect", "", ())


def test_the_label_that_nobody_agrees_about_stands_out():
    answers = [said(task, worker, "fox" if task % 2 else ("cat", "dog")[worker]) for task in range(40)
               for worker in range(2)]  # fmt: skip
    by_label = {one.label: one for one in field_agreement(CHOICE, answers).classes}
    assert by_label["fox"].agreement.value == by_label["fox"].alpha.value == 1.0
    assert by_label["cat"].agreement.value == 0.0 and by_label["cat"].alpha.value < 0
    assert [by_label[label].given for label in ("fox", "cat", "dog")] == [40, 20, 20]


def test_a_worker_who_answers_at_random_is_beside_the_others_and_below_them():
    chance = Random(5)
    answers = crowd(right=0.95)
    answers += [said(task, 9, chance.choice(["cat", "dog", "fox"])) for task in range(60)]
    found = field_agreement(CHOICE, answers)
    by_worker = {one.worker_id: one for one in found.workers}
    assert by_worker[9].alpha < 0.2 < 0.4 < min(by_worker[good].alpha for good in range(3))
    assert {one.tasks for one in found.workers} == {60}
    pairs = {(one.one, one.other): one for one in found.pairs}
    assert len(pairs) == 6
    assert pairs[0, 9].kappa < 0.3 < pairs[0, 1].kappa


def by_lot(key, workers):
    return sorted(workers, key=lambda worker: lot(key, worker))


def test_workers_who_are_alike_stand_by_lot_and_not_by_their_accounts():
    answers = [said(task, worker, "cat") for task in range(3) for worker in range(9)]
    plain = field_agreement(CHOICE, answers)
    orders = []
    for key in ("a batch", "another"):
        found = field_agreement(CHOICE, answers, lots=key)
        orders.append([one.worker_id for one in found.workers])
        # The two of a pair would tell their order as the rows do.
        assert [(one.one, one.other) for one in found.pairs] == list(combinations(orders[-1], 2))
        assert replace(found, workers=plain.workers, pairs=plain.pairs) == plain
    assert orders == [by_lot("a batch", range(9)), by_lot("another", range(9))]
    assert len({tuple(order) for order in (*orders, range(9), range(8, -1, -1))}) == 4


def test_who_has_more_tasks_comes_first_all_the_same():
    answers = [said(task, worker, "cat") for worker in range(9) for task in range(2 if worker == 4 else 1)]
    answers += [said(1, 8, "cat")]
    found = field_agreement(CHOICE, answers, lots="a batch")
    assert [one.worker_id for one in found.workers] == [
        *by_lot("a batch", [4, 8]),
        *by_lot("a batch", set(range(9)) - {4, 8}),
    ]
    first = found.pairs[0]
    assert ({first.one, first.other}, first.tasks) == ({4, 8}, 2)


def test_whom_there_is_no_room_for_is_decided_by_lot_too(monkeypatch):
    monkeypatch.setattr(agreement, "WORKERS_MAX", 4)
    monkeypatch.setattr(agreement, "PAIRS_MAX", 5)
    answers = [said(task, worker, "cat") for task in range(3) for worker in range(9)]
    found = field_agreement(CHOICE, answers, lots="a batch")
    order = by_lot("a batch", range(9))
    assert [one.worker_id for one in found.workers] == order[:4]
    assert [(one.one, one.other) for one in found.pairs] == [(order[0], other) for other in order[1:6]]


def test_alpha_of_the_workers_together_is_that_of_all():
    found = field_agreement(CHOICE, crowd())
    assert np.mean([one.alpha for one in found.workers]) == pytest.approx(found.figures["krippendorff"].value)


def test_new_instructions_show_in_the_version_and_in_time():
    before = [said(task, worker, ("cat", "dog")[worker], version=1) for task in range(20) for worker in range(2)]
    later = NOON + timedelta(days=2)
    after = [said(100 + task, worker, ("cat", "dog")[task % 2], version=2, at=later) for task in range(20)
             for worker in range(2)]  # fmt: skip
    found = field_agreement(CHOICE, before + after)
    assert [(one.version, one.tasks, one.agreement.value) for one in found.versions] == [(1, 20, 0.0), (2, 20, 1.0)]
    assert [one.alpha.value for one in found.versions] == [pytest.approx(-0.95), 1.0]
    first, second = found.periods
    assert (first.agreement.value, second.agreement.value) == (0.0, 1.0)
    assert first.since <= NOON < first.until <= later
    assert second.since <= later < second.until


def test_answers_under_two_versions_are_not_compared_with_each_other_there():
    answers = [said(task, worker, "cat", version=1 + worker) for task in range(5) for worker in range(2)]
    found = field_agreement(CHOICE, answers)
    assert found.tasks == 5
    assert [(one.tasks, one.agreement.value) for one in found.versions] == [(0, None), (0, None)]


def test_one_worker_one_label_and_no_answers_are_stated_and_not_guessed():
    alone = field_agreement(CHOICE, [said(task, 1, "cat") for task in range(5)])
    assert (alone.tasks, alone.answers, alone.words) == (0, 5, "unknown")
    assert alone.figures["agreement"].value is None and alone.workers == alone.pairs == alone.periods == ()
    same = field_agreement(CHOICE, [said(task, worker, "cat") for task in range(5) for worker in range(2)])
    assert same.figures["agreement"].value == 1.0
    assert same.figures["krippendorff"].value is None and same.advice == ""
    assert field_agreement(CHOICE, []).answers == 0


def test_ratings_are_points_in_an_order_and_numbers_have_distances():
    rating, number = declared(type="rating"), declared(type="number", tolerance=1)
    answers = [said(task, worker, 1 + (task + worker // 2) % 5) for task in range(30) for worker in range(3)]
    units = Units.of([one.task_id for one in answers], [one.worker_id for one in answers],
                     [float(one.values["it"]) for one in answers])  # fmt: skip
    for field, level in ((rating, "ordinal"), (number, "interval")):
        found = field_agreement(field, answers)
        assert found.level == level
        assert found.figures["krippendorff"].value == pytest.approx(krippendorff_alpha(units, level))
        assert found.classes == found.confused == ()
        assert np.mean([one.alpha for one in found.workers]) == pytest.approx(found.figures["krippendorff"].value)
    assert 0 < found.figures["agreement"].value < 1


def test_boxes_are_compared_by_their_overlap_and_confused_labels_are_those_at_one_place():
    field = declared(type="boxes", of="photo", labels=LABELS, width=200, height=200)
    cat, dog = {"label": "cat", **BOX}, {"label": "dog", **BOX}
    moved = {**cat, "x": 20}
    answers = [said(1, 1, [cat]), said(1, 2, [cat]), said(2, 1, [cat]), said(2, 2, [moved]),
               said(3, 1, [cat]), said(3, 2, [dog]), said(4, 1, []), said(4, 2, [])]  # fmt: skip
    found = field_agreement(field, answers)
    assert found.level == "score"
    iou = 30 * 40 / (2 * 40 * 40 - 30 * 40)
    # Where nobody marked anything, there is nothing to overlap; that they agree is in the score.
    assert found.figures["agreement"].value == 3 / 4
    assert found.figures["iou"].value == pytest.approx((1 + iou + 0) / 3)
    assert found.figures["dice"].value == pytest.approx((1 + 2 * iou / (1 + iou) + 0) / 3)
    assert found.figures["f1_50"].value == pytest.approx(2 / 3)
    assert [(one.one, one.other, one.pairs, one.task_ids) for one in found.confused] == [("cat", "dog", 1, (3,))]
    assert {one.label: (one.given, one.agreement.value) for one in found.classes} == {
        "cat": (5, pytest.approx(4 / 5)), "dog": (1, 0.0),
    }  # fmt: skip


def test_texts_have_error_rates_and_their_alpha_is_by_score():
    field = declared(type="text", partial=True, max_length=200)
    animals = ["cat", "zebra", "rhinoceros", "owl", "wolf"]
    answers = [said(task, worker, " ".join([animals[task % 5]] * 5) + " down" * worker) for task in range(10)
               for worker in range(2)]  # fmt: skip
    found = field_agreement(field, answers)
    assert found.figures["word_error_rate"].value == pytest.approx(1 / 6)
    alpha = found.figures["krippendorff"]
    assert 0 < alpha.low < alpha.value < alpha.high < 1
    assert found.figures["score"].value > 0.7
    assert found.level == "score" and found.confused == ()


def test_several_labels_and_orders_are_compared_by_their_types_own_score():
    several = declared(type="choice", labels=LABELS, multiple=True)
    found = field_agreement(several, [said(task, worker, ["cat", "dog"][: 1 + worker * (task % 2)])
                                      for task in range(10) for worker in range(2)])  # fmt: skip
    assert found.level == "score"
    assert {one.label: one.agreement.value for one in found.classes} == {"cat": 1.0, "dog": 0.0}


def test_long_answers_are_compared_for_a_part_of_the_tasks_and_the_report_says_so():
    field = declared(type="text", partial=True, max_length=5_000)
    words = Random(2)
    answers = [said(task, worker, " ".join(words.choices(["cat", "dog", "fox"], k=400))) for task in range(60)
               for worker in range(2)]  # fmt: skip
    found = field_agreement(field, answers, work=100_000_000)
    assert found.tasks == 60 and 20 <= found.compared < 60
    assert found == field_agreement(field, answers[::-1], work=100_000_000)


@pytest.mark.parametrize("seed", range(3))
def test_by_score_unanimous_answers_agree_fully(seed):
    field = declared(type="text", partial=True, max_length=100)
    answers = [said(task, worker, f"text {task} {seed}") for task in range(8) for worker in range(3)]
    found = field_agreement(field, answers)
    assert found.figures["krippendorff"].value == found.figures["agreement"].value == 1.0
    assert found.words == "almost perfect"
