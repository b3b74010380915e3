"""The tutorial's input: MindDataset, MindSpore's Decode, one Python map a photo, MindSpore's colour, mean and planes.

The maps run in threads, one a map as the tutorial's default of one worker is; it has the Python map in a process of
its own, which would only add the sending. Chance is NumPy's global generator, as there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from peers.matching import Encode

SIDE = 300


def crop(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A part of the image at a drawn IoU with its objects, or the image.

    Args:
        image: [H, W, 3].
        boxes: [G, 5] ymin, xmin, ymax, xmax in pixels, label.
    """
    height, width, _ = image.shape
    least = np.random.choice([None, 0.1, 0.3, 0.5, 0.7, 0.9])
    if least is None:
        return image, boxes
    for _ in range(50):
        part_width, part_height = (np.random.uniform(0.3, 1.0) * side for side in (width, height))
        if not 0.5 <= part_height / part_width <= 2:
            continue
        left = np.random.rand() * (width - part_width)
        top = np.random.rand() * (height - part_height)
        part = np.array([int(top), int(left), int(top + part_height), int(left + part_width)])
        overlap = _overlap(boxes, part)
        inside = overlap > 0
        if not inside.any():
            continue
        if overlap[inside].min() < least and overlap[inside].max() > least:
            continue
        centre = (boxes[:, :2] + boxes[:, 2:4]) / 2.0
        above_left = (part[0] < centre[:, 0]) * (part[1] < centre[:, 1])
        below_right = (part[2] > centre[:, 0]) * (part[3] > centre[:, 1])
        stays = above_left * below_right * inside
        if not stays.any():
            continue
        kept = boxes[stays].copy()
        kept[:, :2] = np.maximum(kept[:, :2], part[:2]) - part[:2]
        kept[:, 2:4] = np.minimum(kept[:, 2:4], part[2:]) - part[:2]
        return image[part[0] : part[2], part[1] : part[3], :], kept
    return image, boxes


def _overlap(boxes: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The IoU of each box with the part: [G]."""
    corner = np.maximum(boxes[:, :2], part[:2])
    sides = np.clip(np.minimum(boxes[:, 2:4], part[2:]) - corner, 0, np.inf)
    shared = sides[:, 0] * sides[:, 1]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return shared / (areas + (part[2] - part[0]) * (part[3] - part[1]) - shared)


def preprocess(
    image: np.ndarray, annotation: np.ndarray, encode: Encode
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The photo cropped, stretched and perhaps mirrored, [300, 300, 3], with its targets.

    Args:
        image: [H, W, 3] uint8.
        annotation: [G, 5] ymin, xmin, ymax, xmax in pixels, label.
        encode: makes the targets.
    """
    image, boxes = crop(image, annotation.astype(np.float32))
    height, width, _ = image.shape
    image = cv2.resize(image, (SIDE, SIDE))
    mirrored = np.random.rand() < 0.5
    if mirrored:
        image = cv2.flip(image, 1, dst=None)
    boxes = boxes.copy()
    boxes[:, [0, 2]] = boxes[:, [0, 2]] / height
    boxes[:, [1, 3]] = boxes[:, [1, 3]] / width
    if mirrored:
        boxes[:, [1, 3]] = 1 - boxes[:, [3, 1]]
    return image, *encode(boxes[:, :4], boxes[:, 4])


def write(path: Path, rows: list[tuple[int, bytes, np.ndarray]]) -> None:
    """A MindRecord file in the tutorial's form: image id, encoded photo, annotation [G, 5] in whole pixels."""
    from mindspore.mindrecord import FileWriter

    writer = FileWriter(str(path))
    writer.add_schema(
        {
            "img_id": {"type": "int32", "shape": [1]},
            "image": {"type": "bytes"},
            "annotation": {"type": "int32", "shape": [-1, 5]},
        }
    )
    writer.write_raw_data(
        [
            {
                "img_id": np.array([image_id], np.int32),
                "image": encoded,
                "annotation": annotation.astype(np.int32),
            }
            for image_id, encoded, annotation in rows
        ]
    )
    writer.commit()


def batches(path: Path, encode: Encode, batch_size: int) -> Iterator[Any]:
    """One epoch: pixels [B, 3, 300, 300], offsets [B, A, 4], labels [B, A], numbers of positives [B, 1]."""
    import mindspore.dataset as ds
    from mindspore.dataset import vision

    def changed(
        image_id: np.ndarray, image: np.ndarray, annotation: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return preprocess(image, annotation, encode)

    columns = ["img_id", "image", "annotation"]
    dataset = ds.MindDataset(str(path), columns_list=columns, num_parallel_workers=1, shuffle=True)
    dataset = dataset.map(vision.Decode(), ["image"], num_parallel_workers=1)
    dataset = dataset.map(
        changed,
        columns,
        ["image", "box", "label", "num_match"],
        python_multiprocessing=False,
        num_parallel_workers=1,
    )
    jitter = vision.RandomColorAdjust(brightness=0.4, contrast=0.4, saturation=0.4)
    normalise = vision.Normalize(
        mean=[0.485 * 255, 0.456 * 255, 0.406 * 255], std=[0.229 * 255, 0.224 * 255, 0.225 * 255]
    )
    dataset = dataset.map([jitter, normalise, vision.HWC2CHW()], ["image"], num_parallel_workers=1)
    dataset = dataset.batch(batch_size, drop_remainder=True)
    return dataset.create_tuple_iterator(num_epochs=1, output_numpy=True)
