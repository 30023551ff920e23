"""Polygons, lines and cuboids, against shapely and against trying all pairs."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from marketplace.aggregation.geometry.cuboids import cuboid_overlap, ground, middle_cuboid
from marketplace.aggregation.geometry.lines import against, length, line_likeness, places
from marketplace.aggregation.geometry.polygons import crossing, polygon_overlap, shared_area, signed_area
from marketplace.aggregation.geometry.rectangles import meeting, overlaps

whole = st.integers(0, 12)
rings = st.lists(st.tuples(whole, whole), min_size=3, max_size=9, unique=True)
SQUARE = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])


def moved(points, by):
    return points + np.array(by)


def star(seed, corners, middle=(50, 50), reach=40):
    """A simple polygon, mostly not convex: corners around a middle at different distances."""
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * math.pi, corners))
    away = rng.uniform(0.2, 1, corners) * reach
    return np.round(np.array(middle) + np.stack([np.cos(turn), np.sin(turn)], axis=1) * away[:, None], 2)


def fraction_crossing(points):
    """Whether any two sides of a ring meet where they may not, by trying all, in whole numbers."""

    def turn(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    def on(a, b, c):
        return turn(a, b, c) == 0 and all(min(a[k], b[k]) <= c[k] <= max(a[k], b[k]) for k in (0, 1))

    def sign(number):
        return (number > 0) - (number < 0)

    sides = [(points[at], points[(at + 1) % len(points)]) for at in range(len(points))]
    for one, (a, b) in enumerate(sides):
        for other in range(one + 1, len(sides)):
            c, d = sides[other]
            if b == c and a == d:
                return True
            if b == c:
                if on(a, b, d) or on(c, d, a):
                    return True
                continue
            if d == a:
                if on(c, d, b) or on(a, b, c):
                    return True
                continue
            proper = sign(turn(a, b, c)) * sign(turn(a, b, d)) < 0 and sign(turn(c, d, a)) * sign(turn(c, d, b)) < 0
            if proper or on(a, b, c) or on(a, b, d) or on(c, d, a) or on(c, d, b):
                return True
    return False


@settings(max_examples=500)
@given(rings)
def test_a_ring_is_simple_exactly_where_no_two_of_its_sides_meet(points):
    assert (crossing(np.array(points, dtype=np.int64)) is not None) == fraction_crossing(points)


@settings(max_examples=300)
@given(rings)
def test_a_ring_is_simple_where_shapely_says_so(points):
    shapely = pytest.importorskip("shapely")

    assert (crossing(np.array(points, dtype=np.int64)) is None) == shapely.LinearRing(points).is_simple


def test_the_sides_that_cross_are_named():
    assert crossing(np.array([[0, 0], [10, 10], [10, 0], [0, 10]])) == (0, 2)
    assert crossing(np.array([[0, 0], [10, 0], [5, 0], [5, 5]])) == (0, 1)
    assert crossing(np.array([[0, 0], [10, 0], [10, 10], [5, 0], [0, 10]])) == (0, 2)
    assert crossing(np.array([[0, 0], [10**7, 0], [10**7, 10**7]])) is None
    assert crossing(np.array([[0, 0], [1, 1], [2, 2]])) is not None


def test_the_area_has_the_sign_of_the_direction():
    assert signed_area(SQUARE) == 100
    assert signed_area(SQUARE[::-1]) == -100
    assert signed_area(SQUARE + 1e7) == 100


def test_shapes_that_share_an_edge_or_nothing_share_no_area():
    assert shared_area(SQUARE, moved(SQUARE, [10, 0])) == 0
    assert shared_area(SQUARE, moved(SQUARE, [0, 10])) == 0
    assert shared_area(SQUARE, moved(SQUARE, [30, 0])) == 0
    assert polygon_overlap(SQUARE, moved(SQUARE, [5, 0])) == pytest.approx(1 / 3)
    assert polygon_overlap(SQUARE, SQUARE[[2, 1, 0, 3]]) == 1.0


def test_a_notch_is_not_in_the_shape():
    notched = np.array([[0.0, 0], [10, 0], [10, 10], [6, 10], [6, 2], [4, 2], [4, 10], [0, 10]])

    assert shared_area(notched, SQUARE) == pytest.approx(84)
    assert shared_area(notched, np.array([[4.0, 2], [6, 2], [6, 10], [4, 10]])) == pytest.approx(0)


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.integers(3, 40), st.integers(3, 40), st.floats(-30, 30))
def test_shared_areas_are_those_of_shapely_whichever_comes_first(seed, corners, others, apart):
    shapely = pytest.importorskip("shapely")
    one, other = star(seed, corners), star(seed + 1, others, middle=(50 + apart, 50))
    judged = [shapely.Polygon(points) for points in (one, other)]
    assume(all(shape.is_valid for shape in judged))

    shared = judged[0].intersection(judged[1]).area
    assert shared_area(one, other) == pytest.approx(shared, abs=1e-6)
    assert polygon_overlap(one, other) == polygon_overlap(other, one)
    assert polygon_overlap(one, other) == pytest.approx(shared / judged[0].union(judged[1]).area, abs=1e-8)


@settings(max_examples=200)
@given(st.lists(st.tuples(whole, whole, st.integers(1, 6), st.integers(1, 6)), max_size=12))
def test_rectangles_that_meet_are_found_as_by_trying_all(sides):
    edges = np.array([(x, y, x + w, y + h) for x, y, w, h in sides], dtype=np.float64).reshape(-1, 4)
    tried = [
        (one, other)
        for one in range(len(edges))
        for other in range(one + 1, len(edges))
        if (edges[one, :2] <= edges[other, 2:]).all() and (edges[other, :2] <= edges[one, 2:]).all()
    ]

    assert list(zip(*(index.tolist() for index in meeting(edges)), strict=True)) == tried
    for one, other in tried:
        corners = [np.array([(a, b), (c, b), (c, d), (a, d)]) for a, b, c, d in edges[[one, other]]]
        assert overlaps(edges[one], edges[other]) == pytest.approx(polygon_overlap(*corners), abs=1e-8)


# Lines


def test_lines_are_alike_by_the_length_that_they_run_along_each_other():
    line = np.array([[0.0, 0], [100, 0]])

    assert line_likeness(line, moved(line, [0, 4]), 5) == 1.0
    assert line_likeness(line, moved(line, [0, 6]), 5) == 0.0
    assert line_likeness(line, np.array([[0.0, 1], [50, 1]]), 1) == pytest.approx(2 / 3, abs=0.01)
    assert line_likeness(line, line[::-1], 5) == 1.0
    assert line_likeness(line, line[::-1], 5, directed=True) == 0.0
    assert against(line, line[::-1]) and not against(line, line)
    assert length(np.array([[0.0, 0], [3, 4], [3, 10]])) == 11
    assert places(line, 4).tolist() == [[12.5, 0], [37.5, 0], [62.5, 0], [87.5, 0]]


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(1, 30))
def test_the_likeness_of_lines_is_that_of_shapelys_buffers(seed, tolerance):
    shapely = pytest.importorskip("shapely")
    rng = np.random.default_rng(seed)
    one, other = rng.uniform(0, 100, (5, 2)), rng.uniform(0, 100, (4, 2))
    judged = [shapely.LineString(points) for points in (one, other)]
    near = [
        line.intersection(mate.buffer(tolerance, quad_segs=64)).length / line.length
        for line, mate in (judged, judged[::-1])
    ]

    found = line_likeness(one, other, tolerance)
    assert found == line_likeness(other, one, tolerance)
    assert found == pytest.approx(2 * near[0] * near[1] / sum(near) if all(near) else 0, abs=0.03)


# Cuboids

UNIT = np.array([0.0, 0, 0, 4, 2, 2, 0])


def test_cuboids_share_space_by_ground_and_height():
    assert cuboid_overlap(UNIT, UNIT) == 1.0
    assert cuboid_overlap(UNIT, moved(UNIT, [0, 0, 1, 0, 0, 0, 0])) == pytest.approx(1 / 3)
    assert cuboid_overlap(UNIT, moved(UNIT, [0, 0, 2, 0, 0, 0, 0])) == 0.0
    assert cuboid_overlap(UNIT, moved(UNIT, [0, 0, 0, 0, 0, 0, math.pi])) == 1.0
    assert cuboid_overlap(UNIT, moved(UNIT, [0, 0, 0, 0, 0, 0, math.pi / 2])) == pytest.approx(4 / 12)
    assert np.abs(ground(moved(UNIT, [0, 0, 0, 0, 0, 0, math.pi / 2]))).max(axis=0) == pytest.approx([1, 2])


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_cuboids_share_the_space_that_points_thrown_at_random_find(seed):
    rng = np.random.default_rng(seed)
    one, other = (np.concatenate([rng.uniform(-1, 1, 3), rng.uniform(1, 4, 3), rng.uniform(-3, 3, 1)]) for _ in "ab")
    thrown = rng.uniform(-6, 6, (200_000, 3))

    def within(cuboid):
        x, y, z = (thrown - cuboid[:3]).T
        ahead = x * np.cos(cuboid[6]) + y * np.sin(cuboid[6])
        aside = y * np.cos(cuboid[6]) - x * np.sin(cuboid[6])
        return (np.abs([ahead, aside, z]) * 2 <= cuboid[3:6, None]).all(axis=0)

    both, either = np.sum(within(one) & within(other)), np.sum(within(one) | within(other))
    assert cuboid_overlap(one, other) == pytest.approx(both / either, abs=0.06)


def test_cuboids_named_the_other_way_round_come_to_one():
    turned = np.array([0.1, 0, 0, 2, 4, 2, math.pi / 2])

    assert middle_cuboid(np.array([UNIT, UNIT, turned])).tolist() == UNIT.tolist()
    assert middle_cuboid(np.array([UNIT, turned]))[3:].tolist() == UNIT[3:].tolist()
    near_the_seam = np.array([[0, 0, 0, 4, 2, 2, yaw] for yaw in (3.1, -3.1, 3.14)])
    assert middle_cuboid(near_the_seam)[6] == 3.14
