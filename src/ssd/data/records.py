"""The records: MindRecord files of photos with their objects, class list, ground truth and manifest.

One row is one photo, in ascending order of image ids: `SCHEMA`. Boxes are yxyx fractions, labels 1… in the
order of the class list. A photo without objects carries a sentinel, one box of zeros with label 0, because
MindSpore cannot read an empty array back; `without_sentinel` takes it away. This module reads and needs no
MindSpore.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssd.data.big_json import only, read_big_json
from ssd.data.coco_annotations import CocoAnnotations, packed
from ssd.data.source import SPLITS, Category
from ssd.files import read_json, sha256

SCHEMA: Mapping[str, Mapping[str, Any]] = {
    "image_id": {"type": "int64", "shape": [1]},
    "height": {"type": "int32", "shape": [1]},
    "width": {"type": "int32", "shape": [1]},
    "image": {"type": "bytes"},
    "boxes": {"type": "float32", "shape": [-1, 4]},
    "labels": {"type": "int32", "shape": [-1]},
}
"""The columns: height and width are pixels of the photo as stored, image is the encoded file as it came."""

FORMAT = 1
MANIFEST = "manifest.json"
CLASSES = "classes.json"
CHECKSUMS = "checksums.json"
"""{split: the `row_sha256` of each row}: a changed picture that still decodes is found by no other means, and the
file's own hash does not say which row it is in."""

_AGAIN = "run the mindrecord stage again"


@dataclass(frozen=True)
class Records:
    """The records of one split.

    Attributes:
        files: the MindRecord files; rows are numbered from 0 through all of them in this order.
        rows: the number of rows of each file.
        image_ids: of each row, ascending.
        objects: the number of objects in all rows.
    """

    files: tuple[Path, ...]
    rows: tuple[int, ...]
    image_ids: tuple[int, ...]
    objects: int

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.image_ids)

    def place(self, row: int) -> tuple[Path, int]:
        """The file that holds a row, and the row's number in that file."""
        for path, rows in zip(self.files, self.rows, strict=True):
            if row < rows:
                return path, row
            row -= rows
        raise IndexError(row)


def open_records(folder: Path, split: str, *, hashes: bool = True) -> Records:
    """The records of a split, after its files were found to be those that the manifest describes.

    Args:
        folder: data/records.
        split: train or val.
        hashes: compare the MindRecord files' SHA-256 too, which reads all of them; without it they only have
            to be there (see `require_unchanged`), and a damaged one can crash MindSpore.

    Raises:
        ValueError: one sentence with the file, what was expected and what was found.
    """
    entry = read_manifest(folder)["splits"][split]
    for file in entry["files"]:
        path, index = _of_entry(folder, file)
        if not path.is_file() and not index.is_file():
            raise ValueError(f"{path}: expected the file that {MANIFEST} names, got no such file; {_AGAIN}")
        for needed, other in ((path, index), (index, path)):
            if not needed.is_file():
                raise ValueError(f"{needed}: missing beside {other.name}; {_AGAIN}")
        if hashes:
            _require_hashes(folder, file)
    image_ids = tuple(image["id"] for image in load_ground_truth(folder, split)["images"])
    rows = tuple(file["rows"] for file in entry["files"])
    if not len(image_ids) == sum(rows) == entry["images"]:
        raise ValueError(
            f"{folder / MANIFEST}: {split}: expected {len(image_ids)} images, as {split}.json has, "
            f"got {entry['images']} in files of {sum(rows)} rows; {_AGAIN}"
        )
    return Records(tuple(folder / file["name"] for file in entry["files"]), rows, image_ids, entry["objects"])


def require_unchanged(folder: Path, split: str, name: str) -> None:
    """Make sure that one MindRecord file of a split, and its index, are those that the manifest describes.

    For who opened the records without hashes and reads a few of their files.

    Raises:
        ValueError: a file with another SHA-256.
    """
    for file in read_manifest(folder)["splits"][split]["files"]:
        if file["name"] == name:
            _require_hashes(folder, file)


def load_classes(folder: Path) -> tuple[Category, ...]:
    """The class list of the records in `folder`: label i is element i - 1.

    Raises:
        ValueError: not the file that the manifest describes.
    """
    return tuple(Category(**entry) for entry in _load(folder, CLASSES))


def load_ground_truth(folder: Path, split: str) -> dict[str, Any]:
    """COCO-format ground truth of exactly the photos in the records, in the same order; with crowds and
    difficult objects. Its annotations are `CocoAnnotations`.

    Raises:
        ValueError: not the file that the manifest describes.
    """
    name = f"{split}.json"
    require_as_written(folder, name)
    of_images = only({"images", "annotations", "categories", "id", "name", "file_name", "width", "height"})
    return read_big_json(
        folder / name,
        lambda entry: packed(entry) if "bbox" in entry else of_images(entry),
        {"annotations": CocoAnnotations.of},
    )


def load_checksums(folder: Path, split: str) -> list[str]:
    """The `row_sha256` of each row of a split, in the order of the rows.

    Raises:
        ValueError: not the file that the manifest describes.
    """
    return _load(folder, CHECKSUMS)[split]


def row_sha256(row: Mapping[str, Any]) -> str:
    """The SHA-256 of all fields of a row, in hexadecimal.

    Args:
        row: bytes, and arrays of the types of `SCHEMA`, by its names.
    """
    digest = hashlib.sha256()
    for name, entry in SCHEMA.items():
        value = row[name]
        data = (
            value
            if isinstance(value, bytes)
            else value.astype(f"<{entry['type'][0]}{value.itemsize}").tobytes()
        )
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def without_sentinel(boxes: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes [G, 4] and labels [G] of a row as they are meant; G is 0 where the sentinel stands for no objects.

    Args:
        boxes: [N, 4] yxyx as stored, N >= 1.
        labels: [N] as stored; 0 marks the sentinel.
    """
    return boxes[labels > 0], labels[labels > 0]


def with_sentinel(boxes: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `without_sentinel`: boxes [N, 4] float32 and labels [N] int32 with N >= 1."""
    if len(labels):
        return boxes.astype(np.float32), labels.astype(np.int32)
    return np.zeros((1, 4), np.float32), np.zeros(1, np.int32)


def make_manifest(
    folder: Path, files: dict[str, list[tuple[str, int]]], objects: dict[str, int]
) -> dict[str, Any]:
    """The content of manifest.json for what is in `folder`.

    Args:
        folder: holds everything but the manifest.
        files: names and rows of each split's MindRecord files, in the order of the rows.
        objects: the number of each split's objects.
    """
    return {
        "format": FORMAT,
        "splits": {
            split: {
                "images": sum(rows for _, rows in files[split]),
                "objects": objects[split],
                "files": [
                    {
                        "name": name,
                        "rows": rows,
                        "sha256": sha256(folder / name),
                        "index_sha256": sha256(folder / f"{name}.db"),
                    }
                    for name, rows in files[split]
                ],
            }
            for split in SPLITS
        },
        "files": {
            name: sha256(folder / name)
            for name in (CLASSES, CHECKSUMS, *(f"{split}.json" for split in SPLITS))
        },
    }


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the records in `folder`, complete and of the right types.

    Raises:
        ValueError: no such file, or something else.
    """
    path = folder / MANIFEST
    manifest = read_json(path)
    try:
        sound = manifest["format"] == FORMAT
        for split in SPLITS:
            entry = manifest["splits"][split]
            sound = sound and type(entry["images"]) is int and type(entry["objects"]) is int
            for file in entry["files"]:
                sound = sound and type(file["rows"]) is int and Path(file["name"]).name == file["name"]
                sound = sound and _is_digest(file["sha256"]) and _is_digest(file["index_sha256"])
        named = manifest["files"].keys()
        sound = sound and named >= {CLASSES, *(f"{split}.json" for split in SPLITS)}
        sound = sound and all(map(_is_digest, manifest["files"].values()))
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise ValueError(
            f"{path}: expected a manifest of records in format {FORMAT}, got something else; {_AGAIN}"
        )
    return manifest


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def require_as_written(folder: Path, name: str) -> None:
    """Check that one of the JSON files beside the manifest is the one that it describes.

    Raises:
        ValueError: missing, or changed.
    """
    expected = read_manifest(folder)["files"].get(name)
    path = folder / name
    if expected is None:
        raise ValueError(f"{folder / MANIFEST}: expected the sha256 of {name}, got none; {_AGAIN}")
    if not path.is_file():
        raise ValueError(f"{path}: missing beside {MANIFEST}; {_AGAIN}")
    _require_hash(path, expected)


def _load(folder: Path, name: str) -> Any:
    require_as_written(folder, name)
    return read_json(folder / name)


def _of_entry(folder: Path, file: dict[str, Any]) -> tuple[Path, Path]:
    """Data file and index of an entry of the manifest."""
    return folder / file["name"], folder / f"{file['name']}.db"


def _require_hashes(folder: Path, file: dict[str, Any]) -> None:
    path, index = _of_entry(folder, file)
    _require_hash(path, file["sha256"])
    _require_hash(index, file["index_sha256"])


def _require_hash(path: Path, expected: str) -> None:
    got = sha256(path)
    if got != expected:
        raise ValueError(
            f"{path}: expected sha256 {expected}, as {MANIFEST} has, got {got}: "
            f"truncated or changed since it was written; {_AGAIN}"
        )
