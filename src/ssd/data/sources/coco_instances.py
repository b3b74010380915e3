"""A COCO instances file, every value that is used checked, its annotations as a table until they are asked for.

Whatever is ambiguous or of the wrong type is an error; what is merely dirty (a box across the border) passes
here and is left to the rules of `repairs`. Segmentations are not read.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssd.data.big_json import only, read_big_json
from ssd.data.coco_annotations import ROW_BYTES, CocoAnnotations, ids_of, packed
from ssd.data.source import Annotation, Category, in_label_order
from ssd.data.sources.photo_names import photo_name


@dataclass(frozen=True, slots=True)
class Listed:
    """An image as an annotation file lists it, sizes in pixels, None where it does not say."""

    id: int
    file_name: str
    height: int | None
    width: int | None


class ByImage(Mapping[int, tuple[Annotation, ...]]):
    """The annotations of each image that has some, as a table until they are asked for."""

    def __init__(self, annotations: CocoAnnotations) -> None:
        self._sorted = annotations.at(annotations["image_id"].argsort(kind="stable"))
        self._image_ids = np.ascontiguousarray(self._sorted["image_id"])

    def _place(self, image_id: int) -> slice:
        begin, end = (self._image_ids.searchsorted(image_id, side) for side in ("left", "right"))
        return slice(int(begin), int(end))

    def count(self, image_id: int) -> int:
        """How many an image has."""
        place = self._place(image_id)
        return place.stop - place.start

    def __getitem__(self, image_id: int) -> tuple[Annotation, ...]:
        if not self.count(image_id):
            raise KeyError(image_id)
        found = []
        for each in self._sorted.at(self._place(image_id)):
            x, y, width, height = each["bbox"]
            box = x, y, width, height
            found.append(Annotation(each["id"], each["category_id"], box, each["area"], each["iscrowd"] == 1))
        return tuple(found)

    def __iter__(self) -> Iterator[int]:
        return iter(np.unique(self._image_ids).tolist())

    def __len__(self) -> int:
        return len(np.unique(self._image_ids))


@dataclass(frozen=True)
class Instances:
    """A COCO instances file: images in ascending order of their ids, and the annotations of each.

    `groups` are ids of categories that are named as supercategories and have no annotation here.
    """

    categories: tuple[Category, ...]
    groups: frozenset[int]
    images: tuple[Listed, ...]
    annotations: ByImage
    notes: tuple[str, ...]


def read_instances(path: Path) -> Instances:
    """A COCO instances file, every value that we use checked.

    Of images `id`, `file_name`, `width` and `height` are read, of annotations `id`, `image_id`,
    `category_id`, `bbox`, `area` and `iscrowd`, of categories `id`, `name` and `supercategory`. What some exporters
    leave out may be missing: `width` and `height` together (they may be null, too), `supercategory`, and of all
    annotations alike `area`, which is the box's then, and `iscrowd`, which is 0 then. Ids are whole numbers from 0,
    because image ids seed the random draws of training. An annotation with id 0 gets a free id, and a note:
    pycocotools takes 0 for "no annotation".

    Raises:
        ValueError: one sentence with the file, the item, what was expected and what was found.
    """
    tree = _load(path)
    groups = _groups(tree)
    names = _read_categories(tree["categories"], groups, path)
    images = _read_images(tree["images"], path)
    optional = {"area": "it is the box's", "iscrowd": "they are no crowds"}
    absent = {
        key
        for key in optional
        if not any(isinstance(each, bytes) or key in each for each in _readable(tree["annotations"]))
    }
    annotations = CocoAnnotations.of(
        entry if isinstance(entry, bytes) else _read_annotation(entry, absent, path, index)
        for index, entry in enumerate(tree["annotations"])
    )
    ids = annotations["id"]
    _require_own_ids_and_images(annotations, images, path)
    notes = [f"annotations have no {key}: {optional[key]}" for key in optional if key in absent and len(ids)]
    if 0 in ids:
        free = int(ids.max()) + 1
        annotations = annotations.numbered(np.where(ids == 0, free, ids))
        notes.append(f"annotation 0 has the id {free} here, because pycocotools takes 0 for none")
    return Instances(
        categories=in_label_order(names),
        groups=groups,
        images=tuple(images[image_id] for image_id in sorted(images)),
        annotations=ByImage(annotations),
        notes=tuple(notes),
    )


def _require_own_ids_and_images(annotations: CocoAnnotations, images: Collection[int], path: Path) -> None:
    """Every annotation is of a listed image, and no two have the same id."""
    ids, image_ids = annotations["id"], annotations["image_id"]
    strange = np.flatnonzero(~np.isin(image_ids, np.array(list(images), np.int64)))
    if len(strange):
        raise ValueError(
            f"{path}: annotation {ids[strange[0]]}: expected the id of a listed image as image_id, "
            f"got {image_ids[strange[0]]}"
        )
    ascending = ids.argsort(kind="stable")
    again = ascending[1:][np.diff(ids[ascending]) == 0]
    if len(again):
        first = np.flatnonzero(ids == ids[again.min()])[0]
        raise ValueError(
            f"{path}: annotation {ids[first]}: expected an id of its own, "
            f"got one that image {image_ids[first]} has, too"
        )


def _groups(tree: dict[str, Any]) -> frozenset[int]:
    """The ids of categories without an annotation that another category names as its supercategory."""
    categories = [
        each for each in tree["categories"] if isinstance(each, dict) and type(each.get("id")) is int
    ]
    used = {
        str(ids_of(each)[2] if isinstance(each, bytes) else each.get("category_id"))
        for each in _readable(tree["annotations"])
    }
    return frozenset(
        each["id"]
        for each in categories
        if str(each["id"]) not in used
        and any(
            other["id"] != each["id"] and other.get("supercategory", None) == each.get("name")
            for other in categories
        )
    )


def _read_categories(entries: list[Any], groups: frozenset[int], path: Path) -> dict[int, str]:
    names: dict[int, str] = {}
    for index, entry in enumerate(entries):
        address = _address(path, "category", index, entry)
        category_id, name = _whole(entry, "id", address), _text(entry, "name", address)
        if category_id in names:
            raise ValueError(
                f"{address}: expected an id of its own, got that of {names[category_id]!r} for {name!r}"
            )
        if category_id not in groups and name in (names[each] for each in names if each not in groups):
            raise ValueError(f"{address}: expected a name of its own, got {name!r} a second time")
        names[category_id] = name
    if not names:
        raise ValueError(f"{path}: expected at least one category, got none")
    return names


def _read_images(entries: list[Any], path: Path) -> dict[int, Listed]:
    images: dict[int, Listed] = {}
    owner: dict[str, int] = {}
    for index, entry in enumerate(entries):
        address = _address(path, "image", index, entry)
        unsized = entry.get("height") is None and entry.get("width") is None
        image = Listed(
            id=_whole(entry, "id", address),
            file_name=photo_name(_text(entry, "file_name", address)),
            height=None if unsized else _whole(entry, "height", address, at_least=1),
            width=None if unsized else _whole(entry, "width", address, at_least=1),
        )
        if image.id in images:
            raise ValueError(
                f"{address}: expected an id of its own, got that of {images[image.id].file_name} "
                f"for {image.file_name}"
            )
        if image.file_name in owner:
            raise ValueError(
                f"{address}: expected a file_name of its own, got {image.file_name}, "
                f"which is image {owner[image.file_name]}"
            )
        images[image.id] = image
        owner[image.file_name] = image.id
    if not images:
        raise ValueError(f"{path}: expected at least one image, got none")
    return images


def _read_annotation(entry: dict[str, Any], absent: Collection[str], path: Path, index: int) -> bytes:
    """The row of an annotation."""
    address = _address(path, "annotation", index, entry)
    image_id = _whole(entry, "image_id", address)
    address = _address(path, f"image {image_id} annotation", index, entry)
    box = _value(entry, "bbox", address)
    if box == []:
        raise ValueError(
            f"{address}: expected 4 finite numbers as bbox, got []; segmentations are not read: export boxes with them"
        )
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise ValueError(f"{address}: expected 4 finite numbers as bbox, got {box!r:.200}")
    crowd = 0 if "iscrowd" in absent else _value(entry, "iscrowd", address)
    if crowd not in (0, 1):
        raise ValueError(f"{address}: expected 0 or 1 as iscrowd, got {crowd!r:.200}")
    _, _, width, height = map(float, box)
    of_box = max(width, 0.0) * max(height, 0.0)
    area = of_box if "area" in absent else _value(entry, "area", address)
    if not _is_number(area) or area < 0:
        raise ValueError(f"{address}: expected a number >= 0 as area, got {area!r:.200}")
    return packed(
        {
            "id": _whole(entry, "id", address),
            "image_id": image_id,
            "category_id": _whole(entry, "category_id", address),
            "bbox": box,
            "area": area,
            "iscrowd": crowd,
        }
    )


def _readable(entries: Iterable[Any]) -> Iterator[Any]:
    return (each for each in entries if isinstance(each, bytes | dict))


class _Entries(Iterable[Any]):
    """The items of a list of annotations in their order: rows of the table together, others as they are."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._rows = bytearray()
        self._others: dict[int, Any] = {}
        self._count = 0
        for item in items:
            if isinstance(item, bytes):
                self._rows += item
            else:
                self._others[self._count] = item
            self._count += 1

    def __iter__(self) -> Iterator[Any]:
        begin = 0
        for place in range(self._count):
            if place in self._others:
                yield self._others[place]
            else:
                yield bytes(self._rows[begin : begin + ROW_BYTES])
                begin += ROW_BYTES


_LISTS = ("images", "annotations", "categories")
_READ = {
    *_LISTS,
    *("id", "file_name", "height", "width", "image_id", "category_id", "bbox", "area", "iscrowd", "name"),
    "supercategory",
}
_reading = only(_READ)


def _kept(entry: dict[str, Any]) -> bytes | dict[str, Any]:
    """The row of an annotation of which all is there and as it should be; of other objects what is read."""
    read = _reading(entry)
    if "bbox" not in read:
        return read
    try:
        return _read_annotation(read, (), Path(), 0)
    except ValueError:
        return read  # to be refused or mended where it is known what the file is and what it leaves out


def _load(path: Path) -> dict[str, Any]:
    tree = read_big_json(path, _kept, {"annotations": _Entries})
    if not isinstance(tree, dict):
        raise ValueError(f"{path}: expected an object with {', '.join(_LISTS)}, got {type(tree).__name__}")
    for key in _LISTS:
        if key not in tree:
            raise ValueError(f"{path}: missing key {key}; expected {', '.join(_LISTS)}")
        if not isinstance(tree[key], list | _Entries):
            raise ValueError(f"{path}: {key}: expected a list, got {tree[key]!r:.200}")
    return tree


def _address(path: Path, kind: str, index: int, entry: Any) -> str:
    """`file: image 12`; by its place in the list when there is no id to name it by."""
    if not isinstance(entry, dict):
        raise ValueError(f"{path}: {kind} at place {index}: expected an object, got {entry!r:.200}")
    item = entry.get("id")
    return f"{path}: {kind} {item}" if type(item) is int else f"{path}: {kind} at place {index}"


def _value(entry: dict[str, Any], key: str, address: str) -> Any:
    if key not in entry:
        raise ValueError(f"{address}: missing key {key}")
    return entry[key]


def _whole(entry: dict[str, Any], key: str, address: str, at_least: int = 0) -> int:
    value = _value(entry, key, address)
    most = 2**63 if key.endswith("id") else 2**31
    if type(value) is not int or not at_least <= value < most:
        raise ValueError(f"{address}: expected a whole number >= {at_least} as {key}, got {value!r:.200}")
    return value


def _text(entry: dict[str, Any], key: str, address: str) -> str:
    value = _value(entry, key, address)
    if not isinstance(value, str) or not value or re.search("[\ud800-\udfff]", value):  # halves of characters
        raise ValueError(f"{address}: expected text as {key}, got {value!r:.200}")
    return value


def _is_number(value: Any) -> bool:
    """A number of JSON that is finite as a float."""
    if type(value) is int:
        return -(2**1000) < value < 2**1000
    return type(value) is float and math.isfinite(value)
