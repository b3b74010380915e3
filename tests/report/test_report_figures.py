"""Line charts as numbers."""

import pytest

from ssd.report.figures import HEIGHT, LEFT, RIGHT, TOP, WIDTH, Series, line_chart, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 4.7, [0, 1, 2, 3, 4, 5]),
        (0, 0.03, [0, 0.01, 0.02, 0.03]),
        (0, 1200, [0, 250, 500, 750, 1000, 1250]),
        (3, 3, [3, 3.2, 3.4, 3.6, 3.8, 4]),
    ],
)
def test_ticks_are_round_numbers_that_enclose_the_values(low: float, high: float, expected: list[float]):
    assert ticks(low, high) == pytest.approx(expected)


def test_ticks_of_things_that_are_counted_are_whole():
    assert ticks(1, 4, whole=True) == [1, 2, 3, 4]
    assert all(tick == int(tick) for tick in ticks(1, 13, whole=True))


def test_a_line_runs_from_the_left_edge_to_the_right_and_its_top_is_the_top():
    chart = line_chart("loss", "epoch", [1, 2, 3], [Series("total", [5.0, 2.5, 0.0], 1)])
    assert chart is not None
    first, middle, last = chart.lines[0].points
    assert (first.x, last.x) == (LEFT, WIDTH - RIGHT)
    assert first.y == TOP
    assert last.y == chart.bottom
    assert middle.y == pytest.approx((first.y + last.y) / 2, abs=0.1)
    assert chart.lines[0].path.startswith(f"M{LEFT} {TOP}L")
    assert first.title == "epoch 1: total 5"


def test_a_missing_value_is_a_gap():
    chart = line_chart("loss", "epoch", [1, 2, 3, 4], [Series("total", [4.0, None, 2.0, 1.0], 1)])
    assert chart is not None
    assert chart.lines[0].path.count("M") == 2
    assert len(chart.lines[0].points) == 3


def test_a_single_epoch_is_a_point_with_its_own_tick():
    chart = line_chart("loss", "epoch", [1], [Series("total", [4.0], 1)], whole_x=True)
    assert chart is not None
    assert [tick.text for tick in chart.x_ticks] == ["1"]
    assert LEFT < chart.lines[0].points[0].x < WIDTH - RIGHT


def test_no_chart_where_there_is_nothing_to_draw():
    assert line_chart("loss", "epoch", [], [Series("total", [], 1)]) is None
    assert line_chart("loss", "epoch", [1, 2], [Series("total", [None, None], 1)]) is None


def test_many_epochs_are_drawn_without_points():
    epochs = list(range(1, 801))
    chart = line_chart("loss", "epoch", epochs, [Series("total", [1 / e for e in epochs], 1)], whole_x=True)
    assert chart is not None
    assert chart.lines[0].points == ()
    assert 3 <= len(chart.x_ticks) <= 10


@pytest.mark.parametrize(
    ("top", "texts"),
    [
        (1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (1e-5, ["0", "2e-06", "4e-06", "6e-06", "8e-06", "1e-05"]),
    ],
)
def test_ticks_are_written_with_as_many_decimals_as_they_need(top: float, texts: list[str]):
    chart = line_chart("rate", "epoch", [1, 2], [Series("rate", [0.0, top], 1)])
    assert chart is not None
    assert [tick.text for tick in chart.y_ticks] == texts
    assert all(TOP <= tick.at <= HEIGHT for tick in chart.y_ticks)


@pytest.mark.parametrize(("at", "left"), [(0.25, False), (0.75, True)])
def test_a_mark_stands_at_its_x_with_its_text_on_the_side_that_has_room(at: float, left: bool):
    chart = line_chart("f1", "score", [0.0, 1.0], [Series("f1", [1.0, 1.0], 1)], mark=(at, "here"))
    assert chart is not None
    assert chart.mark is not None
    assert chart.mark.at == pytest.approx(LEFT + at * (WIDTH - LEFT - RIGHT), abs=0.1)
    assert (chart.mark.text, chart.mark.left) == ("here", left)
