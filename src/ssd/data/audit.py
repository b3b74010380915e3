"""The check of the records before they are used: each is read back and must be what the ground truth says.

It stops at the first fault, and reads as other programs would: through MindSpore. `check` lists all faults, and reads
without MindSpore, as training does.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ssd.data.decode import decode
from ssd.data.expected import load_expected
from ssd.data.faults import Picture, record_faults
from ssd.data.quiet import gist
from ssd.data.records import SCHEMA, Records, load_classes, open_records
from ssd.data.shards import check_shard
from ssd.data.source import SPLITS
from ssd.runtime import prepare_mindspore
from ssd.telling import progress


def audit(folder: Path) -> None:
    """Check the records of both splits, and that MindSpore's MindDataset reads the same.

    Files are compared with the manifest and checked in plain Python before MindSpore gets them (see
    `shards`).

    Raises:
        ValueError: the first thing that is wrong, in one sentence with the file and the image.
    """
    classes = len(load_classes(folder))
    for split in SPLITS:
        _audit_split(folder, split, classes)


def _audit_split(folder: Path, split: str, classes: int) -> None:
    records = open_records(folder, split)
    for path, rows in zip(records.files, records.rows, strict=True):
        if len(check_shard(path)) != rows:
            raise ValueError(
                f"{path}: expected {rows} rows, as the manifest says, got {len(check_shard(path))}"
            )
    expected = load_expected(folder, split)
    rows_read = progress(f"check {split}", _read(records), len(records))
    count = 0
    for count, (wanted, row) in enumerate(zip(expected, rows_read, strict=False), start=1):
        encoded = row["image"].tobytes()
        pixels = decode(encoded)
        picture = Picture(None if pixels is None else (pixels.shape[0], pixels.shape[1]))
        fault = next(record_faults(row | {"image": encoded}, picture, classes, wanted), None)
        if fault is not None:
            raise ValueError(f"{records.place(count - 1)[0]}: image {wanted.image_id}: {fault}")
    if count != len(records):
        raise ValueError(f"{folder}: {split}: expected {len(records)} rows, got {count} from MindSpore")


def _read(records: Records) -> Iterator[dict[str, np.ndarray]]:
    """The rows in their order, from MindSpore."""
    prepare_mindspore()
    from mindspore.dataset import MindDataset

    try:
        dataset = MindDataset(
            [str(path) for path in records.files], list(SCHEMA), num_parallel_workers=1, shuffle=False
        )
        yield from dataset.create_dict_iterator(num_epochs=1, output_numpy=True)
    except RuntimeError as error:
        raise ValueError(
            f"{records.files[0].parent}: MindSpore cannot read the records: {gist(error)}"
        ) from None
