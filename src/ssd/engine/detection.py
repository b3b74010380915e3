"""From batches of pixels to detections in COCO's form."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import mindspore.nn as nn
import numpy as np
from mindspore import Tensor

from ssd.config import Evaluate
from ssd.geometry.boxes import clip, to_xywh_px
from ssd.geometry.nms import select_detections
from ssd.geometry.offsets import decode
from ssd.model.convolution import fix_kernels
from ssd.runtime import compile_whole_cells

Predict = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Scorer(nn.Cell):
    """A network with the scores of the classes, without the background.

    Args:
        net: from pixels to offsets [B, A, 4] and logits [B, A, 1 + C].
        scores: "sigmoid" or "softmax", as it was trained.

    Inputs:
        pixels [B, 3, S, S].

    Outputs:
        offsets [B, A, 4], scores [B, A, C].
    """

    def __init__(self, net: nn.Cell, scores: str) -> None:
        super().__init__(auto_prefix=False)
        self.net = net
        self.to_scores = {"sigmoid": nn.Sigmoid(), "softmax": nn.Softmax(-1)}[scores]

    def construct(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Offsets and scores."""
        offsets, logits = self.net(pixels)
        return offsets, self.to_scores(logits)[:, :, 1:]


def make_predict(
    net: nn.Cell,
    scores: str,
    batch_size: int,
    compiling: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Predict:
    """`net` as a function of pixels [B, 3, S, S], B at most `batch_size`, compiled for one size of batch.

    It gives offsets [B, A, 4] and scores [B, A, C] of the classes without the background. The weights must have
    been loaded before.

    Args:
        net: the network.
        scores: as in `Scorer`.
        batch_size: the largest B.
        compiling: what it is compiled within, at the first call, such as `kept_graph`.
    """
    compile_whole_cells()
    fix_kernels(net)
    scorer = Scorer(net, scores).set_train(False)
    compiled = False

    def predict(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal compiled
        padding = [(0, batch_size - len(pixels))] + [(0, 0)] * 3
        padded = Tensor(np.pad(pixels, padding))
        if not compiled:
            with compiling():
                scorer.compile(padded)
            compiled = True
        offsets, scores = scorer(padded)
        return offsets.asnumpy()[: len(pixels)], scores.asnumpy()[: len(pixels)]

    return predict


def detect(
    predict: Predict,
    batches: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
    anchors: np.ndarray,
    variances: tuple[float, float],
    category_ids: tuple[int, ...],
    rules: Evaluate,
) -> Iterator[list[dict[str, Any]]]:
    """The detections of each image, one list an image, in the order of the batches.

    Args:
        predict: from pixels to offsets and scores.
        batches: pixels [B, 3, S, S], image ids [B, 1], photo sizes [B, 2] height, width in pixels.
        anchors: [A, 4] yxyx.
        variances: divisors of encoded centres and sizes.
        category_ids: of labels 1, 2, …
        rules: thresholds and limits.

    Yields:
        COCO results: image_id, category_id, bbox [x, y, w, h] in pixels, score; best first; boxes are cut at the
        border, before NMS, if `rules.clip` says so.
    """
    for pixels, image_ids, photos_px in batches:
        offsets, scores = predict(pixels)
        for of_image, score, image_id, photo_px in zip(offsets, scores, image_ids, photos_px, strict=True):
            selected = select(decode(of_image, anchors, variances), score, rules)
            yield to_results(*selected, int(image_id[0]), photo_px, category_ids)


def select(
    boxes: np.ndarray, scores: np.ndarray, rules: Evaluate
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The detections of one image: boxes [D, 4] yxyx, labels [D] and scores [D], best first.

    Args:
        boxes: [A, 4] yxyx.
        scores: [A, C], of the classes without the background.
        rules: thresholds and limits; boxes are cut at the border, before NMS, if `rules.clip` says so.
    """
    return select_detections(
        clip(boxes) if rules.clip else boxes,
        scores,
        rules.min_score,
        rules.candidates_per_class,
        rules.nms_iou,
        rules.detections_per_image,
    )


def to_results(
    boxes: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    image_id: int,
    photo_px: np.ndarray,
    category_ids: tuple[int, ...],
) -> list[dict[str, Any]]:
    """The detections of one image as COCO results.

    Args:
        boxes, labels, scores: [D, 4] yxyx, [D], [D].
        image_id: the image's.
        photo_px: [2] its height and width in pixels.
        category_ids: of labels 1, 2, …
    """
    boxes_px = to_xywh_px(boxes.astype(np.float64), *photo_px.tolist())
    told = zip(
        (category_ids[label - 1] for label in labels.tolist()),
        rounded(boxes_px, 3).tolist(),
        rounded(scores.astype(np.float64), 5).tolist(),
        strict=True,
    )
    return [
        {"image_id": image_id, "category_id": category_id, "bbox": box_px, "score": score}
        for category_id, box_px, score in told
    ]


def rounded(values: np.ndarray, digits: int) -> np.ndarray:
    """Python's `round` of each value, float64, which the product with a power of ten may round the other way."""
    scaled = values * 10.0**digits
    whole = np.rint(scaled)
    rounded = whole / 10.0**digits
    undecided = np.abs(np.abs(scaled - whole) - 0.5) < 1e-4
    undecided |= ~(np.abs(scaled) < 2.0**40)  # too large for the digits that are left, or not finite
    rounded[undecided] = [round(value, digits) for value in values[undecided].tolist()]
    return rounded
