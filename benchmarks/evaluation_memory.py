"""Memory of an evaluation of 5,000 images: resident size after 1,000 and after 5,000, and pycocotools' time apart.

Run: python benchmarks/evaluation_memory.py [--photos FOLDER]. The outputs of 80 photos, made of their objects
(`outputs.py`), are repeated under new ids; what is done to them is what the evaluate stage does, from outputs on. The
detections are kept as a table, as there: what is more than they take should not grow.
"""

import contextlib
import copy
import io
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from input_pipeline import RECIPE, training_data
from measure import Row, Times, table
from outputs import VARIANCES, outputs_of
from photos import photos_argument, told, write_photos

from ssd.config import Params, load_params
from ssd.data.coco_results import CocoResults
from ssd.data.records import load_classes, load_ground_truth, open_records, without_sentinel
from ssd.data.shards import open_shard, read_row

IMAGES, EARLY, BATCH = 5000, 1000, 8


def resident_mb() -> float:
    """Of this process; Linux tells it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def size_mb(detections: CocoResults) -> float:
    """What a table of detections takes."""
    return sum(column.nbytes for column in vars(detections).values()) / 1e6


def rows(photos: Path | None) -> list[Row]:
    """Memory at 1,000 and 5,000 images, what the detections explain of its growth, and seconds."""
    from ssd.engine.detection import detect
    from ssd.engine.evaluation import evaluate

    params = load_params(RECIPE, Params)
    rules = replace(params.evaluate, detections_per_image=100)
    with tempfile.TemporaryDirectory() as folder:
        written = write_photos(photos, Path(folder))
        records, truth = open_records(written, "val"), load_ground_truth(written, "val")
        ids = tuple(each.category_id for each in load_classes(written))
        anchors = training_data(params, records).sample.anchors
        kinds = []
        for number in range(len(records)):
            file, place = records.place(number)
            row = read_row(open_shard(file), place)
            made = outputs_of(*without_sentinel(row["boxes"], row["labels"]), anchors, len(ids), number)
            kinds.append((*made, np.array([row["height"][0], row["width"][0]])))

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for start in range(0, IMAGES, BATCH):
            numbers = np.arange(start, min(start + BATCH, IMAGES))
            # in place of the pixels their numbers: the network is not what is measured
            yield numbers, numbers[:, None] + 1, np.stack([kinds[each % len(kinds)][2] for each in numbers])

    def predict(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        offsets, scores, _ = zip(*(kinds[each % len(kinds)] for each in numbers), strict=True)
        return np.stack(offsets), np.stack(scores)

    sizes = {}

    def found() -> Iterator[dict]:
        for number, of_image in enumerate(
            detect(predict, batches(), anchors, VARIANCES, ids, rules), start=1
        ):
            yield from of_image
            if number in (EARLY, IMAGES):
                sizes[number] = resident_mb()

    begin = time.process_time()
    detections = CocoResults.of(found())
    seconds = time.process_time() - begin
    taken = size_mb(detections)
    begin = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        evaluate(_repeated(truth), detections)
    by_coco = time.process_time() - begin
    grown, explained = sizes[IMAGES] - sizes[EARLY], taken * (IMAGES - EARLY) / IMAGES

    return [
        *(
            Row(f"resident memory after {number} images", Times.of([size]), None, "MB", None, "")
            for number, size in sizes.items()
        ),
        Row(
            f"of them the {len(detections)} detections of {IMAGES}",
            Times.of([taken]),
            None,
            "MB",
            None,
            "",
        ),
        Row(
            f"growth from {EARLY} to {IMAGES} images, beside that of the detections alone",
            Times.of([grown]),
            Times.of([explained]),
            "MB",
            grown / explained,
            "about 1",
        ),
        Row(f"outputs to detections, {IMAGES} images", Times.of([seconds]), None, "s", None, ""),
        Row(f"pycocotools on them, {IMAGES} images", Times.of([by_coco]), None, "s", None, ""),
    ]


def _repeated(truth: dict) -> dict:
    """The ground truth with its images over and over, under the ids 1 to 5,000."""
    order = {image["id"]: number for number, image in enumerate(truth["images"])}
    images, annotations = [], []
    for number in range(IMAGES):
        images.append({**truth["images"][number % len(order)], "id": number + 1})
    for turn in range(-(-IMAGES // len(order))):
        for each in truth["annotations"]:
            image_id = turn * len(order) + order[each["image_id"]] + 1
            if image_id <= IMAGES:
                annotations.append({**copy.copy(each), "id": len(annotations) + 1, "image_id": image_id})
    return {**truth, "images": images, "annotations": annotations}


if __name__ == "__main__":
    chosen = photos_argument(__doc__)
    print(told(chosen))
    print(table(rows(chosen)))
