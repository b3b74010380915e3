import dataclasses

import numpy as np
import pytest
from small_detector import RULES, photo

from ssd.data.augment.resize import resize
from ssd.data.dataset import network_input
from ssd.engine.checkpoint import Checkpoint, load_network
from ssd.engine.detection import make_predict
from ssd.export.comparison import Comparison, boxes_apart, compare, noise_batches
from ssd.export.runners import Outputs, Run
from ssd.geometry.boxes import clip
from ssd.geometry.offsets import decode

SAME = Comparison(2, 1e-6, 2e-6, (10, 10), ({"AP": 0.5}, {"AP": 0.5005}))
IMAGES = np.stack([resize(photo(), 300)] * 2)
BATCHES = [(IMAGES, np.array([[4], [9]]), np.array([[240, 320]] * 2))]


def changed(**changes: object) -> str | None:
    return dataclasses.replace(SAME, **changes).fault()


def test_what_is_within_the_bounds_has_no_fault() -> None:
    assert SAME.fault() is None
    assert changed(figures=None) is None
    assert changed(figures=({"AP": None}, {"AP": None})) is None
    assert changed(boxes=1e-4, scores=1e-4) is None


def test_what_is_not_within_them_is_told() -> None:
    assert changed(boxes=2e-4) == (
        "expected boxes and scores within 0.0001 of the checkpoint's, got differences of 0.0002 and 2e-06"
    )
    assert "got differences of 1e-06 and 0.5" in str(changed(scores=0.5))
    assert "got differences of nan and" in str(changed(boxes=float("nan")))
    assert "got differences of 1e-06 and nan" in str(changed(scores=float("nan")))
    assert changed(figures=({"AP": 0.5}, {"AP": 0.4985})) == (
        "expected an AP within 0.001 of the checkpoint's 0.5000, got 0.4985"
    )


def test_it_is_told_in_a_line_and_in_json() -> None:
    assert SAME.told() == (
        "boxes within 1.0e-06 and scores within 2.0e-06 of the checkpoint's on 2 images, "
        "AP 0.5005 where it has 0.5000"
    )
    assert dataclasses.replace(SAME, figures=None).told().endswith("on 2 images")
    assert SAME.tree() == {
        "images": 2,
        "largest_difference": {"boxes": 1e-6, "scores": 2e-6},
        "checkpoint": {"detections": 10, "AP": 0.5},
        "export": {"detections": 10, "AP": 0.5005},
    }


def test_boxes_are_compared_by_the_image_and_those_larger_than_it_by_themselves() -> None:
    expected = np.array([[0.25, 0.25, 0.5, 0.5], [-8, 0, 8, 2]])
    for place, change, apart in ((0, 0.125, 0.125), (1, 0.5, 0.5 / 16), (1, np.nan, np.nan)):
        boxes = expected.copy()
        boxes[place, 2] += change
        np.testing.assert_equal(boxes_apart(boxes, expected), apart)


@pytest.fixture(scope="module")
def truthful(checkpoint: Checkpoint) -> Run:
    """What the checkpoint says, as a graph without NMS would say it."""
    predict = make_predict(load_network(checkpoint), checkpoint.description.scores, 1)

    def run(image: np.ndarray) -> Outputs:
        offsets, scores = predict(network_input(image, 300, checkpoint.description.model.input)[None])
        boxes = clip(decode(offsets[0], checkpoint.anchors, checkpoint.description.variances))
        return Outputs(boxes, scores[0], None)

    return run


def test_the_same_outputs_are_nothing_apart(checkpoint: Checkpoint, truthful: Run) -> None:
    found = compare(checkpoint, truthful, BATCHES, RULES, None)
    assert (found.images, found.figures) == (2, None)
    assert max(found.boxes, found.scores) < 1e-5
    assert found.detections[0] == found.detections[1] > 0


def test_one_other_box_and_one_other_score_of_the_last_image_are_found(
    checkpoint: Checkpoint, truthful: Run
) -> None:
    calls = []

    def run(image: np.ndarray) -> Outputs:
        outputs = truthful(image)
        calls.append(image)
        if len(calls) == 2:
            outputs.boxes[8000, 3] += 0.25
            outputs.scores[17, 1] += 0.125
        return outputs

    found = compare(checkpoint, run, BATCHES, RULES, None)
    assert found.boxes == pytest.approx(0.25, abs=1e-5)
    assert found.scores == pytest.approx(0.125, abs=1e-5)


def test_a_single_nan_is_a_fault(checkpoint: Checkpoint, truthful: Run) -> None:
    def run(image: np.ndarray) -> Outputs:
        outputs = truthful(image)
        outputs.scores[17, 1] = np.nan
        return outputs

    found = compare(checkpoint, run, BATCHES, RULES, None)
    assert np.isnan(found.scores)
    assert found.fault() is not None


def test_detections_of_the_graphs_own_nms_are_taken_as_they_are(
    checkpoint: Checkpoint, truthful: Run
) -> None:
    detected = np.zeros((3, 4), np.float32), np.array([1, 2, 2]), np.full(3, 0.5, np.float32)
    found = compare(
        checkpoint,
        lambda image: dataclasses.replace(truthful(image), detected=detected),
        BATCHES,
        RULES,
        None,
    )
    assert found.detections[1] == 6


def test_noise_is_always_the_same_and_each_image_another() -> None:
    first, second = list(noise_batches(300, 2)), list(noise_batches(300, 2))
    assert [each[0].shape for each in first] == [(1, 300, 300, 3)] * 2
    np.testing.assert_array_equal(first[1][0], second[1][0])
    assert (first[0][0] != first[1][0]).any()
