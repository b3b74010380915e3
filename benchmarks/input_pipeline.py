"""Images a second and core that the input makes: ours as training runs it beside the MindSpore tutorial's, one worker.

Run: python benchmarks/input_pipeline.py [--photos FOLDER]. Both read MindRecord files of the same photos and crop,
mirror and change the colours as often and as far: the values of recipes/tutorial.yaml. A round is an epoch.
"""

import tempfile
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
from measure import Row, interleaved, table
from peers import input_pipeline as tutorial
from peers.matching import make_encode
from photos import ROOT, photos_argument, told, write_photos

from ssd.config import Params, load_params
from ssd.data.dataset import TrainingData, TrainingSample
from ssd.data.records import Records, open_records, without_sentinel
from ssd.data.shards import open_shard, read_row
from ssd.geometry.anchors import make_anchors

RECIPE = ROOT / "recipes" / "tutorial.yaml"
BATCH, ROUNDS = 5, 21
GOAL = 5


def training_data(params: Params, records: Records, workers: int = 1) -> TrainingData:
    """The data of a training by a recipe."""
    recipe, targets = params.anchors, params.targets
    anchors = make_anchors(
        params.model.input_size, recipe.steps, recipe.sizes, recipe.ratios, recipe.large_square, recipe.clip
    )
    sample = TrainingSample(
        anchors,
        params.model.input_size,
        params.model.input,
        targets.iou_threshold,
        targets.variances,
        params.augment,
        params.train.seed,
    )
    return TrainingData(records, sample, BATCH, workers)


def write_as_tutorial(records: Records, path: Path) -> None:
    """The photos that have objects in the tutorial's form, which cannot hold others."""
    rows = []
    for number in range(len(records)):
        file, place = records.place(number)
        row = read_row(open_shard(file), place)
        boxes, labels = without_sentinel(row["boxes"], row["labels"])
        if len(boxes):
            sides = np.tile([row["height"][0], row["width"][0]], 2)
            rows.append(
                (number, row["image"], np.concatenate([np.rint(boxes * sides), labels[:, None]], axis=1))
            )
    tutorial.write(path, rows)


def rows(photos: Path | None) -> list[Row]:
    """Images a second: of photos kept, not kept, and by the paper's policy; beside the tutorial's input."""
    params = load_params(RECIPE, Params)
    caffe = load_params(ROOT / "recipes" / "ssd300-voc.yaml", Params)
    with tempfile.TemporaryDirectory() as folder:
        records = open_records(write_photos(photos, Path(folder)), "train")
        theirs = Path(folder) / "tutorial.mindrecord"
        write_as_tutorial(records, theirs)
        data = training_data(params, records)
        decoding = replace(data, kept_bytes=0)
        of_caffe = training_data(replace(params, augment=caffe.augment), records)
        encode = make_encode(data.sample.anchors)
        epochs = count(1)
        images = {"tutorial": 0}

        def epoch_of_tutorial() -> None:
            images["tutorial"] = sum(len(batch[0]) for batch in tutorial.batches(theirs, encode, BATCH))

        times = interleaved(
            {
                "ours": lambda: [None for _ in data.batches(next(epochs))],
                "ours, decoded": lambda: [None for _ in decoding.batches(next(epochs))],
                "ours, ssd": lambda: [None for _ in of_caffe.batches(next(epochs))],
                "tutorial": epoch_of_tutorial,
            },
            ROUNDS,
        )
        ours = len(records) // BATCH * BATCH
        peer = times["tutorial"].per(images["tutorial"])
        return [
            Row(
                f"input, {what}",
                (speed := times[name].per(ours)),
                peer,
                "images a second and core",
                speed.median / peer.median,
                goal,
            )
            for what, name, goal in (
                ("photos that are kept in memory, after the first epoch", "ours", f"at least {GOAL}"),
                ("photos that are decoded in every epoch", "ours, decoded", ""),
                ("kept, policy ssd (the tutorial has none like it)", "ours, ssd", ""),
            )
        ]


if __name__ == "__main__":
    chosen = photos_argument(__doc__)
    print(told(chosen))
    print(table(rows(chosen)))
