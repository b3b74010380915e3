"""By hand, by invariants, and against recordings of Caffe's MatchBBox and ssd_keras' SSDInputEncoder.

The recorded cases: `ssd300` on Caffe's 8732 anchors for VOC; `dyadic21` on 21 anchors whose coordinates and
IoUs are exact in binary, so that ties are ties.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ssd.geometry.anchors import make_anchors
from ssd.geometry.boxes import area, iou
from ssd.geometry.matching import match, match_overlaps
from ssd.geometry.offsets import encode

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "matching.npz")
CASES = [(group, str(name)) for group in ("ssd300", "dyadic21") for name in GOLDEN[f"{group}_names"]]
VOC300 = make_anchors(
    300,
    (8, 16, 32, 64, 100, 300),
    (0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05),
    ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)),
    "second",
)
ANCHORS = {"ssd300": VOC300, "dyadic21": GOLDEN["dyadic21_anchors"]}
# four anchors: the quarters of the image, row by row
QUARTERS = np.array([[0, 0, 0.5, 0.5], [0, 0.5, 0.5, 1], [0.5, 0, 1, 0.5], [0.5, 0.5, 1, 1]])


def greedy_pairs(overlaps: np.ndarray) -> dict[int, int]:
    """The forced matches, written down as they are said: {anchor: ground truth}."""
    pairs: dict[int, int] = {}
    waiting = set(range(len(overlaps)))
    while True:
        free = [
            (-overlaps[gt, anchor], anchor, gt)
            for gt in waiting
            for anchor in range(overlaps.shape[1])
            if anchor not in pairs and overlaps[gt, anchor] > 0
        ]
        if not free:
            return pairs
        _, anchor, gt = min(free)
        pairs[anchor] = gt
        waiting.remove(gt)


def test_an_image_without_objects_has_only_negatives() -> None:
    matched = match(np.zeros((0, 4), np.float32), VOC300, 0.5)
    assert matched.dtype == np.int32
    assert matched.tolist() == [-1] * 8732


def test_an_anchor_at_the_threshold_is_positive_and_one_below_is_not() -> None:
    half_of_the_first = np.array([[0, 0, 0.25, 0.5]])
    both = np.concatenate([QUARTERS[:1], QUARTERS[:1], QUARTERS[1:]])
    assert match(half_of_the_first, both, 0.5).tolist() == [0, 0, -1, -1, -1]
    assert match(half_of_the_first, both, 0.51).tolist() == [0, -1, -1, -1, -1]


def test_an_object_no_anchor_reaches_still_gets_the_best_one() -> None:
    small = np.array([[0.6, 0.6, 0.7, 0.7]])
    assert match(small, QUARTERS, 0.5).tolist() == [-1, -1, -1, 0]


def test_two_objects_that_share_their_best_anchor_both_keep_one() -> None:
    larger, smaller = [0, 0, 0.5, 0.625], [0, 0, 0.5, 0.5625]
    assert match(np.array([larger, smaller]), QUARTERS, 0.5).tolist() == [1, 0, -1, -1]
    assert match(np.array([smaller, larger]), QUARTERS, 0.5).tolist() == [0, 1, -1, -1]


def test_a_forced_match_stands_against_a_better_overlap() -> None:
    # the second object has no other anchor, the first has a better one
    overlaps = np.array([[0.9, 0.8, 0.0], [0.0, 0.1, 0.0]])
    assert match_overlaps(overlaps, 0.5).tolist() == [0, 1, -1]


def test_of_equal_pairs_the_lowest_anchor_and_then_the_lowest_object_goes_first() -> None:
    assert match_overlaps(np.full((2, 3), 0.25), 0.5).tolist() == [0, 1, -1]
    assert match_overlaps(np.array([[0.2, 0.3, 0.3], [0.3, 0.3, 0.2]]), 0.5).tolist() == [1, 0, -1]


def test_an_anchor_that_reaches_two_objects_takes_the_better_and_of_equals_the_first() -> None:
    overlaps = np.array([[1.0, 0.0, 0.6, 0.7], [0.0, 1.0, 0.8, 0.7]])
    assert match_overlaps(overlaps, 0.5).tolist() == [0, 1, 1, 0]


def test_an_object_without_area_gets_no_anchor_and_takes_none_away() -> None:
    line = np.array([[0.25, 0.25, 0.25, 0.75]])
    assert match(line, QUARTERS, 0.5).tolist() == [-1, -1, -1, -1]
    assert match(np.concatenate([line, QUARTERS[3:]]), QUARTERS, 0.5).tolist() == [-1, -1, -1, 1]


def test_known_overlaps_are_not_changed() -> None:
    overlaps = iou(QUARTERS[[0, 0, 0]], QUARTERS)
    before = overlaps.copy()
    match_overlaps(overlaps, 0.5)
    np.testing.assert_array_equal(overlaps, before)


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(0, 5), st.integers(1, 7)),
        elements=st.sampled_from([0, 0.25, 0.375, 0.5, 0.75]),
    )
)
@settings(max_examples=300, deadline=None)
def test_forced_matches_are_those_of_the_rule_written_out(overlaps: np.ndarray) -> None:
    matched = match_overlaps(overlaps, 0.5)
    forced = greedy_pairs(overlaps)
    for anchor, gt in enumerate(matched.tolist()):
        if anchor in forced:
            assert gt == forced[anchor]
        elif len(overlaps) and overlaps[:, anchor].max() >= 0.5:
            assert gt == overlaps[:, anchor].argmax()
        else:
            assert gt == -1


@given(
    arrays(np.float64, st.tuples(st.integers(0, 5), st.integers(5, 9)), elements=st.floats(0.01, 1)),
    st.floats(0.05, 1),
)
@settings(deadline=None)
def test_no_object_is_lost_that_overlaps_as_many_anchors_as_there_are_objects(
    overlaps: np.ndarray, threshold: float
) -> None:
    assert set(range(len(overlaps))) <= set(match_overlaps(overlaps, threshold).tolist())


@given(st.integers(1, 12), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_no_object_of_a_crowded_image_is_lost_on_ssd300(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 0.9, (count, 2)) * rng.choice([0.05, 1.0])
    gt_boxes = np.concatenate([corner, np.minimum(corner + rng.uniform(0.005, 0.6, (count, 2)), 1)], axis=1)
    gt_boxes = gt_boxes.astype(np.float32)
    assert (area(gt_boxes) > 0).all()
    matched = match(gt_boxes, VOC300, 0.5)
    assert set(range(count)) <= set(matched.tolist())


@pytest.mark.parametrize(("group", "name"), CASES)
def test_anchors_answer_for_the_objects_caffe_gives_them(group: str, name: str) -> None:
    case = f"{group}_{name}"
    gt_boxes, anchors = GOLDEN[f"{case}_gt_boxes"], ANCHORS[group]
    matched = match(gt_boxes, anchors, 0.5)
    (positive,) = np.nonzero(matched >= 0)
    expected = np.full(len(anchors), -1)
    expected[GOLDEN[f"{case}_caffe_pos"]] = GOLDEN[f"{case}_caffe_gt"]
    # anchors for which rounding decides; a cascade of such ties runs through `crowded`
    undecided = GOLDEN[f"{case}_undecided"] if group == "ssd300" else []
    decided = np.setdiff1d(np.arange(len(anchors)), undecided)
    if name != "crowded":
        np.testing.assert_array_equal(matched[decided], expected[decided])
    assert set(matched[positive].tolist()) == set(GOLDEN[f"{case}_caffe_gt"].tolist())
    offsets = np.full((len(anchors), 4), np.nan)
    offsets[GOLDEN[f"{case}_caffe_pos"]] = GOLDEN[f"{case}_caffe_offsets"]
    same = positive[matched[positive] == expected[positive]]
    ours = encode(gt_boxes[matched[same]], anchors[same], (0.1, 0.2))
    np.testing.assert_allclose(ours, offsets[same], atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    ("group", "name"), [case for case in CASES if "_".join((*case, "keras_pos")) in GOLDEN.files]
)
def test_positives_are_those_of_ssd_keras(group: str, name: str) -> None:
    case = f"{group}_{name}"
    gt_boxes = GOLDEN[f"{case}_gt_boxes"]
    (positive,) = np.nonzero(match(gt_boxes, ANCHORS[group], 0.5) >= 0)
    differing = np.setxor1d(positive, GOLDEN[f"{case}_keras_pos"])
    if group == "dyadic21":
        assert differing.tolist() == []
    elif name != "crowded":
        assert set(differing.tolist()) <= set(GOLDEN[f"{case}_undecided"].tolist())
    assert len(positive) >= len(gt_boxes)
