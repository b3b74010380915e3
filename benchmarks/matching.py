"""Targets of one image, from its objects to offsets and labels of all anchors: ours beside the tutorial's encoder.

Run: python benchmarks/matching.py [--photos FOLDER]. The objects are those of the photos, shuffled into images of 1, 10
and 100; the anchors are the tutorial's 8732. The rule is not quite the tutorial's (which can lose an object), the
work is: the most overlapping object of each anchor, an anchor for each object, offsets, labels. Training makes the
targets of a batch at once; one image at a time is told too, and its memory is that of an image.
"""

import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from input_pipeline import BATCH, RECIPE, training_data
from measure import Row, Times, interleaved, table
from peers.matching import make_encode
from photos import photos_argument, told, write_photos

from ssd.config import Params, load_params
from ssd.data.records import Records, open_records, without_sentinel
from ssd.data.shards import open_shard, read_row

COUNTS = (1, 10, 100)
IMAGES, ROUNDS = 20, 31
GOALS = {10: "at least 20"}


def objects_of(records: Records) -> tuple[np.ndarray, np.ndarray]:
    """Boxes [N, 4] and labels [N] of all photos."""
    found = []
    for number in range(len(records)):
        file, place = records.place(number)
        row = read_row(open_shard(file), place, {"boxes", "labels"})
        found.append(without_sentinel(row["boxes"], row["labels"]))
    return np.concatenate([boxes for boxes, _ in found]), np.concatenate([labels for _, labels in found])


def _each(make: Callable[..., object], arguments: Sequence[tuple]) -> None:
    for each in arguments:
        make(*each)


def peak(call: Callable[[], object]) -> Times:
    """Bytes that a call has in use at most beyond what there was, in MB."""
    tracemalloc.start()
    call()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Times(most / 1e6, most / 1e6, most / 1e6)


def rows(photos: Path | None) -> list[Row]:
    """Time and memory at 1, 10 and 100 objects, and how many times those of 10 the time of 100 is."""
    params = load_params(RECIPE, Params)
    with tempfile.TemporaryDirectory() as folder:
        records = open_records(write_photos(photos, Path(folder)), "train")
        data = training_data(params, records)
        boxes, labels = objects_of(records)
    ours, theirs = data.sample.targets, make_encode(data.sample.anchors)
    rng = np.random.default_rng(1)
    calls = {}
    for count in COUNTS:
        drawn = [rng.choice(len(boxes), count) for _ in range(IMAGES)]
        images = [(boxes[chosen], labels[chosen]) for chosen in drawn]
        in_batches = [
            tuple(zip(*images[start : start + BATCH], strict=True)) for start in range(0, IMAGES, BATCH)
        ]
        singly = [([each], [its_labels]) for each, its_labels in images]
        calls["ours", count] = partial(_each, ours, in_batches)
        calls["singly", count] = partial(_each, ours, singly)
        calls["peer", count] = partial(_each, theirs, images)
    times = interleaved(calls, ROUNDS)
    made = []
    for count in COUNTS:
        us, singly, peer = (times[name, count].times(1e3 / IMAGES) for name in ("ours", "singly", "peer"))
        for how, time, goal in (
            (f"batches of {BATCH}", us, GOALS.get(count, "")),
            ("one by one", singly, ""),
        ):
            ratio = peer.median / time.median
            made.append(Row(f"targets, {count} objects, {how}", time, peer, "ms an image", ratio, goal))
        memory = [peak(calls[name, count]) for name in ("singly", "peer")]
        made.append(Row(f"peak of memory, {count} objects, one by one", *memory, "MB", None, ""))
    growth = [times[name, 100].median / times[name, 10].median for name in ("ours", "peer")]
    made.append(
        Row(
            "time of 100 objects",
            *(Times(each, each, each) for each in growth),
            "times that of 10",
            growth[0],
            "at most 10: linear",
        )
    )
    return made


if __name__ == "__main__":
    chosen = photos_argument(__doc__)
    print(told(chosen))
    print(table(rows(chosen)))
