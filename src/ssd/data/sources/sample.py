"""The drawn data set: COCO-format pictures of five kinds of shapes, for a pipeline without a download.

A picture depends on (seed, split, number) alone: asking for more pictures never changes the earlier ones.
A box is the full extent of the drawn outline, clipped to the image; neither the parts that other objects
cover nor a cut corner make it smaller. At least 60 % of an object lie inside the image, 50 % stay visible.
"""

import math
import os
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ssd.data.ahead import made_ahead
from ssd.data.sources import shapes, textures
from ssd.files import write_json
from ssd.runtime import processors
from ssd.telling import progress

CATEGORIES = {"circle": 1, "square": 3, "triangle": 4, "star": 7, "ring": 9}
"""Category ids with gaps, as COCO's have."""

EMPTY_EVERY = 25
"""Each picture whose number is a multiple of this has no objects."""

MIN_SIZE, MAX_SIZE = 20, 200
"""The longer side of an object's box before clipping, in pixels."""

_SPLITS = {"train": 0, "val": 1}
_FRAMES = ((300, 300),) * 5 + ((280, 320), (320, 280), (240, 320))
_MIN_INSIDE = 0.6
_MIN_VISIBLE = 0.5
_MAX_IOU = 0.4  # boxes that overlap more would be one detection after non-maximum suppression
_ATTEMPTS = 20
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class Drawn:
    """One object of a picture: kind, xmin ymin width height in pixels, area of its part inside."""

    kind: str
    box_xywh_px: tuple[float, float, float, float]
    area_px: float


def draw_sample(folder: Path, train_images: int, val_images: int, seed: int) -> None:
    """Write train.zip, train.json, val.zip and val.json into `folder`, which exists.

    Args:
        folder: where to write.
        train_images: number of training pictures.
        val_images: number of validation pictures.
        seed: other seeds draw other pictures.
    """
    for split, count in (("train", train_images), ("val", val_images)):
        _draw_split(folder, split, count, seed)


def draw_picture(seed: int, split: str, number: int) -> tuple[np.ndarray, list[Drawn]]:
    """Picture `number` (from 1), [H, W, 3] uint8 in OpenCV's BGR, and its objects, lowest first."""
    rng = np.random.default_rng([seed, _SPLITS[split], number])
    height, width = _FRAMES[rng.integers(len(_FRAMES))]
    picture = _background(rng, height, width)
    objects = [] if number % EMPTY_EVERY == 0 else _draw_objects(rng, picture)
    return _develop(rng, picture), objects


def _draw_split(folder: Path, split: str, count: int, seed: int) -> None:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    aside = folder / f"{split}.zip.new"
    try:
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:
            drawn = made_ahead(partial(_jpeg, seed, split), range(1, count + 1), processors())
            for number, (jpeg, height, width, objects) in enumerate(
                progress(f"draw {split}", drawn, count), 1
            ):
                name = f"{number:06d}.jpg"
                _store(archive, f"{split}/{name}", jpeg)
                images.append({"id": number, "file_name": name, "width": width, "height": height})
                for each in objects:
                    annotations.append(_annotation(len(annotations) + 1, number, each))
        os.replace(aside, folder / f"{split}.zip")
    finally:
        aside.unlink(missing_ok=True)
    tree = {
        "info": {"description": f"Drawn shapes, split {split}, seed {seed}"},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": key, "name": name} for name, key in CATEGORIES.items()],
    }
    write_json(folder / f"{split}.json", tree)


def _jpeg(seed: int, split: str, number: int) -> tuple[bytes, int, int, list[Drawn]]:
    """Picture `number` as a file, its height and width, and its objects."""
    picture, objects = draw_picture(seed, split, number)
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    height, width = picture.shape[:2]
    return encoded.tobytes(), height, width, objects


def _store(archive: zipfile.ZipFile, name: str, jpeg: bytes) -> None:
    member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    member.create_system = 3  # Unix, on every system, for the same bytes
    member.external_attr = 0o644 << 16
    archive.writestr(member, jpeg)


def _annotation(key: int, image_id: int, drawn: Drawn) -> dict[str, Any]:
    return {
        "id": key,
        "image_id": image_id,
        "category_id": CATEGORIES[drawn.kind],
        "bbox": [round(value, 2) for value in drawn.box_xywh_px],
        "area": round(drawn.area_px, 2),
        "iscrowd": 0,
    }


def _background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Two near tones in a texture, a little coarse noise, and faint lines and dots that are no objects."""
    tone = textures.colour(rng, 30, 225)
    kind = textures.TEXTURES[rng.integers(len(textures.TEXTURES))]
    weight = textures.weights(rng, kind, height, width, rng.uniform(10, 60))
    picture = textures.blend(tone, textures.near(rng, tone, 40), weight)
    haze = textures.weights(rng, "clouds", height, width, rng.uniform(4, 40)) // 8
    picture = textures.blend(picture, textures.colour(rng), haze)
    for _ in range(rng.integers(0, 9)):
        faint = tuple(int(channel) for channel in textures.near(rng, tone, 60))
        start, end = (
            tuple(int(value) for value in point) for point in rng.integers(0, [width, height], (2, 2))
        )
        if rng.uniform() < 0.4:
            cv2.line(picture, start, end, faint, 1)
        else:
            cv2.circle(picture, start, int(rng.integers(1, 4)), faint, cv2.FILLED)
    return picture


def _draw_objects(rng: np.random.Generator, picture: np.ndarray) -> list[Drawn]:
    """Draw one to six objects onto `picture`; those that find no place are left out."""
    height, width = picture.shape[:2]
    owner = np.full((height, width), -1, np.int8)
    full_areas: list[float] = []
    objects: list[Drawn] = []
    for _ in range(rng.integers(1, 7)):
        kind = shapes.KINDS[rng.integers(len(shapes.KINDS))]
        size = math.exp(rng.uniform(math.log(MIN_SIZE), math.log(MAX_SIZE)))
        outline = shapes.random_outline(rng, kind, size)
        whole = shapes.mask(outline)
        for _ in range(_ATTEMPTS):
            placed = _placed(rng, outline, height, width)
            full = shapes.mask(placed)
            inside = full.clipped(height, width)
            box = _clipped_xywh(placed, height, width)
            if inside.area < _MIN_INSIDE * full.area or any(
                _iou(box, other.box_xywh_px) > _MAX_IOU for other in objects
            ):
                continue
            after = owner.copy()
            after[inside.window][inside.cover >= 128] = len(objects)
            visible = np.bincount(after[after >= 0], minlength=len(objects) + 1)
            if any(
                seen < _MIN_VISIBLE * area
                for seen, area in zip(visible, [*full_areas, whole.area], strict=True)
            ):
                continue
            _paint(rng, picture, placed, full, size)
            owner = after
            full_areas.append(full.area)
            objects.append(Drawn(kind, box, inside.area))
            break
    return objects


def _placed(rng: np.random.Generator, outline: shapes.Outline, height: int, width: int) -> shapes.Outline:
    """`outline` somewhere in the image; one in five may be cut by the border."""
    xmin, ymin, xmax, ymax = outline.extent
    beyond = 0.25 if rng.uniform() < 0.2 else 0.0
    right = rng.uniform(-xmin - beyond * (xmax - xmin), width - xmax + beyond * (xmax - xmin))
    down = rng.uniform(-ymin - beyond * (ymax - ymin), height - ymax + beyond * (ymax - ymin))
    return outline.moved(right, down)


def _clipped_xywh(outline: shapes.Outline, height: int, width: int) -> tuple[float, float, float, float]:
    xmin, ymin, xmax, ymax = outline.extent
    xmin, ymin, xmax, ymax = max(xmin, 0.0), max(ymin, 0.0), min(xmax, float(width)), min(ymax, float(height))
    return xmin, ymin, xmax - xmin, ymax - ymin


def _iou(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """Intersection over union of two boxes, xmin ymin width height."""
    sides = [
        max(0.0, min(first[k] + first[k + 2], second[k] + second[k + 2]) - max(first[k], second[k]))
        for k in (0, 1)
    ]
    common = sides[0] * sides[1]
    return common / (first[2] * first[3] + second[2] * second[3] - common)


def _paint(
    rng: np.random.Generator,
    picture: np.ndarray,
    outline: shapes.Outline,
    full: shapes.Mask,
    size: float,
) -> None:
    """Fill `outline` on `picture`, in tones that stand out from what lies under it."""
    height, width = picture.shape[:2]
    inside = full.clipped(height, width)
    under = picture[inside.window]
    rows, columns = (np.arange(1, 6) * side // 6 for side in inside.cover.shape)
    grounds = list(under[np.ix_(rows, columns)].reshape(-1, 3))
    tone = textures.far(rng, grounds, 180)
    fill = np.broadcast_to(tone, under.shape)
    if rng.uniform() < 0.6:
        kind = textures.TEXTURES[rng.integers(len(textures.TEXTURES))]
        if kind in ("stripes", "checks"):
            second = textures.far(rng, [*grounds, tone], 120)
        else:  # a gradual way between far tones would pass the ground's
            second = textures.near(rng, tone, 50)
        covered = inside.cover.shape
        period = max(4.0, size * rng.uniform(0.12, 0.3))
        weight = textures.weights(rng, kind, covered[0], covered[1], period)
        fill = textures.blend(tone, second, weight)
    under[:] = textures.blend(under, fill, inside.cover)
    if rng.uniform() < 0.35:
        rim = shapes.Mask(full.left, full.top, shapes.edge(outline, max(1.0, size * rng.uniform(0.02, 0.06))))
        under[:] = textures.blend(under, textures.far(rng, grounds, 180), rim.clipped(height, width).cover)


def _develop(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Slight blur, brightness and noise, as a camera would add."""
    if rng.uniform() < 0.4:
        picture = cv2.GaussianBlur(picture, (3, 3), 0)
    gain, offset, grain = rng.integers(218, 295), rng.integers(-12, 13), rng.integers(0, 9)
    noise = rng.integers(-grain, grain + 1, picture.shape, np.int16)
    return np.clip((picture.astype(np.int32) * gain >> 8) + offset + noise, 0, 255).astype(np.uint8)
