import dataclasses
from pathlib import Path

import mindspore.nn as nn
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mindspore import Tensor, ops
from small_detector import (
    ANCHORS,
    BOX_XYWH_PX,
    DESCRIPTION,
    HEIGHT,
    LABEL,
    RULES,
    WIDTH,
    Learnt,
    batch,
    empty_photo,
    photo,
)

from ssd.data.dataset import network_input
from ssd.engine.checkpoint import load_checkpoint, load_network
from ssd.engine.detection import Predict, detect, make_predict, rounded
from ssd.geometry.boxes import from_xywh_px, iou, to_xywh_px

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "detections.npz")

# two anchors: the left half of the picture, and one that reaches over its right border
BOXES = np.array([[0.0, 0.0, 1.0, 0.5], [0.25, 0.75, 0.75, 1.25]], np.float32)
CATEGORY_IDS = (3, 7)
Batches = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


def predict_by_hand(scores: dict[float, list[list[float]]]) -> Predict:
    """No offsets; the scores [2, 2] of the picture whose first pixel is the key."""

    def predict(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        of_images = [scores[float(image[0, 0, 0])] for image in pixels]
        return np.zeros((len(pixels), 2, 4), np.float32), np.array(of_images, np.float32)

    return predict


def batches_of(images: list[tuple[float, int, int, int]], batch_size: int) -> Batches:
    """Images given as (first pixel, id, height, width)."""
    batches = []
    for start in range(0, len(images), batch_size):
        of_batch = images[start : start + batch_size]
        pixels = np.array([image[0] for image in of_batch], np.float32)[:, None, None, None]
        ids = np.array([[image[1]] for image in of_batch], np.int64)
        batches.append((pixels, ids, np.array([image[2:] for image in of_batch], np.int32)))
    return batches


def detect_by_hand(
    scores: dict[float, list[list[float]]], images: list[tuple[float, int, int, int]]
) -> list[list[dict]]:
    return list(
        detect(predict_by_hand(scores), batches_of(images, 2), BOXES, (0.1, 0.2), CATEGORY_IDS, RULES)
    )


def test_boxes_are_in_pixels_of_the_photo_and_cut_at_its_border() -> None:
    ((left, right),) = detect_by_hand({0.0: [[0.9, 0.0], [0.0, 0.8]]}, [(0.0, 1, 240, 320)])
    assert left == {"image_id": 1, "category_id": 3, "bbox": [0.0, 0.0, 160.0, 240.0], "score": 0.9}
    assert right == {"image_id": 1, "category_id": 7, "bbox": [240.0, 60.0, 80.0, 120.0], "score": 0.8}


def test_boxes_reach_over_the_border_where_they_are_not_cut() -> None:
    predict = predict_by_hand({0.0: [[0.9, 0.0], [0.0, 0.8]]})
    rules = dataclasses.replace(RULES, clip=False)
    batches = batches_of([(0.0, 1, 240, 320)], 1)
    ((left, right),) = detect(predict, batches, BOXES, (0.1, 0.2), CATEGORY_IDS, rules)
    assert left["bbox"] == [0.0, 0.0, 160.0, 240.0]
    assert right["bbox"] == [240.0, 60.0, 160.0, 120.0]


def test_cutting_comes_before_nms() -> None:
    # the parts inside the image are the same box; of the whole boxes each has half of the union at most
    boxes = np.array([[0.0, 0.75, 1.0, 1.25], [0.0, 0.75, 1.0, 1.75]], np.float32)
    predict = predict_by_hand({0.0: [[0.9, 0.0], [0.8, 0.0]]})
    batches = batches_of([(0.0, 1, 100, 100)], 1)
    for clip, stay in ((True, [0.9]), (False, [0.9, 0.8])):
        rules = dataclasses.replace(RULES, clip=clip)
        (found,) = detect(predict, batches, boxes, (0.1, 0.2), CATEGORY_IDS, rules)
        assert [each["score"] for each in found] == stay


@pytest.mark.parametrize("case", ["random", "ties", "exact", "low", "saturated"])
@pytest.mark.parametrize(("reference", "clip"), [("torchvision", True), ("caffe", False)])
def test_offsets_and_scores_become_the_detections_of_the_reference(
    case: str, reference: str, clip: bool
) -> None:
    side = int(GOLDEN[f"{case}_image_size"])
    offsets, scores = GOLDEN[f"{case}_offsets"][None], GOLDEN[f"{case}_softmax"][None, :, 1:]
    batches = [(np.zeros((1, 3, 1, 1), np.float32), np.array([[5]]), np.array([[side, side]]))]
    rules = dataclasses.replace(RULES, clip=clip, nms_iou=0.45, detections_per_image=200)
    labels = tuple(range(1, 1 + scores.shape[2]))
    (found,) = detect(
        lambda pixels: (offsets, scores), batches, GOLDEN[f"{case}_anchors"], (0.1, 0.2), labels, rules
    )
    ours = np.array([[each["category_id"], each["score"], *each["bbox"]] for each in found]).reshape(-1, 6)
    expected = GOLDEN[f"{case}_{reference}_dets"].astype(np.float64)  # label, score, yxyx
    expected[:, 2:] = to_xywh_px(expected[:, 2:], side, side)

    assert len(ours) == len(expected)
    # scores are rounded to 5 decimals, pixels to 3
    same = (np.abs(ours[:, None] - expected) <= [0, 6e-6, 2e-3, 2e-3, 2e-3, 2e-3]).all(axis=2)
    assert same.any(axis=0).all() and same.any(axis=1).all()


def test_each_photo_has_its_own_size() -> None:
    scores = {0.0: [[0.9, 0.0], [0.0, 0.0]]}
    found = detect_by_hand(scores, [(0.0, 1, 100, 50), (0.0, 2, 30, 40), (0.0, 3, 7, 9)])
    assert [of_image[0]["bbox"] for of_image in found] == [[0, 0, 25, 100], [0, 0, 20, 30], [0, 0, 4.5, 7]]


def test_labels_become_the_category_ids_of_the_annotation_file() -> None:
    ((first, second),) = detect_by_hand({0.0: [[0.5, 0.75], [0.0, 0.0]]}, [(0.0, 1, 10, 10)])
    assert (first["category_id"], first["score"]) == (7, 0.75)
    assert (second["category_id"], second["score"]) == (3, 0.5)


def test_every_photo_is_answered_for_in_order_also_without_detections() -> None:
    scores = {0.0: [[0.9, 0.0], [0.0, 0.0]], 1.0: [[0.0, 0.0], [0.0, 0.01]]}
    images = [(1.0, 40, 9, 9), (0.0, 20, 9, 9), (1.0, 30, 9, 9), (0.0, 50, 9, 9), (1.0, 10, 9, 9)]
    found = detect_by_hand(scores, images)
    assert [len(of_image) for of_image in found] == [0, 1, 0, 1, 0]
    assert [of_image[0]["image_id"] for of_image in found if of_image] == [20, 50]


def test_ids_and_numbers_are_plain_python_for_json() -> None:
    ((found, _),) = detect_by_hand({0.0: [[0.9, 0.0], [0.0, 0.8]]}, [(0.0, 2**40, 9, 9)])
    assert found["image_id"] == 2**40
    assert {type(value) for value in (found["image_id"], found["category_id"])} == {int}
    assert {type(value) for value in (*found["bbox"], found["score"])} == {float}


def test_a_number_that_is_not_finite_is_no_detection() -> None:
    (found,) = detect_by_hand({0.0: [[np.nan, 0.0], [0.0, 0.8]]}, [(0.0, 1, 10, 10)])
    assert [each["score"] for each in found] == [0.8]


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    """Five inputs, two of them the learnt ones."""
    rng = np.random.default_rng(5)
    others = [rng.integers(0, 256, (60 + 9 * index, 80, 3), np.uint8) for index in range(3)]
    pictures = [others[0], photo(), others[1], empty_photo(), others[2]]
    return np.stack([network_input(picture, 300, DESCRIPTION.model.input) for picture in pictures])


@pytest.fixture(scope="module")
def predicts(checkpoint_path: Path) -> dict[int, Predict]:
    """The learnt detector as loaded from its file, for three sizes of batch."""
    checkpoint = load_checkpoint(checkpoint_path)
    return {size: make_predict(load_network(checkpoint), "sigmoid", size) for size in (1, 3, 4)}


def test_a_slim_network_finds_the_object_it_learnt(predicts: dict[int, Predict]) -> None:
    pixels, _, _ = batch()
    ids, sizes = np.array([[1], [2]]), np.array([[HEIGHT, WIDTH]] * 2)
    found, in_empty = detect(
        predicts[4], [(pixels, ids, sizes)], ANCHORS, (0.1, 0.2), DESCRIPTION.category_ids, RULES
    )
    best = found[0]
    assert best["category_id"] == DESCRIPTION.category_ids[LABEL - 1]
    assert best["score"] > 0.5
    overlap = iou(
        *(from_xywh_px(np.array([box], float), HEIGHT, WIDTH) for box in (best["bbox"], BOX_XYWH_PX))
    )
    assert overlap[0, 0] > 0.6
    assert max((each["score"] for each in in_empty), default=0) < best["score"] / 2


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_size_of_the_batch_changes_no_result(
    predicts: dict[int, Predict], photos: np.ndarray, batch_size: int
) -> None:
    def outputs(size: int) -> tuple[np.ndarray, ...]:
        parts = [predicts[size](photos[start : start + size]) for start in range(0, len(photos), size)]
        return tuple(np.concatenate(output) for output in zip(*parts, strict=True))

    for one, four in zip(outputs(batch_size), outputs(4), strict=True):
        assert one.shape == four.shape and len(one) == len(photos)
        np.testing.assert_allclose(one, four, atol=1e-5, rtol=1e-5)


def test_scores_are_of_the_classes_without_the_background(
    predicts: dict[int, Predict], photos: np.ndarray
) -> None:
    offsets, scores = predicts[4](photos[:2])
    assert offsets.shape == (2, 8732, 4)
    assert scores.shape == (2, 8732, len(DESCRIPTION.class_names))
    assert scores.min() >= 0 and scores.max() <= 1


class TwoLogits(nn.Cell):
    """Offsets are the pixels; every image has one anchor, its logits 0, 1 and 2."""

    def construct(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        logits = ops.zeros((pixels.shape[0], 1, 3)) + Tensor([0.0, 1.0, 2.0])
        return pixels.reshape(pixels.shape[0], 1, 4), logits


@pytest.mark.parametrize("scores", ["sigmoid", "softmax"])
def test_logits_become_scores_as_they_were_trained(scores: str) -> None:
    pixels = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
    offsets, found = make_predict(TwoLogits(), scores, 2)(pixels)
    np.testing.assert_array_equal(offsets[:, 0], pixels.reshape(2, 4))
    exponentials = np.exp([0.0, 1.0, 2.0])
    expected = {"sigmoid": exponentials / (1 + exponentials), "softmax": exponentials / exponentials.sum()}
    np.testing.assert_allclose(found, [[expected[scores][1:]]] * 2, rtol=1e-5)


def test_a_detector_that_was_trained_on_detects_as_the_one_that_was_loaded(
    learnt: Learnt, predicts: dict[int, Predict], photos: np.ndarray
) -> None:
    before = [parameter.asnumpy().copy() for parameter in learnt.net.get_parameters()]
    trained = make_predict(learnt.net, "sigmoid", 4)(photos[:4])
    for ours, loaded in zip(trained, predicts[4](photos[:4]), strict=True):
        np.testing.assert_array_equal(ours, loaded)
    for parameter, value in zip(learnt.net.get_parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.asnumpy(), value)  # moving statistics stand still


def test_the_limit_of_detections_is_an_images() -> None:
    rules = dataclasses.replace(RULES, detections_per_image=1)
    scores = {0.0: [[0.9, 0.0], [0.0, 0.8]]}
    images = batches_of([(0.0, 1, 9, 9), (0.0, 2, 9, 9)], 2)
    found = list(detect(predict_by_hand(scores), images, BOXES, (0.1, 0.2), CATEGORY_IDS, rules))
    assert [[each["score"] for each in of_image] for of_image in found] == [[0.9], [0.9]]


@given(st.floats(-1e5, 1e5), st.integers(-(10**6), 10**6), st.sampled_from([3, 5]))
def test_many_numbers_are_rounded_as_python_rounds_one(value: float, half: int, digits: int) -> None:
    values = np.array(
        [value, half / 2 / 10**digits, half / 64, float(np.float32(half / 2000)), 0.0, -0.0, 1e18]
    )
    ours = rounded(values, digits).tolist()
    assert [each.hex() for each in ours] == [round(each, digits).hex() for each in values.tolist()]
