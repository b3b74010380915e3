"""What each record must be: the ground truth of a split and the checksums of its rows, brought together."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ssd.data.coco_annotations import CocoAnnotations
from ssd.data.records import CHECKSUMS, load_checksums, load_classes, load_ground_truth, read_manifest
from ssd.geometry.boxes import clip, from_xywh_px


@dataclass(frozen=True, slots=True)
class Expected:
    """One record as it must be.

    Attributes:
        image_id: the photo's.
        size: its height and width in pixels.
        boxes: [G, 4] float32 yxyx, fractions, of the objects that count.
        labels: [G] of them.
        checksum: the `records.row_sha256` of the row.
    """

    image_id: int
    size: tuple[int, int]
    boxes: np.ndarray
    labels: np.ndarray
    checksum: str


def load_expected(folder: Path, split: str) -> list[Expected]:
    """What each row of a split must be, in their order, from a ground truth that is sound in itself.

    Args:
        folder: data/records.
        split: train or val.

    Raises:
        ValueError: the first thing that is wrong with class list, ground truth or checksums, which name it.
    """
    path = folder / f"{split}.json"
    classes = load_classes(folder)
    truth = load_ground_truth(folder, split)
    checksums = load_checksums(folder, split)
    labels = {each.category_id: each.label for each in classes}
    image_ids = [image["id"] for image in truth["images"]]
    if any(after <= before for before, after in pairwise(image_ids)):
        raise ValueError(f"{path}: expected image ids in ascending order, each once, got others")
    if [(each["id"], each["name"]) for each in truth["categories"]] != [
        (each.category_id, each.name) for each in classes
    ]:
        raise ValueError(f"{path}: expected the categories of classes.json, got others")
    _require_sound(truth["annotations"], image_ids, labels, path)
    objects, counts = truth["annotations"].counted.of_images(image_ids)
    wanted = read_manifest(folder)["splits"][split]["objects"]
    if len(objects) != wanted:
        raise ValueError(f"{path}: expected {wanted} objects, as the manifest says, got {len(objects)}")
    if len(checksums) != len(image_ids):
        raise ValueError(
            f"{folder / CHECKSUMS}: {split}: expected {len(image_ids)} checksums, got {len(checksums)}"
        )
    for image in truth["images"]:
        if not all(type(image[side]) is int and image[side] > 0 for side in ("height", "width")):
            raise ValueError(
                f"{path}: image {image['id']}: expected height and width in pixels, "
                f"got {image['height']!r:.50} and {image['width']!r:.50}"
            )
    ends = counts.cumsum()
    return [
        _expect(image, objects.at(slice(end - count, end)), labels, checksum)
        for image, checksum, count, end in zip(
            truth["images"], checksums, counts.tolist(), ends.tolist(), strict=True
        )
    ]


def _require_sound(
    annotations: CocoAnnotations, image_ids: list[int], labels: dict[int, int], path: Path
) -> None:
    """Make sure that each annotation has an id of its own, and an image and a category of these."""
    known, seen = set(image_ids), set()
    for annotation in annotations:
        address = f"{path}: image {annotation['image_id']} annotation {annotation['id']}"
        if annotation["id"] in seen or annotation["image_id"] not in known:
            raise ValueError(f"{address}: expected an id of its own and an image of these records")
        if annotation["category_id"] not in labels:
            raise ValueError(f"{address}: expected a known category, got {annotation['category_id']}")
        seen.add(annotation["id"])


def _expect(
    image: dict[str, Any], objects: CocoAnnotations, labels: dict[int, int], checksum: str
) -> Expected:
    size = image["height"], image["width"]
    return Expected(
        image["id"],
        size,
        clip(from_xywh_px(objects["bbox"], *size)).astype(np.float32),
        np.array([labels[each] for each in objects["category_id"].tolist()], np.int32),
        checksum,
    )
