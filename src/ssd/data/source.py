"""What every source of data becomes: categories, and two splits of photos that are read one at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

SPLITS = ("train", "val")

MOST_BYTES = 128 << 20
"""Largest encoded photo: a MindRecord page holds whole rows and has at most 256 MiB."""


@dataclass(frozen=True)
class Category:
    """A class of objects: its label (1…, ascending with category ids), its id in annotation files, its name."""

    label: int
    category_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object or crowd of a photo; the box is COCO's: left, top, width, height in pixels.

    A difficult object, VOC's word, is neither trained on nor looked for. Where difficult objects are trained on,
    they are not marked.
    """

    id: int
    category_id: int
    box_xywh_px: tuple[float, float, float, float]
    area_px: float
    crowd: bool
    difficult: bool = False


@dataclass(frozen=True, slots=True)
class Photo:
    """One encoded photo with its annotations; height and width in pixels, None where no annotation file says."""

    id: int
    file_name: str
    height: int | None
    width: int | None
    encoded: bytes
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True)
class Split:
    """The photos of one split, in ascending order of their ids, read when iterated.

    Attributes:
        name: train or val.
        address: the file that errors about its annotations name.
        photos: a new iterator over all photos at each call.
        count: how many photos there are.
        most_bytes: size of the largest encoded photo.
        most_annotations: the most annotations on one photo.
    """

    name: str
    address: str
    photos: Callable[[], Iterator[Photo]]
    count: int
    most_bytes: int
    most_annotations: int


@dataclass(frozen=True)
class Source:
    """A data set; the notes say what its user should know."""

    categories: tuple[Category, ...]
    train: Split
    val: Split
    notes: tuple[str, ...]


def in_label_order(names: dict[int, str]) -> tuple[Category, ...]:
    """Categories with their labels, from {category id: name}."""
    return tuple(
        Category(label, category_id, names[category_id])
        for label, category_id in enumerate(sorted(names), start=1)
    )
