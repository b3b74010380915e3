"""What each record must be: the ground truth of a split and the checksums of its rows, brought together."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ssd.data.records import CHECKSUMS, load_checksums, load_classes, load_ground_truth, read_manifest
from ssd.data.source import is_counted
from ssd.geometry.boxes import clip, from_xywh_px


@dataclass(frozen=True)
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
    objects = _objects_by_image(truth, image_ids, labels, path)
    count = sum(map(len, objects.values()))
    wanted = read_manifest(folder)["splits"][split]["objects"]
    if count != wanted:
        raise ValueError(f"{path}: expected {wanted} objects, as the manifest says, got {count}")
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
    return [
        _expect(image, objects[image["id"]], labels, checksum)
        for image, checksum in zip(truth["images"], checksums, strict=True)
    ]


def _objects_by_image(
    truth: dict[str, Any], image_ids: list[int], labels: dict[int, int], path: Path
) -> dict[int, list[dict[str, Any]]]:
    """The objects of each photo that count."""
    objects: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in image_ids}
    seen: set[int] = set()
    for annotation in truth["annotations"]:
        address = f"{path}: image {annotation['image_id']} annotation {annotation['id']}"
        if annotation["id"] in seen or annotation["image_id"] not in objects:
            raise ValueError(f"{address}: expected an id of its own and an image of these records")
        if annotation["category_id"] not in labels:
            raise ValueError(f"{address}: expected a known category, got {annotation['category_id']}")
        seen.add(annotation["id"])
        if is_counted(annotation):
            objects[annotation["image_id"]].append(annotation)
    return objects


def _expect(
    image: dict[str, Any], objects: list[dict[str, Any]], labels: dict[int, int], checksum: str
) -> Expected:
    size = image["height"], image["width"]
    boxes_xywh_px = np.array([each["bbox"] for each in objects], np.float64).reshape(-1, 4)
    return Expected(
        image["id"],
        size,
        clip(from_xywh_px(boxes_xywh_px, *size)).astype(np.float32),
        np.array([labels[each["category_id"]] for each in objects], np.int32),
        checksum,
    )
