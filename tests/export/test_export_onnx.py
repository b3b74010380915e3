"""The NMS that an ONNX file gets is that of the pipeline."""

import dataclasses
import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra export")
pytest.importorskip("onnxruntime", reason="needs the extra export")

from onnx import TensorProto, helper  # noqa: E402

from ssd.config import Evaluate  # noqa: E402
from ssd.engine.detection import select  # noqa: E402
from ssd.export.onnx_graph import DETECTED, finish  # noqa: E402

RULES = Evaluate(
    batch_size=1, min_score=0.3, candidates_per_class=50, clip=False, nms_iou=0.45, detections_per_image=20
)


def bare(anchors: int, classes: int) -> bytes:
    """A graph with two outputs without names of sense: the boxes and scores that go in."""
    ends = [("a", "x/boxes", [1, anchors, 4]), ("b", "x/scores", [1, anchors, classes])]
    graph = helper.make_graph(
        [helper.make_node("Identity", [given], [told]) for given, told, _ in ends],
        "bare",
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, shape) for given, _, shape in ends],
        [helper.make_tensor_value_info(told, TensorProto.FLOAT, shape) for _, told, shape in ends],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=4)
    return model.SerializeToString()


def detected(boxes: np.ndarray, scores: np.ndarray, rules: Evaluate) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(finish(bare(*scores.shape), rules, {}))
    return session.run(list(DETECTED), {"a": boxes[None], "b": scores[None]})


def crowded(seed: int, anchors: int = 400, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of some width at some places, all scores different."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-0.2, 0.8, (anchors, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.1, 0.4, (anchors, 2))], axis=1)
    scores = rng.permutation(anchors * classes).reshape(anchors, classes) / (anchors * classes)
    return boxes.astype(np.float32), scores.astype(np.float32)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"detections_per_image": 1000},
        {"candidates_per_class": 400},
        {"candidates_per_class": 5, "detections_per_image": 1000},
        {"candidates_per_class": 1, "min_score": 0.0},
        {"nms_iou": 0.0},
        {"nms_iou": 1.0, "detections_per_image": 1000},
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_nms_inside_the_graph_selects_what_the_pipeline_selects(seed: int, changes: dict[str, float]) -> None:
    boxes, scores = crowded(seed)
    rules = dataclasses.replace(RULES, **changes)
    expected = select(boxes, scores, rules)
    assert len(expected[0]) > 2
    for ours, theirs in zip(detected(boxes, scores, rules), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_nothing_above_the_least_score_is_no_detection() -> None:
    boxes, scores = crowded(1)
    found = detected(boxes, np.full_like(scores, 0.3), RULES)
    assert [each.shape for each in found] == [(0, 4), (0,), (0,)]
    assert found[1].dtype == np.int64


def test_of_two_that_overlap_the_better_stays_and_labels_begin_at_1() -> None:
    boxes = np.array([[0, 0, 1, 0.5], [0, 0, 1, 0.6], [0.5, 0.5, 1, 1]], np.float32)
    scores = np.array([[0.7, 0.1], [0.8, 0.1], [0.2, 0.9]], np.float32)
    found_boxes, labels, best = detected(boxes, scores, RULES)
    np.testing.assert_array_equal(labels, [2, 1])
    np.testing.assert_array_equal(best, np.array([0.9, 0.8], np.float32))
    np.testing.assert_array_equal(found_boxes, boxes[[2, 1]])


def test_the_file_has_names_and_its_description_and_is_always_the_same() -> None:
    told = {"class_names": ["Straße", "dog"]}
    data = finish(bare(400, 3), RULES, told)
    assert data == finish(bare(400, 3), RULES, told)
    model = onnx.load_model_from_string(data)
    assert [each.name for each in model.graph.output] == ["boxes", "scores", *DETECTED]
    assert {each.key: json.loads(each.value) for each in model.metadata_props} == {"ssd": told}
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 11)]


def test_without_nms_there_are_boxes_and_scores_alone() -> None:
    model = onnx.load_model_from_string(finish(bare(400, 3), None, {}))
    assert [each.name for each in model.graph.output] == ["boxes", "scores"]
    assert {each.op_type for each in model.graph.node} == {"Identity"}
