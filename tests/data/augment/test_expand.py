"""By the pixels: the image is whole somewhere on its canvas, and its boxes with it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import NO_BOXES, boxes_of, noise, some_objects, white_box_px

from ssd.data.augment.expand import FILL_RGB, expand


def test_a_box_moves_with_its_pixels() -> None:
    picture = np.zeros((60, 100, 3), np.uint8)
    picture[10:30, 5:45] = 255
    for seed in range(20):
        canvas, boxes = expand(
            picture, boxes_of([[10, 5, 30, 45]], 60, 100), 4.0, np.random.default_rng(seed)
        )
        height, width = canvas.shape[:2]
        np.testing.assert_allclose(boxes[0] * (height, width, height, width), white_box_px(canvas), atol=1e-3)


def test_the_canvas_around_the_image_is_caffes_mean() -> None:
    picture = np.full((6, 9, 3), 255, np.uint8)
    canvas, _ = expand(picture, NO_BOXES, 4.0, np.random.default_rng(5))
    top, left, bottom, right = white_box_px(canvas)
    assert (bottom - top, right - left) == (6, 9)
    around = np.ones(canvas.shape[:2], bool)
    around[top:bottom, left:right] = False
    assert around.any() and (canvas[around] == (123, 117, 104)).all()
    assert FILL_RGB == (123, 117, 104)  # Caffe's 104, 117, 123 are blue, green, red


def test_ratios_and_places_are_spread_evenly() -> None:
    picture = np.full((50, 80, 3), 255, np.uint8)
    ratios, places = [], []
    for seed in range(600):
        canvas, _ = expand(picture, NO_BOXES, 4.0, np.random.default_rng(seed))
        height, width = canvas.shape[:2]
        assert height / 50 == pytest.approx(width / 80, abs=0.02)
        ratios.append(height / 50)
        if height > 60:
            top, left, _, _ = white_box_px(canvas)
            places.append((top / (height - 50), left / (width - 80)))
    assert np.mean(ratios) == pytest.approx(2.5, abs=0.11)  # three standard errors of U(1, 4)
    assert min(ratios) >= 1 and max(ratios) <= 4 and max(ratios) > 3.9
    vertical, horizontal = np.array(places).T
    for place in (vertical, horizontal):
        assert place.min() < 0.02 and place.max() > 0.98
        assert place.mean() == pytest.approx(0.5, abs=0.04)
    assert abs(np.corrcoef(vertical, horizontal)[0, 1]) < 0.13


def test_a_ratio_of_one_changes_nothing() -> None:
    picture, boxes = noise(13, 17), some_objects(np.random.default_rng(1), 13, 17, 3)
    canvas, moved = expand(picture, boxes, 1.0, np.random.default_rng(1))
    np.testing.assert_array_equal(canvas, picture)
    np.testing.assert_allclose(moved, boxes, atol=1e-7)


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 60), st.floats(1, 10))
def test_boxes_stay_inside_with_their_area_in_pixels(
    seed: int, height: int, width: int, max_ratio: float
) -> None:
    rng = np.random.default_rng(seed)
    picture, boxes = noise(height, width), some_objects(rng, height, width, 3)
    canvas, moved = expand(picture, boxes, max_ratio, rng)
    assert height <= canvas.shape[0] <= height * max_ratio and width <= canvas.shape[1] <= width * max_ratio
    assert moved.min() >= 0 and moved.max() <= 1
    before_px = (boxes[:, 2:] - boxes[:, :2]) * (height, width)
    after_px = (moved[:, 2:] - moved[:, :2]) * canvas.shape[:2]
    np.testing.assert_allclose(after_px, before_px, atol=1e-3)
