"""Precision, recall and F1 by the least score, by hand."""

from pathlib import Path

import pytest
from one_image import CAT, DOG, image

from ssd.analysis.thresholds import suggested, sweep, write_thresholds

SQUARE, ASIDE = (10.0, 10.0, 20.0, 20.0), (60.0, 60.0, 20.0, 20.0)


def test_the_figures_at_a_threshold_are_those_of_the_detections_from_it_on():
    images = [
        image([(DOG, SQUARE), (CAT, ASIDE)], [(DOG, SQUARE, 0.9), (DOG, ASIDE, 0.6)]),
        image([(DOG, SQUARE)], [(DOG, SQUARE, 0.3)]),
    ]
    rows = {round(row.threshold, 2): row for row in sweep(images)}
    assert len(rows) == 99
    # 3 objects. From 0.90 on: 1 right; from 0.60 on: 1 right, 1 false; from 0.30 on: 2 right, 1 false.
    assert (rows[0.91].precision, rows[0.91].recall, rows[0.91].f1) == (None, 0, 0)
    assert (rows[0.9].precision, rows[0.9].recall, rows[0.9].f1) == pytest.approx((1, 1 / 3, 1 / 2))
    assert (rows[0.6].precision, rows[0.6].recall, rows[0.6].f1) == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    assert (rows[0.3].precision, rows[0.3].recall, rows[0.3].f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert rows[0.31] == rows[0.6].__class__(0.31, rows[0.6].precision, rows[0.6].recall, rows[0.6].f1)


def test_the_suggestion_is_the_lowest_threshold_of_the_highest_f1():
    rows = sweep(
        [image([(DOG, SQUARE)], [(DOG, SQUARE, 0.8), (DOG, ASIDE, 0.4), (DOG, (0.0, 80.0, 5.0, 5.0), 0.2)])]
    )
    best = suggested(rows)
    assert best is not None
    assert (best.threshold, best.f1) == (0.41, 1)


def test_nothing_is_suggested_where_nothing_is_right():
    assert suggested(sweep([image([(DOG, SQUARE)], [(CAT, SQUARE, 0.9)])])) is None
    assert suggested(sweep([image([], [(CAT, SQUARE, 0.9)])])) is None
    assert suggested(sweep([])) is None


def test_what_is_ignored_is_left_out():
    rows = sweep(
        [image([(DOG, SQUARE), (DOG, ASIDE)], [(DOG, SQUARE, 0.9), (DOG, ASIDE, 0.9)], difficult=(1,))]
    )
    assert (rows[0].precision, rows[0].recall, rows[0].f1) == (1, 1, 1)


def test_the_table_has_a_row_for_every_hundredth_and_nothing_where_undefined(tmp_path: Path):
    write_thresholds(tmp_path / "t.csv", sweep([image([(DOG, SQUARE)], [(DOG, SQUARE, 0.985)])]))
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == "threshold,precision,recall,f1"
    assert lines[1] == "0.01,1.0000,1.0000,1.0000"
    assert lines[-1] == "0.99,,0.0000,0.0000"
    assert len(lines) == 100
