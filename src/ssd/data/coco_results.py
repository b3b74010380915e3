"""COCO results, the list of detections that COCO's tools read, as a table: an eighth of the memory."""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ssd.files import write_parts


@dataclass(frozen=True)
class CocoResults:
    """Detections, a column a field, in the order in which they were given.

    Iterated, it gives the entries of COCO's list, one at a time.

    Attributes:
        image_ids: [D] int64.
        category_ids: [D] int64.
        boxes_xywh_px: [D, 4] float64, left, top, width, height in pixels.
        scores: [D] float64.
    """

    image_ids: np.ndarray
    category_ids: np.ndarray
    boxes_xywh_px: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, entries: "Iterable[Mapping[str, Any]]") -> "CocoResults":
        """The table of entries with image_id, category_id, bbox and score; a table is what it was."""
        if isinstance(entries, cls):
            return entries
        image_ids, category_ids, boxes_xywh_px, scores = (array(kind) for kind in "qqdd")
        for each in entries:
            left, top, width, height = each["bbox"]
            boxes_xywh_px.extend((left, top, width, height))
            image_ids.append(each["image_id"])
            category_ids.append(each["category_id"])
            scores.append(each["score"])
        return cls(
            np.asarray(image_ids),
            np.asarray(category_ids),
            np.asarray(boxes_xywh_px).reshape(-1, 4),
            np.asarray(scores),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for start in range(0, len(self), _AT_ONCE):
            some = self.at(slice(start, start + _AT_ONCE))
            columns = (some.image_ids, some.category_ids, some.boxes_xywh_px, some.scores)
            for image_id, category_id, box, score in zip(*(each.tolist() for each in columns), strict=True):
                yield {"image_id": image_id, "category_id": category_id, "bbox": box, "score": score}

    def at(self, places: np.ndarray | slice) -> "CocoResults":
        """The detections at these places, [N] numbers or [D] bool or a slice."""
        return CocoResults(
            self.image_ids[places], self.category_ids[places], self.boxes_xywh_px[places], self.scores[places]
        )


_AT_ONCE = 4096
"""Entries of which there are objects at once."""


def write_coco_results(path: Path, results: CocoResults) -> None:
    """Write COCO's list as `write_json` does, on one line, without having all its entries at once."""
    entries = (
        (", " * (number > 0) + json.dumps(entry, allow_nan=False)).encode("utf-8")
        for number, entry in enumerate(results)
    )
    write_parts(path, chain([b"["], entries, [b"]\n"]))
