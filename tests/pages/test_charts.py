"""Charts as numbers: nothing is lost or made larger than it is on its way into a drawing."""

from django.template.loader import render_to_string

from marketplace.pages.charts import GAP, HEIGHT, LETTER, WIDTH, Point, bar_chart, nice_top, parts_chart, shade


def points(*values: int) -> list[Point]:
    return [Point(value, f"d{n}", f"day {n}: {value}") for n, value in enumerate(values)]


def test_bars_reach_as_high_as_their_share_and_small_ones_are_seen() -> None:
    chart = bar_chart(points(0, 1, 500_000, 1_000_000), lambda value: f"{value} micros")

    assert [bar.height for bar in chart.bars] == [0, 2, HEIGHT // 2, HEIGHT]
    assert all(bar.y + bar.height == HEIGHT for bar in chart.bars)
    assert [line.text for line in chart.lines] == ["1000000 micros", "500000 micros"]
    assert [(line.text, line.y) for line in bar_chart(points(1, 0)).lines] == [("1", 0)]
    # Where a half is no whole number the line stands where its number is.
    assert [(line.text, line.y) for line in bar_chart(points(5)).lines] == [("5", 0), ("2", HEIGHT * 3 // 5)]
    assert [nice_top(most) for most in (0, 1, 3, 50, 51)] == [1, 1, 5, 50, 100]


def test_bars_stand_side_by_side_and_few_of_many_have_a_word_below() -> None:
    chart = bar_chart(points(*range(1, 49)))

    assert all(one.x + one.width <= other.x for one, other in zip(chart.bars, chart.bars[1:], strict=False))
    assert sum(bar.label_x is not None for bar in chart.bars) == 6
    assert bar_chart([]).bars == []


def test_each_of_a_few_bars_has_its_word_below_slanted_where_there_is_no_room() -> None:
    short = bar_chart(points(*range(1, 11)))
    long = bar_chart([Point(3, "Prominent one", "3") for _ in range(12)])

    assert (short.slanted, all(bar.label_x is not None for bar in short.bars)) == (False, True)
    assert (long.slanted, all(bar.label_x is not None for bar in long.bars)) == (True, True)
    assert long.height > short.height
    assert long.bars[0].label_x > 0.7 * LETTER * len("Prominent one"), "the first word is within the drawing"
    drawn = render_to_string("pages/components/bar_chart.html", {"chart": long, "label": "Labels"})
    assert drawn.count('<text class="slanted"') == 12 and "style=" not in drawn


def test_the_words_of_the_scale_stand_left_of_all_bars_and_leave_them_half_of_the_room() -> None:
    short = bar_chart(points(2, 4), lambda value: f"{value}.00 EUR")
    long = bar_chart(points(2, 4), lambda value: "x" * 100)
    bare = bar_chart(points(0, 0))

    assert (short.side, long.side, bare.side) == (8 * LETTER + GAP, WIDTH // 2, 0)
    for chart in (short, long, bare):
        assert chart.bars[0].x > chart.side
        assert chart.bars[-1].x + chart.bars[-1].width < WIDTH
    drawn = render_to_string("pages/components/bar_chart.html", {"chart": short, "label": "Owed"})
    assert (
        drawn.count(f'<line class="scale" x1="{short.side}"')
        == drawn.count(f'<text class="scale" x="{short.side}"')
        == 2
    )


def test_what_is_below_nothing_has_no_bar() -> None:
    assert [bar.height for bar in bar_chart(points(-5, 10)).bars] == [0, HEIGHT]


def test_parts_fill_the_whole_and_nothing_has_no_width() -> None:
    parts = parts_chart([("paid", 1, "1"), ("held", 0, "0"), ("left", 2, "2")])

    assert [(part.x, part.width, part.tone) for part in parts] == [(0, 240, 1), (240, 0, 2), (240, 480, 3)]
    assert sum(part.width for part in parts) == WIDTH
    assert [part.width for part in parts_chart([("paid", 0, "0")])] == [0]


def test_more_than_nothing_is_shaded_and_all_is_darkest() -> None:
    assert [shade(share) for share in (0.0, 1e-9, 0.5, 0.99, 1.0)] == [0, 1, 5, 9, 9]


def test_what_is_drawn_is_markup_alone_and_texts_are_escaped() -> None:
    chart = bar_chart([Point(3, "<b>", "<script>")])
    drawn = render_to_string("pages/components/bar_chart.html", {"chart": chart, "label": '"x" & y'})

    assert "<script>" not in drawn and "<b>" not in drawn
    assert "&lt;script&gt;" in drawn and 'aria-label="&quot;x&quot; &amp; y"' in drawn
    assert "style=" not in drawn
