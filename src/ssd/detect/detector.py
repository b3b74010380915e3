"""The detector as a function of a picture: `Detector.load(path).detect(image)`.

The rules of selection are not in a checkpoint: where the caller leaves them open they are those of the recipes in
recipes/ whose network it is, up to the number of detections, which is 100 for all (some recipes say 200).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from ssd.config import Evaluate, from_tree
from ssd.data.dataset import network_input
from ssd.detect.pictures import read_picture
from ssd.engine.checkpoint import UNUSED, Checkpoint, Description, load_checkpoint, load_network
from ssd.engine.detection import detect, make_predict

CANDIDATES_PER_CLASS = 400


@dataclass(frozen=True)
class Detections:
    """What was found in one picture, best first.

    Attributes:
        boxes_xyxy_px: [D, 4] float64, left, top, right, bottom in pixels of the picture.
        scores: [D] float64.
        labels: [D] int64, 1 and up, in the order of the detector's classes.
        category_ids: [D] int64, the classes' ids in the annotation file that the detector was trained on.
        names: of the classes, D of them.
    """

    boxes_xyxy_px: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    category_ids: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        """The number of detections."""
        return len(self.scores)


class Detector:
    """A trained detector, compiled for batches of one size.

    Attributes:
        classes: names by category id, in the order of the labels.
    """

    def __init__(self, checkpoint: Checkpoint, rules: Evaluate) -> None:
        """The detector of a checkpoint.

        Args:
            checkpoint: as `load_checkpoint` gives it.
            rules: thresholds, limits and the size of a batch.
        """
        described = checkpoint.description
        self.classes = dict(zip(described.category_ids, described.class_names, strict=True))
        self._labels = {category_id: label for label, category_id in enumerate(self.classes, 1)}
        self._model, self._variances = described.model, described.variances
        self._anchors, self._rules = checkpoint.anchors, rules
        self._predict = make_predict(load_network(checkpoint), described.scores, rules.batch_size)

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        min_score: float = 0.3,
        nms_iou: float | None = None,
        max_detections: int = 100,
        batch_size: int = 1,
    ) -> "Detector":
        """The detector of a checkpoint's file.

        Args:
            path: the file, as stage train or `ssd convert` wrote it.
            min_score: detections score above this.
            nms_iou: of two boxes of a class that overlap more, the better stays; None: as the network's recipe has it.
            max_detections: at most so many in a picture.
            batch_size: pictures that go through the network together. A batch that is not full takes as long as
                one that is; another size can change the last digit of a result.

        Raises:
            ValueError: no such file, damaged, or not one of ours; a number out of its range.
        """
        checkpoint = load_checkpoint(Path(path))
        return cls(
            checkpoint, rules_for(checkpoint.description, min_score, nms_iou, max_detections, batch_size)
        )

    def detect(self, image: np.ndarray | Path | str) -> Detections:
        """What is in a picture.

        Args:
            image: [H, W, 3] uint8 RGB, or a picture's file, which is turned as its EXIF orientation says.

        Raises:
            ValueError: no such file, or not a picture.
        """
        if isinstance(image, (str, Path)):
            image = read_picture(Path(image))
        (found,) = self.detect_all([image])
        return found

    def detect_all(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """What is in each of several pictures; of each the same as without the others.

        Args:
            images: each [H, W, 3] uint8 RGB, of any size.

        Raises:
            ValueError: not such an array.
        """
        of_images = detect(
            self._predict,
            self._batches(images),
            self._anchors,
            self._variances,
            tuple(self.classes),
            self._rules,
        )
        return [self._detections(found) for found in of_images]

    def _batches(self, images: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Pixels, places in `images` and sizes, as `ssd.engine.detection.detect` wants them."""
        size = self._rules.batch_size
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            for image in batch:
                _require_picture(image)
            pixels = [network_input(image, self._model.input_size, self._model.input) for image in batch]
            places = np.arange(start, start + len(batch))[:, None]
            yield np.stack(pixels), places, np.array([image.shape[:2] for image in batch])

    def _detections(self, found: list[dict[str, Any]]) -> Detections:
        """Of COCO's results; labels that no object has are left out."""
        found = [each for each in found if self.classes[each["category_id"]] != UNUSED]
        boxes_xywh_px = np.array([each["bbox"] for each in found], np.float64).reshape(-1, 4)
        corner, size = boxes_xywh_px[:, :2], boxes_xywh_px[:, 2:]
        ids = [each["category_id"] for each in found]
        return Detections(
            np.concatenate([corner, corner + size], axis=1),
            np.array([each["score"] for each in found], np.float64),
            np.array([self._labels[category_id] for category_id in ids], np.int64),
            np.array(ids, np.int64),
            tuple(self.classes[category_id] for category_id in ids),
        )


def rules_for(
    description: Description, min_score: float, nms_iou: float | None, max_detections: int, batch_size: int
) -> Evaluate:
    """The rules of selection for a network; IoU of NMS and cutting at the border as its recipe has them.

    The tutorial's networks, whose scores are sigmoids, have 0.6, all others 0.45. The paper's, which normalise
    conv4_3, do not cut boxes, save torchvision's, which are known by anchors that are held to the image's size.

    Raises:
        ValueError: a number out of its range.
    """
    if nms_iou is None:
        nms_iou = 0.6 if description.scores == "sigmoid" else 0.45
    cut = not description.model.l2_norm or description.anchors.clip == "size"
    named = {
        "batch_size": batch_size,
        "min_score": min_score,
        "nms_iou": nms_iou,
        "max_detections": max_detections,
    }
    kinds = get_type_hints(Evaluate, include_extras=True)
    kinds["max_detections"] = kinds["detections_per_image"]
    for name, value in named.items():
        from_tree(kinds[name], value, name)
    return Evaluate(
        batch_size=batch_size,
        min_score=min_score,
        candidates_per_class=CANDIDATES_PER_CLASS,
        clip=cut,
        nms_iou=nms_iou,
        detections_per_image=max_detections,
    )


def _require_picture(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"image: expected [H, W, 3] uint8 RGB, got {list(image.shape)} {image.dtype}")
