"""The rules for photos and annotations that are not as they should be: mended, left out or refused."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from ssd.config import Mindrecord
from ssd.data.decode import decode
from ssd.data.source import Annotation, Photo
from ssd.geometry.boxes import clip, from_xywh_px

NAMED = 5
"""How many of each kind of repair are named."""

TOLERANCE_PX = 0.01
"""Annotation files round to hundredths: a box that crosses the border by no more is cut and not counted."""

_WAYS_OUT = {
    "box_beyond_image": "repair",
    "box_without_area": "drop",
    "unknown_category": "drop",
    "unreadable_image": "drop",
}
"""Each kind, which is a key of `mindrecord`, and the value that lets it pass."""


def to_record_boxes(annotations: Collection[Annotation], height: int, width: int) -> np.ndarray:
    """The boxes as records hold them: [N, 4] float32 yxyx fractions in [0, 1].

    Args:
        annotations: with boxes that lie in the photo.
        height: the photo's, in pixels.
        width: the photo's, in pixels.
    """
    boxes_xywh_px = np.array([each.box_xywh_px for each in annotations], np.float64).reshape(-1, 4)
    return clip(from_xywh_px(boxes_xywh_px, height, width)).astype(np.float32)


class Repairs:
    """The rules as they are applied to the photos of one split, and the count of what was done."""

    def __init__(self, address: str, category_ids: Collection[int], rules: Mindrecord) -> None:
        """Nothing counted yet.

        Args:
            address: the file that errors name.
            category_ids: those of the data set.
            rules: what to do with what is found.
        """
        self._address = address
        self._category_ids = frozenset(category_ids)
        self._rules = rules
        self._items: dict[str, list[str]] = {kind: [] for kind in _WAYS_OUT}

    def tree(self) -> dict[str, Any]:
        """What was done so far: {kind: {"count": n, "first": the first items by name}}."""
        return {kind: {"count": len(items), "first": items[:NAMED]} for kind, items in self._items.items()}

    def apply(self, photo: Photo) -> Photo | None:
        """The photo with its decoded size and only sound annotations; None if it is to be left out.

        A box is cut at the photo's border; its area is then at most the cut box's. A box that lies wholly
        outside, or that has no area as float32 fractions, is a box without area. Crowds are treated like
        objects.

        Raises:
            ValueError: the rule for what was found is `error`, or the photo's size is not what its
            annotations say.
        """
        item = f"image {photo.id}"
        pixels = decode(photo.encoded)
        if pixels is None:
            self._found(
                "unreadable_image",
                item,
                f"expected a picture that OpenCV can read as {photo.file_name}, "
                f"got {len(photo.encoded)} bytes that are damaged or none",
            )
            return None
        height, width = pixels.shape[:2]
        if photo.height is not None and (photo.height, photo.width) != (height, width):
            raise ValueError(
                f"{self._address}: {item}: expected height {photo.height} and width {photo.width} "
                f"of {photo.file_name}, got a picture of height {height} and width {width}"
            )
        mended = [
            self._mend(annotation, height, width, f"{item} annotation {annotation.id}")
            for annotation in photo.annotations
        ]
        return replace(
            photo, height=height, width=width, annotations=tuple(each for each in mended if each is not None)
        )

    def _mend(self, annotation: Annotation, height: int, width: int, item: str) -> Annotation | None:
        if annotation.category_id not in self._category_ids:
            self._found(
                "unknown_category",
                item,
                f"expected a category_id that is listed in categories, got {annotation.category_id}",
            )
            return None
        cut = _cut(annotation, height, width)
        where = f"image of width {width} and height {height}"
        got = f"got x, y, width, height {list(annotation.box_xywh_px)}"
        if cut is None:
            self._found("box_without_area", item, f"expected a box with area inside the {where}, {got}")
        elif _overshoot_px(annotation, height, width) > TOLERANCE_PX:
            self._found("box_beyond_image", item, f"expected a box inside the {where}, {got}")
        return cut

    def _found(self, kind: str, item: str, sentence: str) -> None:
        if getattr(self._rules, kind) == "error":
            raise ValueError(
                f"{self._address}: {item}: {sentence}; mindrecord.{kind}: {_WAYS_OUT[kind]} lets it pass"
            )
        self._items[kind].append(item)


def _overshoot_px(annotation: Annotation, height: int, width: int) -> float:
    """How far the box crosses the border of the photo; negative inside."""
    x, y, box_width, box_height = annotation.box_xywh_px
    return max(-x, -y, x + box_width - width, y + box_height - height)


def _cut(annotation: Annotation, height: int, width: int) -> Annotation | None:
    """The annotation cut to the photo; the very same if it lies inside; None if no area is left of it."""
    x, y, box_width, box_height = annotation.box_xywh_px
    xmax, ymax = x + box_width, y + box_height
    if box_width <= 0 or box_height <= 0 or x >= width or y >= height or xmax <= 0 or ymax <= 0:
        return None
    if _overshoot_px(annotation, height, width) > 0:
        x, xmax, y, ymax = max(x, 0.0), min(xmax, float(width)), max(y, 0.0), min(ymax, float(height))
        area_px = min(annotation.area_px, (xmax - x) * (ymax - y))
        annotation = replace(annotation, box_xywh_px=(x, y, xmax - x, ymax - y), area_px=area_px)
    top, left, bottom, right = to_record_boxes([annotation], height, width)[0]
    return annotation if top < bottom and left < right else None
