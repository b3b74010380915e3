import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.geometry import suggestion
from ssd.geometry.anchors import cell_shapes, make_anchors, map_sizes
from ssd.geometry.boxes import iou, to_cyxhw, to_yxyx
from ssd.geometry.suggestion import best_ious, suggest_sizes

STEPS, SIZES, RATIOS = (20, 50, 100), (0.2, 0.5, 0.8, 1.0), ((2,), (2, 3), (2,))
RECIPE = (100, STEPS, SIZES, RATIOS)
ONE_CELL = (100, (100,), (0.5, 1.0), ((),))  # squares of 0.5 and of 0.7071 in the middle


def square(side: float, centre: tuple[float, float] = (0.5, 0.5)) -> np.ndarray:
    return to_yxyx(np.array([[*centre, side, side]]))


def drawn(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = np.exp(rng.uniform(np.log(0.02), 0, (count, 2)))
    return to_yxyx(np.concatenate([rng.uniform(size / 2, 1 - size / 2), size], axis=1))


def best_of(boxes: np.ndarray, sizes: tuple[float, ...]) -> np.ndarray:
    """The best IoU of each box with the anchors that are made."""
    return iou(boxes, make_anchors(100, STEPS, sizes, RATIOS, "last").astype(np.float64)).max(axis=1)


def test_an_object_between_four_cells_is_as_far_from_each() -> None:
    on_a_cell, between = [0.25, 0.75, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]
    found = best_ious(np.array([on_a_cell, between]), 2, 0.5, [(0.5, 0.5)])
    # a quarter of each square is shared: 0.0625 of 0.4375
    np.testing.assert_allclose(found, [1, 1 / 7])


def test_the_best_of_several_shapes_counts() -> None:
    flat = np.array([[0.5, 0.5, 0.2, 0.8]])
    # the square: 0.2 * 0.4 of 0.16 + 0.16 - 0.08; the flat one: 0.2 * 0.4 of 0.16 + 0.08 - 0.08
    assert best_ious(flat, 1, 1.0, [(0.4, 0.4)]) == pytest.approx(1 / 3)
    assert best_ious(flat, 1, 1.0, [(0.4, 0.4), (0.2, 0.4)]) == pytest.approx(1 / 2)


def test_what_is_found_without_anchors_is_what_the_anchors_have() -> None:
    boxes = drawn(1, 200)
    on_maps = [
        best_ious(
            to_cyxhw(boxes),
            cells,
            step / 100,
            cell_shapes(SIZES[map_], SIZES[map_ + 1], RATIOS[map_], "last"),
        )
        for map_, (cells, step) in enumerate(zip(map_sizes(100, STEPS), STEPS, strict=True))
    ]
    np.testing.assert_allclose(np.max(on_maps, axis=0), best_of(boxes, SIZES), atol=1e-6, rtol=0)


def test_an_object_that_no_anchor_fits_gets_a_size_that_does() -> None:
    size, following = suggest_sizes(square(0.1), 0.5, *ONE_CELL)
    sides = np.array([size, np.sqrt(size * following)])
    # squares of one centre: IoU is the ratio of their areas; two tried sizes are 7 % apart
    assert (np.minimum(sides / 0.1, 0.1 / sides) ** 2).max() > 0.93


def test_sizes_that_fit_exactly_stay() -> None:
    assert suggest_sizes(square(0.5), 0.5, *ONE_CELL) == (0.5, 1.0)


def test_coverage_goes_before_closeness() -> None:
    # the square of 0.5 fits the first two exactly; one size serves all three only if it fits none so well
    boxes = np.concatenate([square(0.5), square(0.5), square(0.3)])
    size, following = suggest_sizes(boxes, 0.5, *ONE_CELL)
    sides = np.array([size, np.sqrt(size * following)])[:, None]
    reached = np.minimum(sides / [0.5, 0.3], np.array([0.5, 0.3]) / sides) ** 2
    assert (reached.max(axis=0) >= 0.5).all()


def test_an_object_without_area_is_never_covered_and_changes_nothing() -> None:
    point = np.array([[0.5, 0.5, 0.5, 0.5]])
    assert suggest_sizes(point, 0.5, *RECIPE) == SIZES


@given(st.integers(0, 10**6), st.integers(1, 30))
@settings(max_examples=10, deadline=None)
def test_a_suggestion_never_covers_less_and_its_sizes_ascend(seed: int, count: int) -> None:
    boxes = drawn(seed, count)
    sizes = suggest_sizes(boxes, 0.5, *RECIPE)
    assert len(sizes) == len(SIZES) and (np.diff(sizes) > 0).all()
    assert sizes == suggest_sizes(boxes, 0.5, *RECIPE)
    slack = 1e-6  # anchors are float32
    assert (best_of(boxes, sizes) >= 0.5 - slack).sum() >= (best_of(boxes, SIZES) >= 0.5 + slack).sum()


def test_of_very_many_objects_some_are_taken_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    first, middle, last = square(0.05), square(0.6), square(0.1)
    all_three = np.concatenate([first, middle, last])
    expected = suggest_sizes(np.concatenate([first, last]), 0.5, *RECIPE)
    assert suggest_sizes(all_three, 0.5, *RECIPE) != expected
    monkeypatch.setattr(suggestion, "MAX_OBJECTS", 2)
    assert suggest_sizes(all_three, 0.5, *RECIPE) == expected
