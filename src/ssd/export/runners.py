"""An exported file as a function of a picture, run by what its users run it with: onnxruntime, or MindSpore."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import mindspore.nn as nn
import numpy as np

from ssd.export.formats import Format
from ssd.export.onnx_graph import DETECTED
from ssd.runtime import processors


@dataclass(frozen=True)
class Outputs:
    """What an exported graph says of one picture.

    Attributes:
        boxes: [A, 4] yxyx.
        scores: [A, C].
        detected: boxes [D, 4], labels [D], scores [D]; None: the graph has no NMS.
    """

    boxes: np.ndarray
    scores: np.ndarray
    detected: tuple[np.ndarray, np.ndarray, np.ndarray] | None


Run = Callable[[np.ndarray], Outputs]
"""Of an image [S, S, 3] uint8 RGB."""


def make_run(data: bytes, kind: Format) -> Run:
    """The function that runs a file of this content."""
    return _with_onnxruntime(data) if kind == "onnx" else _with_mindspore(data)


def _with_onnxruntime(data: bytes) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = processors()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    has_nms = set(DETECTED) <= {output.name for output in session.get_outputs()}
    wanted = ["boxes", "scores", *(DETECTED if has_nms else ())]

    def run(image: np.ndarray) -> Outputs:
        boxes, scores, *detected = session.run(wanted, {"image": image[None]})
        return Outputs(boxes[0], scores[0], tuple(detected) if has_nms else None)

    return run


def _with_mindspore(data: bytes) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.mindir"
        path.write_bytes(data)
        net = nn.GraphCell(ms.load(str(path)))

    def run(image: np.ndarray) -> Outputs:
        boxes, scores = net(ms.Tensor(image[None]))
        return Outputs(boxes.asnumpy()[0], scores.asnumpy()[0], None)

    return run
