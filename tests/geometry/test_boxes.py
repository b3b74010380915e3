import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ssd.geometry.boxes import area, clip, from_xywh_px, intersection, iou, to_cyxhw, to_xywh_px, to_yxyx

UNIT = np.array([[0.0, 0.0, 1.0, 1.0]])


@st.composite
def boxes(draw: st.DrawFn, dtype: type = np.float32) -> np.ndarray:
    """[N, 4] yxyx anywhere around the image, some of them without area."""
    corners = draw(
        arrays(np.float64, (draw(st.integers(0, 6)), 2, 2), elements=st.floats(-0.5, 1.5, width=32))
    )
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(dtype)


def test_a_box_is_as_large_as_its_sides_say_without_an_extra_pixel() -> None:
    assert area(np.array([[0.0, 0.0, 3.0, 5.0], [1.0, 1.0, 1.0, 9.0]])).tolist() == [15.0, 0.0]


def test_a_box_with_swapped_corners_has_no_area_and_meets_nothing() -> None:
    swapped = np.array([[0.8, 0.8, 0.2, 0.2]])
    assert area(swapped).tolist() == [0.0]
    assert iou(swapped, UNIT).tolist() == [[0.0]]


def test_iou_of_four_boxes_by_hand() -> None:
    left_half, quarter, beside = [0.0, 0.0, 1.0, 0.5], [0.5, 0.5, 1.0, 1.0], [0.0, 1.0, 1.0, 2.0]
    assert iou(UNIT, np.array([UNIT[0], left_half, quarter, beside])).tolist() == [[1.0, 0.5, 0.25, 0.0]]


def test_boxes_that_overlap_in_part_share_what_both_cover() -> None:
    a, b = np.array([[0.0, 0.0, 4.0, 4.0]]), np.array([[2.0, 1.0, 6.0, 5.0]])
    assert intersection(a, b).tolist() == [[6.0]]
    assert iou(a, b) == pytest.approx(6 / (16 + 16 - 6))


def test_height_and_width_are_not_confused() -> None:
    tall, wide = np.array([[0.0, 0.0, 4.0, 1.0]]), np.array([[0.0, 0.0, 1.0, 2.0]])
    assert intersection(tall, wide).tolist() == [[1.0]]
    assert to_cyxhw(tall).tolist() == [[2.0, 0.5, 4.0, 1.0]]


def test_two_boxes_without_area_have_iou_zero_even_when_they_are_the_same() -> None:
    point = np.array([[0.5, 0.5, 0.5, 0.5]], np.float32)
    assert iou(point, point).tolist() == [[0.0]]


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (3, 0)])
def test_no_boxes_give_an_empty_matrix(n: int, m: int) -> None:
    assert iou(np.zeros((n, 4)), np.zeros((m, 4))).shape == (n, m)


@given(boxes(), boxes())
@settings(deadline=None)
def test_iou_is_a_symmetric_number_from_zero_to_one(a: np.ndarray, b: np.ndarray) -> None:
    overlaps = iou(a, b)
    assert overlaps.dtype == np.float32 and overlaps.shape == (len(a), len(b))
    assert ((overlaps >= 0) & (overlaps <= 1)).all()
    np.testing.assert_array_equal(overlaps, iou(b, a).T)


@given(boxes())
@settings(deadline=None)
def test_a_box_with_an_area_has_iou_one_with_itself(a: np.ndarray) -> None:
    of_itself = np.diagonal(iou(a, a))
    visible = area(a) > 1e-30
    assert (of_itself[visible] == 1).all()


def test_clip_cuts_at_the_border_and_leaves_what_is_inside() -> None:
    given_boxes = np.array([[-0.5, 0.25, 0.5, 1.5], [0.25, 0.25, 0.75, 0.75], [1.5, 1.5, 2.0, 2.0]])
    assert clip(given_boxes).tolist() == [[0, 0.25, 0.5, 1], [0.25, 0.25, 0.75, 0.75], [1, 1, 1, 1]]
    assert given_boxes[0, 0] == -0.5


@given(arrays(np.float32, (4, 4), elements=st.floats(allow_nan=False, width=32)))
def test_a_box_once_cut_lies_inside_and_is_cut_no_further(wild: np.ndarray) -> None:
    once = clip(wild)
    assert ((once >= 0) & (once <= 1)).all()
    np.testing.assert_array_equal(clip(once), once)
    inside = (wild >= 0) & (wild <= 1)
    np.testing.assert_array_equal(once[inside], wild[inside])


@given(boxes())
@settings(deadline=None)
def test_centre_form_and_back_is_the_same_box(a: np.ndarray) -> None:
    there_and_back = to_yxyx(to_cyxhw(a))
    assert there_and_back.dtype == np.float32
    np.testing.assert_allclose(there_and_back, a, atol=5e-7)


def test_centre_form_takes_a_batch() -> None:
    batch = np.stack([UNIT, UNIT / 2])
    assert to_cyxhw(batch).tolist() == [[[0.5, 0.5, 1, 1]], [[0.25, 0.25, 0.5, 0.5]]]
    assert to_yxyx(to_cyxhw(batch)).tolist() == batch.tolist()


def test_a_coco_box_becomes_fractions_of_height_and_width() -> None:
    # left 20, top 10, 40 wide, 50 high, in a photo 200 wide and 100 high
    assert from_xywh_px(np.array([[20, 10, 40, 50]]), height=100, width=200).tolist() == [
        [0.1, 0.1, 0.6, 0.3]
    ]


def test_fractions_become_a_coco_box() -> None:
    box = np.array([[0.25, 0.5, 0.75, 1.0]])
    assert to_xywh_px(box, height=100, width=200).tolist() == [[100.0, 25.0, 100.0, 50.0]]


@given(boxes(np.float64), st.integers(1, 5000), st.integers(1, 5000))
@settings(deadline=None)
def test_to_pixels_and_back_is_the_same_box(a: np.ndarray, height: int, width: int) -> None:
    np.testing.assert_allclose(from_xywh_px(to_xywh_px(a, height, width), height, width), a, atol=1e-12)


def test_no_boxes_pass_both_doors() -> None:
    assert from_xywh_px(np.zeros((0, 4)), 10, 20).shape == (0, 4)
    assert to_xywh_px(np.zeros((0, 4)), 10, 20).shape == (0, 4)
