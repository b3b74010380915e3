"""Detections from outputs at 3,500 candidates: ours beside the tutorial's loop, asked for the same detections.

Run: python benchmarks/detections.py [--photos FOLDER]. The outputs are made of the objects of real photos
(`outputs.py`); the least score of each image is set so that 3,500 scores are above it. So that both give the same, the
loop leaves out the tutorial's additional pixel, and its detections are cut to the best 100 of an image as ours are
(that is not timed). They are compared before anything is measured.
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from input_pipeline import RECIPE, training_data
from measure import Row, interleaved, table
from outputs import VARIANCES, least_score, outputs_of
from peers.detections import detections_of
from photos import photos_argument, told, write_photos

from ssd.config import Evaluate, Params, load_params
from ssd.data.records import load_classes, open_records, without_sentinel
from ssd.data.shards import open_shard, read_row
from ssd.geometry.boxes import clip
from ssd.geometry.offsets import decode

CANDIDATES, IMAGES, ROUNDS = 3500, 12, 7
LIMIT = 100


def same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> bool:
    """Whether both are the same detections; ours are rounded to a thousandth of a pixel, scores to five digits."""
    theirs = sorted(theirs, key=lambda each: -each["score"])[: len(ours)]

    def key(each: dict[str, Any]) -> tuple:
        return (-round(each["score"], 5), each["category_id"], *(round(value, 1) for value in each["bbox"]))

    def values(found: list[dict[str, Any]]) -> np.ndarray:
        found = sorted(found, key=key)
        return np.array([[each["score"], each["category_id"], *each["bbox"]] for each in found])

    a, b = values(ours), values(theirs)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=0, atol=2e-3))


def rows(photos: Path | None) -> list[Row]:
    """Milliseconds an image, at the thresholds of the paper's recipe and with the tutorial's."""
    from ssd.engine.detection import select, to_results

    params = load_params(RECIPE, Params)
    rules = replace(params.evaluate, candidates_per_class=CANDIDATES, detections_per_image=LIMIT, clip=True)
    images = []
    with tempfile.TemporaryDirectory() as folder:
        written = write_photos(photos, Path(folder))
        records = open_records(written, "val")
        ids = tuple(each.category_id for each in load_classes(written))
        anchors = training_data(params, records).sample.anchors
        for number in range(IMAGES):
            file, place = records.place(number)
            row = read_row(open_shard(file), place)
            offsets, scores = outputs_of(
                *without_sentinel(row["boxes"], row["labels"]), anchors, len(ids), number
            )
            photo_px = np.array([row["height"][0], row["width"][0]])
            boxes = clip(decode(offsets, anchors, VARIANCES))
            of_image = replace(rules, min_score=least_score(scores, CANDIDATES))
            images.append((number, photo_px, boxes, scores, of_image))

    def ours(
        number: int, photo_px: np.ndarray, boxes: np.ndarray, scores: np.ndarray, rules: Evaluate
    ) -> list:
        selected = select(boxes, scores, rules)
        return to_results(*selected, number, photo_px, ids)

    def theirs(
        number: int, photo_px: np.ndarray, boxes: np.ndarray, scores: np.ndarray, rules: Evaluate
    ) -> list:
        return detections_of(
            boxes, scores, number, tuple(photo_px), ids, rules.min_score, rules.nms_iou, LIMIT, more=0.0
        )

    for image in images:
        if not same(ours(*image), theirs(*image)):
            raise ValueError(f"image {image[0]}: expected the same detections")
    times = interleaved(
        {
            "ours": lambda: [ours(*image) for image in images],
            "theirs": lambda: [theirs(*image) for image in images],
        },
        ROUNDS,
    )
    us, peer = (times[name].times(1e3 / IMAGES) for name in ("ours", "theirs"))
    return [
        Row(
            f"detections, {CANDIDATES} candidates of {len(ids)} classes, the same found",
            us,
            peer,
            "ms an image",
            peer.median / us.median,
            "at least 10",
        )
    ]


if __name__ == "__main__":
    chosen = photos_argument(__doc__)
    print(told(chosen))
    print(table(rows(chosen)))
