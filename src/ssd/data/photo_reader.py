"""Rows of the records with their photos decoded, of which those that fit are kept in memory.

A photo of 640 x 480 takes some 4 ms to decode, more than all that is done to it afterwards. A small data set is decoded
once; of a large one, which does not fit, the first rows that are read are kept and the others decoded again in every
epoch: to put others in their place would not help, since an epoch reads every row once.
"""

from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

from ssd.data.decode import decode_checked
from ssd.data.records import Records, without_sentinel
from ssd.data.shards import Shard, open_shard, read_row

KEPT_BYTES = 512 << 20
"""Of decoded photos in memory: some 600 of COCO's."""


class Example(NamedTuple):
    """A photo as it is read: [H, W, 3] uint8 RGB, not to be changed; boxes [G, 4] yxyx; labels [G]."""

    image_id: int
    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray


class PhotoReader:
    """Reads rows; may be called by several threads.

    Args:
        records: as `open_records` verified them.
        kept_bytes: of decoded photos that are kept, at most.
    """

    def __init__(self, records: Records, kept_bytes: int = KEPT_BYTES) -> None:
        self.records = records
        self.room = kept_bytes
        self.kept: dict[int, Example] = {}
        self.shards: dict[Path, Shard] = {}
        self.lock = Lock()

    def __call__(self, row: int) -> Example:
        """A row's photo and objects.

        Raises:
            ValueError: a row or a photo that is damaged.
        """
        kept = self.kept.get(row)
        if kept is not None:
            return kept
        path, place = self.records.place(row)
        fields = read_row(self._shard(path), place, {"image", "boxes", "labels"})
        image = decode_checked(fields["image"], f"{path}: row {place}")
        image.flags.writeable = False
        example = Example(
            self.records.image_ids[row], image, *without_sentinel(fields["boxes"], fields["labels"])
        )
        with self.lock:
            if image.nbytes <= self.room and row not in self.kept:
                self.room -= image.nbytes
                self.kept[row] = example
        return example

    def _shard(self, path: Path) -> Shard:
        with self.lock:
            if path not in self.shards:
                self.shards[path] = open_shard(path)
        return self.shards[path]
