"""What each record must be: the ground truth of a split and the checksums of its rows, brought together."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ssd.data.coco_annotations import AnnotationsOfImages, CocoAnnotations
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


class ExpectedRows(Sequence[Expected]):
    """The rows of a split as they must be, each made when it is asked for by its place.

    Args:
        images: as the ground truth lists them.
        objects: those that count of each image.
        labels: by category ids.
        checksums: of the rows.
    """

    def __init__(
        self,
        images: Sequence[dict[str, Any]],
        objects: AnnotationsOfImages,
        labels: dict[int, int],
        checksums: Sequence[str],
    ) -> None:
        self._images, self._objects, self._labels, self._checksums = images, objects, labels, checksums

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int) -> Expected:  # type: ignore[override]
        """The one at this place, from 0."""
        image, objects = self._images[row], self._objects[row]
        size = image["height"], image["width"]
        return Expected(
            image["id"],
            size,
            clip(from_xywh_px(objects["bbox"], *size)).astype(np.float32),
            np.array([self._labels[each] for each in objects["category_id"].tolist()], np.int32),
            self._checksums[row],
        )


def load_expected(folder: Path, split: str) -> ExpectedRows:
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
    objects = truth["annotations"].counted.of_images(image_ids)
    wanted, got = read_manifest(folder)["splits"][split]["objects"], len(objects.together)
    if got != wanted:
        raise ValueError(f"{path}: expected {wanted} objects, as the manifest says, got {got}")
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
    return ExpectedRows(truth["images"], objects, labels, checksums)


def _require_sound(
    annotations: CocoAnnotations, image_ids: list[int], labels: dict[int, int], path: Path
) -> None:
    """Make sure that each annotation has an id of its own, and an image and a category of these."""
    _, firsts = np.unique(annotations["id"], return_index=True)
    is_another = np.ones(len(annotations), bool)
    is_another[firsts] = False
    is_lost = is_another | ~np.isin(annotations["image_id"], image_ids)
    (wrong,) = np.nonzero(is_lost | ~np.isin(annotations["category_id"], list(labels)))
    for place in wrong[:1]:
        annotation = next(iter(annotations.at(slice(place, place + 1))))
        address = f"{path}: image {annotation['image_id']} annotation {annotation['id']}"
        if is_lost[place]:
            raise ValueError(f"{address}: expected an id of its own and an image of these records")
        raise ValueError(f"{address}: expected a known category, got {annotation['category_id']}")
