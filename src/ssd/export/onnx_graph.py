"""What an ONNX file has beyond what MindSpore writes: names, non-maximum suppression, and a description.

NMS is ONNX's own operator, which MindSpore has not on the CPU, with the limits of `select_detections` around it.
Departure: where several boxes of a class have exactly the score of the last of `candidates_per_class`, all of them
enter NMS, not the first alone.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ssd.config import Evaluate

if TYPE_CHECKING:
    import onnx

DETECTED = ("detected_boxes", "detected_labels", "detected_scores")
KEY = "ssd"
"""Of the description, in JSON, among the file's metadata."""

_PREFIX = "nms/"


def finish(data: bytes, rules: Evaluate | None, described: dict[str, Any]) -> bytes:
    """An ONNX file with named outputs, a description and, if asked for, NMS.

    Args:
        data: as MindSpore wrote it, with two outputs: boxes [1, A, 4] yxyx and scores [1, A, C].
        rules: thresholds and limits of the detections; None: no NMS.
        described: what the file's metadata says of it.

    Returns:
        a file with the outputs boxes and scores and, with NMS, those of `DETECTED` for D detections, best first:
        boxes [D, 4], labels [D] int64 from 1 on, scores [D]. The same input gives the same bytes.
    """
    import onnx

    model = onnx.load_model_from_string(data)
    graph = model.graph
    for output, name in zip(graph.output, ("boxes", "scores"), strict=True):
        _rename(graph, output.name, name)
        output.name = name
    if rules is not None:
        anchors = graph.output[0].type.tensor_type.shape.dim[1].dim_value
        _add_nms(graph, rules, anchors)
    onnx.helper.set_model_props(model, {KEY: json.dumps(described, ensure_ascii=False)})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _rename(graph: "onnx.GraphProto", old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]


def _add_nms(graph: "onnx.GraphProto", rules: Evaluate, anchors: int) -> None:
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, values: Any, dtype: type) -> str:
        array: np.ndarray = np.array(values, dtype)
        graph.initializer.append(numpy_helper.from_array(array, _PREFIX + name))
        return _PREFIX + name

    def add(kind: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        graph.node.append(helper.make_node(kind, inputs, list(outputs), name=outputs[-1], **attributes))
        return outputs[0]

    def own(name: str) -> str:
        return _PREFIX + name

    candidates = add("Transpose", ["scores"], own("by_class"), perm=[0, 2, 1])
    if rules.candidates_per_class < anchors:
        last = rules.candidates_per_class
        count = constant("candidates_per_class", [last], np.int64)
        best = add("TopK", [candidates, count], own("best"), own("best_places"), axis=2)
        before, axis = constant("before", [last - 1], np.int64), constant("axis", [2], np.int64)
        least = add("Slice", [best, before, count, axis], own("least"))
        below = add("Less", [candidates, least], own("below"))
        # 0 is never above min_score
        zero = constant("zero", 0, np.float32)
        candidates = add("Where", [below, zero, candidates], own("candidates"))

    limit = rules.detections_per_image
    most = constant("detections_per_class", [limit], np.int64)
    overlap = constant("iou", [rules.nms_iou], np.float32)
    threshold = constant("min_score", [rules.min_score], np.float32)
    kept = add("NonMaxSuppression", ["boxes", candidates, most, overlap, threshold], own("kept"))
    kept_scores = add("GatherND", [candidates, kept], own("kept_scores"))

    # the smaller of two whole numbers: opset 11 has Min of floats only
    length = add(
        "Cast", [add("Shape", [kept_scores], own("length"))], own("length_float"), to=TensorProto.FLOAT
    )
    shorter = add(
        "Min", [length, constant("detections_per_image", [limit], np.float32)], own("shorter_float")
    )
    count = add("Cast", [shorter], own("shorter"), to=TensorProto.INT64)
    add("TopK", [kept_scores, count], "detected_scores", own("order"), axis=0)
    chosen = add("Gather", [kept, own("order")], own("chosen"), axis=0)
    columns = add("Gather", [chosen, constant("class", 1, np.int64)], own("columns"), axis=1)
    add("Add", [columns, constant("background", 1, np.int64)], "detected_labels")
    places = add("Gather", [chosen, constant("box", 2, np.int64)], own("places"), axis=1)
    of_image = add("Squeeze", ["boxes"], own("boxes"), axes=[0])
    add("Gather", [of_image, places], "detected_boxes", axis=0)

    for name, kind, shape in zip(
        DETECTED,
        (TensorProto.FLOAT, TensorProto.INT64, TensorProto.FLOAT),
        (["detections", 4], ["detections"], ["detections"]),
        strict=True,
    ):
        graph.output.append(helper.make_tensor_value_info(name, kind, shape))
