"""Matching by grids is held against matching by all IoUs, which is held against recordings in test_matching."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.geometry.anchor_grids import COMPLETE_FROM, find_grids, overlapping
from ssd.geometry.anchors import make_anchors
from ssd.geometry.boxes import iou
from ssd.geometry.matching import Matcher, match

STEPS, SIZES = (8, 16, 32, 64, 100, 300), (0.1, 0.27, 0.44, 0.61, 0.78, 0.95, 1.0)
RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
SSD300 = make_anchors(300, STEPS, SIZES, RATIOS, "last")
CLIPPED = make_anchors(300, STEPS, (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05), RATIOS, "second", "size")
MATCHERS = {threshold: Matcher(SSD300, threshold) for threshold in (0.05, 0.35, 0.5, 0.7)}


def objects(rng: np.random.Generator, count: int) -> np.ndarray:
    """Boxes of all sizes, also tiny ones, close together or not, some the same, some anchors: [count, 4] float32."""
    corner = rng.uniform(0, 0.95, (count, 2)) * rng.choice([0.1, 1.0])
    largest = rng.choice([0.002, 0.1, 0.6])
    boxes = np.concatenate([corner, np.minimum(corner + rng.uniform(1e-4, largest, (count, 2)), 1)], axis=1)
    boxes = boxes.astype(np.float32)
    if count and rng.random() < 0.4:
        boxes[rng.integers(count)] = SSD300[rng.integers(len(SSD300))]
    if count and rng.random() < 0.4:
        boxes = boxes[rng.integers(0, count, count)]
    return boxes


def matched(matcher: Matcher, gt_boxes: np.ndarray, counts: list[int]) -> np.ndarray:
    """[B, A]: for each anchor of each image the ground truth, or -1."""
    places, gts = matcher(gt_boxes, counts)
    assert (np.diff(places) > 0).all()
    table = np.full((len(counts), len(matcher.anchors)), -1)
    table.reshape(-1)[places] = gts
    return table


@pytest.mark.parametrize("anchors", [SSD300, CLIPPED], ids=["none", "size"])
def test_the_anchors_of_ssd300_are_thirty_grids_that_hold_each_once(anchors: np.ndarray) -> None:
    grids = find_grids(anchors)
    assert grids is not None
    assert ((grids.last[0] + 1) * (grids.last[1] + 1)).sum() == len(anchors)
    assert sorted(grids.members.tolist()) == list(range(len(anchors)))
    assert grids.shape.shape == (2, 30, 1) or anchors is CLIPPED


def test_boxes_anywhere_form_no_grids_and_are_matched_all_the_same() -> None:
    rng = np.random.default_rng(1)
    anywhere = objects(rng, 50)
    gt_boxes = np.array([[0.1, 0.1, 0.4, 0.4], [0.2, 0.0, 0.3, 0.9]], np.float32)
    assert find_grids(anywhere[np.r_[0:50, 0:50]]) is None
    assert find_grids(np.zeros((0, 4), np.float32)) is None
    np.testing.assert_array_equal(
        matched(Matcher(anywhere, 0.5), gt_boxes, [2])[0], match(gt_boxes, anywhere, 0.5)
    )


@given(st.integers(0, 10**6), st.integers(1, 8), st.sampled_from([0.05, 0.5]))
@settings(max_examples=40, deadline=None)
def test_no_anchor_is_missed_above_the_iou_that_is_told(seed: int, count: int, threshold: float) -> None:
    boxes = objects(np.random.default_rng(seed), count)
    grids = find_grids(SSD300)
    assert grids is not None
    found = overlapping(grids, boxes, threshold)
    if found is None:
        return
    at_least, box, anchor, ious = found
    expected = iou(boxes, SSD300)
    np.testing.assert_array_equal(ious, expected[box, anchor])
    assert len(set(zip(box.tolist(), anchor.tolist(), strict=True))) == len(box)
    seen = np.zeros(expected.shape, bool)
    seen[box, anchor] = True
    assert seen[expected >= (at_least * COMPLETE_FROM)[:, None]].all()
    assert (expected.max(axis=1) >= at_least).all() and (at_least <= threshold).all()


@given(
    st.integers(0, 10**6),
    st.lists(st.integers(0, 15), min_size=1, max_size=4),
    st.sampled_from(list(MATCHERS)),
)
@settings(max_examples=80, deadline=None)
def test_a_batch_is_matched_as_each_of_its_images_by_all_ious(
    seed: int, counts: list[int], threshold: float
) -> None:
    rng = np.random.default_rng(seed)
    images = [objects(rng, count) for count in counts]
    before = 0
    table = matched(MATCHERS[threshold], np.concatenate(images), counts)
    for of_image, boxes in zip(table, images, strict=True):
        expected = match(boxes, SSD300, threshold)
        np.testing.assert_array_equal(of_image, np.where(expected < 0, -1, expected + before))
        before += len(boxes)


def test_a_crowd_on_one_spot_is_settled_as_by_all_ious() -> None:
    rng = np.random.default_rng(3)
    crowd = (np.array([0.4, 0.4, 0.47, 0.47]) + rng.uniform(-0.004, 0.004, (60, 4))).astype(np.float32)
    np.testing.assert_array_equal(matched(MATCHERS[0.5], crowd, [60])[0], match(crowd, SSD300, 0.5))
