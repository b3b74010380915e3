"""By hand, by the rule written out, and against recordings of five implementations."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ssd.geometry import nms as nms_module
from ssd.geometry.boxes import clip, iou
from ssd.geometry.nms import nms, select_detections
from ssd.geometry.offsets import decode

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "detections.npz")
A, B, C = [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.75], [0.0, 0.0, 1.0, 0.5]  # IoU: AB .75, BC .667, AC .5


def random_boxes(rng: np.random.Generator, count: int, spread: float) -> np.ndarray:
    """Boxes [N, 4] float32, the more on top of each other the smaller the spread."""
    corner = rng.uniform(0, spread, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(0.1, 0.4, (count, 2))], axis=1).astype(np.float32)


def greedy(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float) -> list[int]:
    """NMS written down as it is said."""
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda index: (-scores[index], index)):
        if all(iou(boxes[[other]], boxes[[index]])[0, 0] <= iou_threshold for other in kept):
            kept.append(index)
    return kept


def select_one_class(boxes: list, scores: list, **changes: float) -> tuple[np.ndarray, ...]:
    rule = {"min_score": 0.01, "candidates_per_class": 400, "nms_iou": 0.6, "detections_per_image": 100}
    return select_detections(np.array(boxes), np.array(scores, np.float32)[:, None], **(rule | changes))


def test_a_box_goes_when_a_better_one_overlaps_it() -> None:
    assert nms(np.array([B, A]), np.array([0.8, 0.9]), 0.7).tolist() == [1]


def test_a_box_exactly_at_the_threshold_stays() -> None:
    assert nms(np.array([A, C]), np.array([0.9, 0.8]), 0.5).tolist() == [0, 1]
    assert nms(np.array([A, C]), np.array([0.9, 0.8]), 0.49).tolist() == [0]


def test_a_box_that_went_takes_no_other_with_it() -> None:
    # A removes B; B would have removed C, A does not
    assert nms(np.array([A, B, C]), np.array([0.9, 0.8, 0.7]), 0.6).tolist() == [0, 2]


def test_survivors_come_by_descending_score_and_equal_ones_by_index() -> None:
    apart = np.array([[0.0, x, 1.0, x + 0.1] for x in (0.0, 0.2, 0.4, 0.6)])
    assert nms(apart, np.array([0.5, 0.9, 0.5, 0.9]), 0.5).tolist() == [1, 3, 0, 2]


def test_of_two_equal_boxes_the_first_stays() -> None:
    assert nms(np.array([A, A, A]), np.array([0.5, 0.5, 0.5]), 0.5).tolist() == [0]


def test_boxes_without_area_never_remove_each_other() -> None:
    point = [0.5, 0.5, 0.5, 0.5]
    assert nms(np.array([point, point]), np.array([0.5, 0.4]), 0.5).tolist() == [0, 1]


def test_no_boxes_leave_none() -> None:
    assert nms(np.zeros((0, 4)), np.zeros(0), 0.5).tolist() == []


@given(
    st.integers(0, 10**6),
    st.integers(0, 300),
    st.sampled_from([0.02, 0.2, 0.8]),
    st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]),
)
@settings(max_examples=25, deadline=None)
def test_blocks_leave_what_one_box_after_the_other_leaves(
    seed: int, count: int, spread: float, iou_threshold: float
) -> None:
    rng = np.random.default_rng(seed)
    boxes, scores = random_boxes(rng, count, spread), rng.integers(0, 50, count) / 50
    overlaps = iou(boxes, boxes)
    expected: list[int] = []
    for index in np.lexsort((np.arange(count), -scores)).tolist():
        if not (overlaps[expected, index] > iou_threshold).any():
            expected.append(index)
    assert nms(boxes, scores, iou_threshold).tolist() == expected


@given(
    arrays(np.float32, (12, 4), elements=st.sampled_from([0, 0.125, 0.25, 0.5, 0.75, 1])),
    arrays(np.float32, 12, elements=st.sampled_from([0.125, 0.25, 0.5, 1])),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_survivors_are_some_of_the_boxes_do_not_overlap_and_survive_again(
    boxes: np.ndarray, scores: np.ndarray, iou_threshold: float
) -> None:
    kept = nms(boxes, scores, iou_threshold)
    assert len(set(kept.tolist())) == len(kept) and set(kept.tolist()) <= set(range(12))
    overlaps = iou(boxes[kept], boxes[kept])
    assert (overlaps[~np.eye(len(kept), dtype=bool)] <= iou_threshold).all()
    assert nms(boxes[kept], scores[kept], iou_threshold).tolist() == list(range(len(kept)))


def test_a_score_must_be_above_the_least_one() -> None:
    _, _, scores = select_one_class(
        [A, [0, 0, 0.1, 0.1], [0.9, 0.9, 1, 1]], [0.5, 0.25, 0.75], min_score=0.25
    )
    assert scores.tolist() == [0.75, 0.5]


def test_only_the_best_candidates_of_a_class_enter_nms_and_of_equals_the_first() -> None:
    boxes = [[0.0, x, 1.0, x + 0.1] for x in (0.0, 0.2, 0.4, 0.6, 0.8)]
    kept, _, scores = select_one_class(boxes, [0.5, 0.75, 0.5, 0.5, 0.25], candidates_per_class=3)
    assert scores.tolist() == [0.75, 0.5, 0.5]
    assert kept[:, 1].tolist() == [0.2, 0.0, 0.4]


def test_candidates_that_nms_removes_are_not_replaced() -> None:
    kept, _, _ = select_one_class([A, B, [0.0, 0.9, 0.1, 1.0]], [0.9, 0.8, 0.7], candidates_per_class=2)
    assert kept.tolist() == [A]


def test_classes_do_not_remove_each_other_and_labels_start_at_one() -> None:
    boxes, labels, scores = select_detections(
        np.array([A]), np.array([[0.5, 0.75]], np.float32), 0.01, 400, 0.5, 9
    )
    assert boxes.tolist() == [A, A]
    assert labels.tolist() == [2, 1] and labels.dtype == np.int32
    assert scores.tolist() == [0.75, 0.5] and scores.dtype == np.float32


def test_equal_scores_come_by_label_and_then_by_anchor() -> None:
    boxes = np.array([[0.0, 0.0, 0.1, 0.1], [0.5, 0.5, 0.6, 0.6]])
    kept, labels, _ = select_detections(boxes, np.full((2, 2), 0.5, np.float32), 0.01, 400, 0.5, 9)
    assert labels.tolist() == [1, 1, 2, 2]
    assert kept[:, 0].tolist() == [0.0, 0.5, 0.0, 0.5]


def test_the_best_of_all_classes_are_kept() -> None:
    boxes = np.array([[0.0, 0.0, 0.1, 0.1], [0.5, 0.5, 0.6, 0.6]])
    scores = np.array([[0.9, 0.2], [0.3, 0.8]], np.float32)
    _, labels, kept = select_detections(boxes, scores, 0.01, 400, 0.5, 3)
    assert labels.tolist() == [1, 2, 1]
    assert kept.tolist() == scores[[0, 1, 1], [0, 1, 0]].tolist()


def test_nothing_above_the_least_score_gives_no_detections() -> None:
    boxes, labels, scores = select_one_class([A, B], [0.0, 0.01])
    assert boxes.shape == (0, 4) and labels.shape == (0,) and scores.shape == (0,)


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_stopping_early_changes_nothing(seed: int, candidates: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = random_boxes(rng, 150, 0.3)
    scores = (rng.integers(0, 20, (150, 3)) / 20).astype(np.float32)
    found = []
    for column in range(3):
        above = [anchor for anchor in range(150) if scores[anchor, column] > 0.2]
        above = sorted(above, key=lambda anchor: (-scores[anchor, column], anchor))[:candidates]
        kept = [above[index] for index in greedy(boxes[above], scores[above, column], 0.45)]
        found += [(-scores[anchor, column], column + 1, anchor) for anchor in kept]
    expected = sorted(found)[:limit]
    kept_boxes, labels, kept_scores = select_detections(boxes, scores, 0.2, candidates, 0.45, limit)
    assert labels.tolist() == [label for _, label, _ in expected]
    assert kept_scores.tolist() == [-score for score, _, _ in expected]
    np.testing.assert_array_equal(kept_boxes, boxes[[anchor for _, _, anchor in expected]].reshape(-1, 4))


def test_the_way_through_the_candidates_changes_no_detection(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    boxes = random_boxes(rng, 400, 0.5)
    scores = (rng.integers(0, 30, (400, 3)) / 30).astype(np.float32)
    rules = [(0.1, 400, 0.45, 200), (0.9, 10, 0.3, 5), (0.5, 50, 0.9, ALL)]
    before = [select_detections(boxes, scores, *rule) for rule in rules]
    monkeypatch.setattr(nms_module, "_AHEAD", 40)
    for rule, expected in zip(rules, before, strict=True):
        for ours, theirs in zip(select_detections(boxes, scores, *rule), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


ALL = 10**6  # amdegroot keeps the 200 of every class


@pytest.mark.parametrize("case", ["random", "ties", "exact", "low", "saturated"])
@pytest.mark.parametrize(
    ("reference", "clipped", "candidates", "limit"),
    [
        ("torchvision_dets", True, 400, 200),
        ("caffe_dets", False, 400, 200),
        ("caffe_dets_topk50_keep30", False, 50, 30),
        ("ssd_keras_dets", False, 600, 200),
        ("ssd_keras_dets_top_k_20", False, 600, 20),
        ("lufficc_dets", False, 600, 100),
        ("amdegroot_dets", False, 200, ALL),
    ],
)
def test_detections_are_those_of_the_reference(
    case: str, reference: str, clipped: bool, candidates: int, limit: int
) -> None:
    if (case, reference) == ("ties", "amdegroot_dets"):
        pytest.skip("of equally good boxes amdegroot's own sort decides which one stays")
    boxes = decode(GOLDEN[f"{case}_offsets"], GOLDEN[f"{case}_anchors"], (0.1, 0.2))
    boxes, labels, scores = select_detections(
        clip(boxes) if clipped else boxes, GOLDEN[f"{case}_softmax"][:, 1:], 0.01, candidates, 0.45, limit
    )
    expected = GOLDEN[f"{case}_{reference}"]  # label, score, box; order among equal scores is the reference's
    assert len(scores) == len(expected)
    ours = np.concatenate([labels[:, None], scores[:, None], boxes], axis=1)

    def in_one_order(rows: np.ndarray) -> np.ndarray:
        return rows[np.lexsort((rows[:, 3].round(4), rows[:, 2].round(4), rows[:, 0], -rows[:, 1].round(5)))]

    ours, expected = in_one_order(ours), in_one_order(expected)
    np.testing.assert_array_equal(ours[:, 0], expected[:, 0])
    np.testing.assert_allclose(ours[:, 1], expected[:, 1], atol=1e-6, rtol=0)
    np.testing.assert_allclose(
        ours[:, 2:] * GOLDEN[f"{case}_image_size"],
        expected[:, 2:] * GOLDEN[f"{case}_image_size"],
        atol=1e-3,
        rtol=0,
    )
