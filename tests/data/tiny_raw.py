"""A data/raw of a few drawn pictures, and the small parts to make another one of."""

import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ssd.config import Mindrecord

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
NO_SHARED = "needs ../shared/data beside the checkout"

STRICT = Mindrecord("error", "error", "error", "error", 5000)
LENIENT = Mindrecord("repair", "drop", "drop", "drop", 5000)

CATEGORIES = [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}]


def picture(seed: int, height: int, width: int, kind: str = ".jpg") -> bytes:
    """An encoded picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(kind, pixels)[1].tobytes()


def image(number: int, height: int, width: int, file_name: str | None = None) -> dict[str, Any]:
    return {"id": number, "file_name": file_name or f"{number}.jpg", "height": height, "width": width}


def annotation(
    number: int, image_id: int, bbox: list[float], category_id: int = 3, iscrowd: int = 0
) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": bbox,
        "area": 12.5,
        "iscrowd": iscrowd,
        "segmentation": [[1, 2, 3, 4, 5, 6]],
    }


def tree(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> dict[str, Any]:
    return {"info": {}, "images": images, "annotations": annotations, "categories": [*CATEGORIES]}


def train_tree() -> dict[str, Any]:
    """Photos 30 (two objects and a crowd), 4 (one object) and 12 (none)."""
    return tree(
        [image(30, 40, 60), image(4, 50, 50), image(12, 30, 20)],
        [
            annotation(7, 30, [10.25, 5.5, 20.125, 30.75]),
            annotation(8, 30, [0, 0, 60, 40], iscrowd=1),
            annotation(9, 4, [1.5, 2.5, 3.25, 4.75]),
            annotation(5, 30, [30, 10, 15, 12.5], category_id=18),
        ],
    )


def val_tree() -> dict[str, Any]:
    """Photo 2 with one object."""
    return tree([image(2, 20, 20)], [annotation(1, 2, [0, 0, 10, 5])])


def write_zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def pictures_of(annotations: dict[str, Any], inside: str = "images/") -> dict[str, bytes]:
    """A picture of its size for every image of an annotation file."""
    return {
        inside + each["file_name"]: picture(each["id"], each["height"], each["width"])
        for each in annotations["images"]
    }


def write_raw(folder: Path, train: dict[str, Any] | None = None, val: dict[str, Any] | None = None) -> Path:
    """A folder of layout coco."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("train", train or train_tree()), ("val", val or val_tree())):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        write_zip(folder / f"{name}.zip", pictures_of(content))
    (folder / "layout.json").write_text('{"layout": "coco"}')
    return folder
