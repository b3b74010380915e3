"""Single photos out of the records, in plain Python: a page of pictures need not wait for MindSpore."""

from pathlib import Path

from ssd.data.records import Records, open_records, require_unchanged
from ssd.data.shards import Shard, open_shard, read_row


class Photos:
    """The encoded photos of a folder of records, by split and image id; only files that are read are hashed."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet.

        Args:
            folder: data/records.
        """
        self._folder = folder
        self._records: dict[str, tuple[Records, dict[int, int]]] = {}
        self._shards: dict[Path, Shard] = {}

    def __call__(self, split: str, image_id: int) -> bytes:
        """The encoded photo, as it came.

        Raises:
            ValueError: no such photo in the records, or records that are damaged.
        """
        if split not in self._records:
            records = open_records(self._folder, split, hashes=False)
            self._records[split] = records, {each: row for row, each in enumerate(records.image_ids)}
        records, rows = self._records[split]
        if image_id not in rows:
            raise ValueError(f"{self._folder}: {split}: expected image {image_id}, got records without it")
        path, row = records.place(rows[image_id])
        if path not in self._shards:
            require_unchanged(self._folder, split, path.name)
            self._shards[path] = open_shard(path)
        return read_photo(self._shards[path], row, image_id)


def open_photos(folder: Path) -> Photos:
    """The photos of the records in `folder`: `open_photos(folder)("val", 42)` is the encoded photo 42."""
    return Photos(folder)


def read_photo(shard: Shard, row: int, image_id: int) -> bytes:
    """The encoded photo in a row of one file of the records.

    Raises:
        ValueError: the file has no such row, it holds another image, or it is damaged.
    """
    if not 0 <= row < len(shard):
        raise ValueError(f"{shard.path}: expected a row {row} for image {image_id}, got {len(shard)} rows")
    fields = read_row(shard, row, {"image_id", "image"})
    if fields["image_id"].tolist() != [image_id]:
        raise ValueError(
            f"{shard.path}: row {row}: expected image {image_id}, got {fields['image_id'].tolist()}"
        )
    return fields["image"]
