"""What is particular to polygons, lines, skeletons and cuboids."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.geometry.points import skeleton_likeness
from marketplace.projects.answer_types.base import AnswerTable, FieldInvalid, ValueRefused
from marketplace.projects.answer_types.parts import Keypoints, Polygon, Visibility
from marketplace.projects.answer_types.registry import answer_type

LABELS = [{"value": "cat"}, {"value": "dog"}]
HUMAN = {"points": ["nose", "left_eye", "right_eye"], "edges": [["nose", "left_eye"], ["nose", "right_eye"]]}


def field(kind, **options):
    options.setdefault("labels", LABELS)
    return answer_type(kind).check_field({"name": "it", "type": kind, "of": "picture", **options})


def clean(declared, value):
    return answer_type(declared["type"]).clean(declared, value)


def refusal(declared, value):
    with pytest.raises(ValueRefused) as caught:
        clean(declared, value)
    return caught.value.message


def result(declared, values):
    table = AnswerTable([0] * len(values), range(len(values)), values, 1)
    return answer_type(declared["type"]).aggregate(declared, table, "clusters").results[0]


def shape(*points, label="cat"):
    return [{"label": label, "points": [list(point) for point in points]}]


# Polygons


@given(st.integers(0, 3), st.booleans(), st.booleans())
def test_a_polygon_is_the_same_value_from_any_point_in_any_direction_closed_or_not(first, turned, closed):
    corners = [[10, 5], [20, 5], [20, 15], [10, 15]]
    given_ = corners[first:] + corners[:first]
    given_ = given_[::-1] if turned else given_
    given_ = [*given_, given_[0]] if closed else given_

    assert clean(field("polygons"), shape(*given_)) == shape(*corners)


def test_a_polygon_that_meets_itself_is_refused_with_the_sides_that_do():
    declared = field("polygons")

    assert refusal(declared, shape((0, 0), (10, 10), (10, 0), (0, 10))) == (
        "polygon 1: its sides from point 1 and from point 3 cross or touch; it must not meet itself"
    )
    assert "must not meet itself" in refusal(declared, shape((0, 0), (5, 0), (10, 0)))
    assert "must not meet itself" in refusal(declared, shape((0, 0), (10, 0), (10, 10), (5, 0), (0, 10)))
    # What crosses by less than what is kept of it does not cross.
    assert clean(declared, shape((0, 0), (10, 0), (10, 10), (0, 10), (-0.0, 5)))


def test_a_polygon_has_enough_points_and_size():
    declared = field("polygons", min_size=4)

    assert refusal(declared, shape((0, 0), (10, 0))) == "polygon 1: must have at least 3 different points"
    assert refusal(declared, shape((0, 0), (10, 0), (10, 0.001), (0, 0))).startswith("polygon 1: must have 3 to 1000")
    assert refusal(declared, shape((0, 0), (10, 0), (0, 3.99))) == "polygon 1: must be at least 4 pixels wide and high"
    assert clean(declared, shape((0, 0), (0, 4), (4, 0), (4, 0))) == shape((0, 0), (4, 0), (0, 4))
    assert "a list of [x, y]" in refusal(declared, [{"label": "cat", "points": "abc"}])
    assert "a list of [x, y]" in refusal(declared, shape((0, 0, 0), (1, 1, 1), (2, 0, 0)))
    ring = [(50 + 40 * math.cos(at / 1001 * math.tau), 50 + 40 * math.sin(at / 1001 * math.tau)) for at in range(1001)]
    assert "points" in refusal(declared, shape(*ring))
    assert "at most" in refusal(declared, shape(*[(0, 0)] * 19_000))
    assert refusal(declared, shape(*[(0, 0)] * 100_000)) == "must have at most 20000 points in all"


def test_the_polygon_that_is_most_like_the_others_is_the_result():
    good = shape((0, 0), (10, 0), (10, 10), (0, 10))
    near = shape((0, 0), (11, 0), (10, 10), (0, 10))
    far = shape((0, 0), (16, 0), (16, 10), (0, 10))

    assert result(field("polygons"), [far, near, good]).value == near
    declared = field("polygons")
    [part] = answer_type("polygons").parts(declared, good)
    assert part == Polygon("cat", ((0, 0), (10, 0), (10, 10), (0, 10)))


# Lines


def test_a_line_without_direction_begins_at_its_upper_end_and_may_cross_itself():
    loop = [(0, 9), (10, 0), (10, 9), (0, 0)]

    assert clean(field("polylines"), shape(*loop)) == shape(*loop[::-1])
    assert clean(field("polylines", directed=True), shape(*loop)) == shape(*loop)
    assert refusal(field("polylines"), shape((1, 1), (1, 1.001))) == "line 1: must have at least 2 different points"
    assert refusal(field("polylines", min_length=5), shape((0, 0), (4, 0))) == "line 1: must be at least 5 pixels long"


def test_directed_lines_that_run_against_each_other_are_others():
    there, back = shape((0, 0), (50, 0)), shape((50, 0), (0, 0))
    score = answer_type("polylines").score

    assert score(field("polylines", directed=True), there, back) == 0.0
    assert score(field("polylines", directed=True), there, there) == 1.0
    assert score(field("polylines", tolerance=2), there, shape((0, 3), (50, 3))) == 0.0
    assert score(field("polylines", tolerance=4), there, shape((0, 3), (50, 3))) == 1.0


@pytest.mark.parametrize("options", [{"tolerance": 0}, {"tolerance": "x"}, {"overlap": 2}, {"min_length": 0}])
def test_options_of_lines_are_checked(options):
    with pytest.raises(FieldInvalid) as caught:
        field("polylines", **options)
    assert {error.path for error in caught.value.errors} == set(options)


# Skeletons


def human(**points):
    named = {"nose": "nose", "left": "left_eye", "right": "right_eye"}
    absent = {"visibility": "absent"}
    return {
        "label": "human",
        "points": {
            name: (
                {"x": points[short][0], "y": points[short][1], "visibility": (*points[short], "visible")[2]}
                if short in points
                else absent
            )
            for short, name in named.items()
        },
    }


def skeletons(**options):
    return field("keypoints", labels=[{"value": "human"}], skeletons={"human": HUMAN}, **options)


def test_a_skeleton_says_each_of_its_points_in_the_declared_order():
    declared = skeletons()
    given_ = {"label": "human", "points": {"right_eye": {"x": 3, "y": 4.004, "visibility": "occluded"}}}

    [cleaned] = clean(declared, [given_])
    assert list(cleaned["points"]) == HUMAN["points"]
    assert cleaned == human(right=(3, 4, "occluded"))
    assert list(answer_type("keypoints").parts(declared, [cleaned])) == [
        Keypoints(
            "human",
            (
                ("nose", 0, 0, Visibility.ABSENT),
                ("left_eye", 0, 0, Visibility.ABSENT),
                ("right_eye", 3, 4, Visibility.OCCLUDED),
            ),
        )
    ]


def test_what_no_skeleton_can_be_is_refused():
    declared = skeletons()

    def with_nose(point):
        return refusal(declared, [{"label": "human", "points": {"nose": point}}])

    assert with_nose({"visibility": "absent"}) == "skeleton 1: must have at least one point that is not absent"
    assert with_nose({"x": 1, "y": 1, "visibility": "absent"}).endswith("a point that is absent has no place")
    assert with_nose({"x": 1, "visibility": "visible"}).endswith("must have x, y and visibility, and nothing else")
    for visibility in ("seen", None, [], 2):
        assert "visibility must be" in with_nose({"x": 1, "y": 1, "visibility": visibility})
    assert "names of points" in refusal(declared, [{"label": "human", "points": {"tail": {"visibility": "absent"}}}])
    assert "names of points" in refusal(declared, [{"label": "human", "points": [1]}])


@pytest.mark.parametrize(
    ("skeleton", "path"),
    [
        (None, "skeletons.human"),
        ({"points": []}, "skeletons.human.points"),
        ({"points": ["a", "a"]}, "skeletons.human.points"),
        ({"points": ["a b"]}, "skeletons.human.points"),
        ({"points": ["a", "b"], "edges": [["a", "c"]]}, "skeletons.human.edges[0]"),
        ({"points": ["a", "b"], "edges": [["a", "a"]]}, "skeletons.human.edges[0]"),
        ({"points": ["a", "b"], "edges": [["a", "b"], ["b", "a"]]}, "skeletons.human.edges[1]"),
        ({"points": ["a", "b"], "edges": [[["a"], "b"]]}, "skeletons.human.edges[0]"),
        ({"points": ["a"], "spread": {"b": 1}}, "skeletons.human.spread"),
        ({"points": ["a"], "spread": {"a": 0}}, "skeletons.human.spread.a"),
        ({"points": ["a"], "colour": 1}, "skeletons.human.colour"),
    ],
)
def test_skeletons_are_checked_when_they_are_declared(skeleton, path):
    with pytest.raises(FieldInvalid) as caught:
        field("keypoints", labels=[{"value": "human"}], skeletons={"human": skeleton})
    assert [error.path for error in caught.value.errors] == [path]
    with pytest.raises(FieldInvalid):
        field("keypoints", labels=[{"value": "human"}], skeletons={})


def test_each_point_of_the_result_is_seen_as_most_say_at_the_median():
    values = [
        [human(nose=(100, 100), left=(90, 80), right=(110, 80))],
        [human(nose=(102, 101), left=(91, 80, "occluded"), right=(110, 82))],
        [human(nose=(101, 150), left=(92, 81, "occluded"))],
    ]

    found = result(skeletons(oks=0.1), values)
    assert found.value == [human(nose=(101, 101), left=(91, 80, "occluded"), right=(110, 81))]
    assert found.confidence == 1.0


def test_skeletons_are_alike_as_coco_says_where_both_have_all_points():
    """pycocotools has the key's area only; it is given the mean of both, which is ours."""
    eval_ = pytest.importorskip("pycocotools.cocoeval")
    rng = np.random.default_rng(3)
    for _ in range(20):
        one = rng.uniform(0, 100, (17, 2))
        other = one + rng.normal(0, 8, (17, 2))
        area = np.mean([np.prod(points.max(axis=0) - points.min(axis=0)) for points in (one, other)])
        judge = eval_.COCOeval(None, None, "keypoints")
        flat = [np.hstack([points, np.full((17, 1), 2)]).ravel().tolist() for points in (one, other)]
        judge._gts[1, 1] = [{"keypoints": flat[0], "area": area, "bbox": [0, 0, 1, 1], "ignore": 0, "id": 1}]
        judge._dts[1, 1] = [{"keypoints": flat[1], "score": 1.0}]
        judge.params.useCats = 1

        ours = skeleton_likeness(one, other, 2 * judge.params.kpt_oks_sigmas)
        assert ours == pytest.approx(judge.computeOks(1, 1)[0, 0], abs=1e-8)
        assert ours == skeleton_likeness(other, one, 2 * judge.params.kpt_oks_sigmas)


def test_a_point_that_only_one_skeleton_has_counts_against_their_likeness():
    one = np.array([[0.0, 0], [50, 50], [np.nan, np.nan], [np.nan, np.nan]])
    other = np.array([[0.0, 0], [50, 50], [20, 20], [np.nan, np.nan]])
    spread = np.full(4, 0.1)

    assert skeleton_likeness(one, one, spread) == 1.0
    assert skeleton_likeness(one, other, spread) == skeleton_likeness(other, one, spread) == pytest.approx(2 / 3)
    assert skeleton_likeness(one[2:], one[2:], spread[2:]) == 0.0


# Cuboids


def cuboid(**more):
    return {"label": "cat", "x": 1, "y": 2, "z": 0, "length": 4, "width": 2, "height": 1.5, "yaw": 0} | more


@settings(max_examples=200)
@given(st.floats(-1000, 1000))
def test_yaw_is_kept_as_one_turn_around_the_circle(yaw):
    [cleaned] = clean(field("cuboids"), [cuboid(yaw=yaw)])

    assert -math.pi < cleaned["yaw"] <= round(math.pi, 4)
    assert abs(math.remainder(cleaned["yaw"] - yaw, math.tau)) < 1e-4
    assert clean(field("cuboids"), [cleaned]) == [cleaned]
    assert [clean(field("cuboids"), [cuboid(yaw=turn)])[0]["yaw"] for turn in (-math.pi, math.pi)] == [3.1416] * 2


def test_cuboids_have_sides_and_lie_where_scanners_reach():
    declared = field("cuboids")

    assert clean(declared, [cuboid(x=1.23456)]) == [cuboid(x=1.235)]
    assert refusal(declared, [cuboid(length=0)]) == "cuboid 1: length must be a number from 0.01 to 1000"
    assert refusal(declared, [cuboid(z=1e6)]).startswith("cuboid 1: z must be a number from")
    assert result(declared, [[cuboid(x=1)], [cuboid(x=1.2)], [cuboid(x=1.1, yaw=3.1416)]]).value == [cuboid(x=1.1)]
