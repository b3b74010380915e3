"""The objects of a split as training sees them, 32 bytes each, read without having all annotations in memory."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ssd.data.big_json import read_big_json
from ssd.data.coco_annotations import CocoAnnotations, packed
from ssd.data.records import require_as_written
from ssd.geometry.boxes import from_xywh_px
from ssd.geometry.coverage import by_size

_AT_ONCE = 4096
"""Annotations of which there is a table at once."""


@dataclass(frozen=True)
class Objects(Sequence[np.ndarray]):
    """The objects that count, crowds and difficult ones do not; a sequence of the boxes of each image.

    Attributes:
        boxes: [N, 4] float32 yxyx, image by image: fractions of the photo's sides.
        areas_px: [N] as annotated.
        category_ids: [N].
        ends: [images + 1] where the objects of each image end, after a 0.
    """

    boxes: np.ndarray
    areas_px: np.ndarray
    category_ids: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        """Number of images."""
        return len(self.ends) - 1

    def __getitem__(self, image: int) -> np.ndarray:  # type: ignore[override]
        """The boxes of the image at this place, from 0: [G, 4]."""
        if not 0 <= image < len(self):
            raise IndexError(image)
        return self.boxes[self.ends[image] : self.ends[image + 1]]

    def groups(self) -> dict[str, np.ndarray]:
        """Which objects, [N] bool, are in each group: all, small, medium, large."""
        return {"all": np.ones(len(self.boxes), bool), **by_size(self.areas_px)}


def load_objects(folder: Path, split: str) -> Objects:
    """Those of the records of a split.

    Args:
        folder: data/records, whose ground truth lists first the images, by ascending ids, then their annotations.
        split: train or val.

    Raises:
        ValueError: not the file that the manifest describes.
    """
    name = f"{split}.json"
    require_as_written(folder, name)
    reading = _Reading()
    read_big_json(
        folder / name,
        lambda entry: packed(entry) if "bbox" in entry else entry,
        {"images": reading.images, "annotations": reading.annotations},
    )
    boxes, areas, category_ids, ends = map(np.asarray, (reading.boxes, *reading.columns, reading.ends))
    return Objects(boxes.reshape(-1, 4), areas, category_ids, ends)


class _Reading:
    """What becomes of the lists of a ground truth while they are read."""

    def __init__(self) -> None:
        self.ids = self.heights = self.widths = np.zeros(0, np.int64)
        self.boxes = array("f")
        self.columns = array("d"), array("q")
        self.ends = np.zeros(1, np.int64)

    def images(self, items: Iterable[dict[str, Any]]) -> None:
        """Take ids and sizes."""
        numbers = array("q")
        for each in items:
            numbers.extend((each["id"], each["height"], each["width"]))
        self.ids, self.heights, self.widths = np.asarray(numbers).reshape(-1, 3).T
        self.ends = np.zeros(len(self.ids) + 1, np.int64)

    def annotations(self, items: Iterable[bytes]) -> None:
        """Take boxes, areas and classes."""
        areas, category_ids = self.columns
        left = iter(items)
        while some := list(islice(left, _AT_ONCE)):
            counted = CocoAnnotations.of(some).counted
            images = self.ids.searchsorted(counted["image_id"])
            boxes = from_xywh_px(counted["bbox"], self.heights[images], self.widths[images])
            self.boxes.frombytes(boxes.astype(np.float32).tobytes())
            areas.frombytes(counted["area"].tobytes())
            category_ids.frombytes(counted["category_id"].tobytes())
            self.ends[1:] += np.bincount(images, minlength=len(self.ids))
        self.ends = self.ends.cumsum()
