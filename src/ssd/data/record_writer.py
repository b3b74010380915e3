"""Writing the records: a source's photos, repaired, with their class list, ground truth and manifest."""

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from ssd.config import Mindrecord
from ssd.data.quiet import gist
from ssd.data.records import CHECKSUMS, CLASSES, MANIFEST, SCHEMA, make_manifest, row_sha256, with_sentinel
from ssd.data.repairs import Repairs, to_record_boxes
from ssd.data.source import Annotation, Category, Photo, Source, Split
from ssd.files import require_room, write_json, write_parts
from ssd.runtime import prepare_mindspore
from ssd.telling import progress

MINDSPORE_LEAVES = 10 << 20
"""Bytes that must be free on a disk for MindSpore 2.10 to write a row."""


def write_records(folder: Path, source: Source, rules: Mindrecord) -> dict[str, Repairs]:
    """Fill `folder` with the records of both splits; what was repaired in each.

    Photos are read, repaired and written one at a time. The same source and rules give the same bytes.

    Args:
        folder: an existing, empty folder.
        source: the data set.
        rules: for photos and annotations that are not as they should be.

    Raises:
        ValueError: a photo or annotation that the rules refuse, or a split of which nothing is left.
        OSError: a disk that is full, or cannot be written.
    """
    labels = {each.category_id: each.label for each in source.categories}
    files: dict[str, list[tuple[str, int]]] = {}
    objects: dict[str, int] = {}
    checksums: dict[str, list[str]] = {}
    repairs: dict[str, Repairs] = {}
    for split in (source.train, source.val):
        repairs[split.name] = Repairs(split.address, labels, rules)
        photos = progress(f"write {split.name}", split.photos(), split.count)
        sound = (photo for photo in map(repairs[split.name].apply, photos) if photo is not None)
        files[split.name], checksums[split.name] = [], []
        with _GroundTruth(folder, source.categories) as truth:
            for number, first in enumerate(sound):
                path = folder / f"{split.name}-{number:02d}.mindrecord"
                of_file = chain([first], islice(sound, rules.images_per_file - 1))
                sizes = fitting_sizes(split, min(rules.images_per_file, split.count))
                hashes = _write_file(path, map(truth.noted, of_file), labels, *sizes)
                checksums[split.name] += hashes
                files[split.name].append((path.name, len(hashes)))
            if not checksums[split.name]:
                raise ValueError(f"{split.address}: expected at least one readable image, got none")
            objects[split.name] = truth.objects
            write_parts(folder / f"{split.name}.json", truth.parts())
    write_json(folder / CHECKSUMS, checksums)
    write_json(folder / CLASSES, [vars(each) for each in source.categories])
    write_json(folder / MANIFEST, make_manifest(folder, files, objects))
    return repairs


def fitting_sizes(split: Split, rows: int) -> tuple[int, int]:
    """Bytes of header and pages, powers of two, of a MindRecord file for up to `rows` of the photos.

    A page takes four of the largest rows, if MindSpore's limit lets it: little is lost at its end, and a
    small data set stays small. The header describes every page; MindSpore's own 16 and 32 MiB would be 48 MiB
    a file at least.
    """
    largest_row = split.most_bytes + 24 * split.most_annotations + 512  # 16 for a box, at most 5 for a label
    page = min(max(_power_of_two(4 * largest_row), 32 << 10), 256 << 20)
    pages = rows // (page // largest_row) + 13 * rows // page + 3  # 13: the unused part of a row
    return max(_power_of_two(300 * pages + 4096), 16 << 10), page


def _power_of_two(at_least: int) -> int:
    return 1 << (at_least - 1).bit_length()


def _write_file(
    path: Path, photos: Iterator[Photo], labels: dict[int, int], header_size: int, page_size: int
) -> list[str]:
    """Write one MindRecord file; the hash of each row."""
    prepare_mindspore()
    from mindspore.mindrecord import FileWriter

    require_room(path, 0, header_size + page_size)  # where its header has no room MindSpore crashes
    hashes = []
    writer = FileWriter(str(path))
    writer.set_header_size(header_size)
    writer.set_page_size(page_size)
    writer.add_schema(SCHEMA)
    for photo in photos:
        # One row a call: of a bad row among good ones MindSpore only warns, one on its own it refuses.
        row = _to_row(photo, labels)
        try:
            writer.write_raw_data([row])
        except RuntimeError as error:
            _require_disk(path, page_size)
            raise ValueError(f"{path}: image {photo.id}: MindSpore cannot write it: {gist(error)}") from None
        hashes.append(row_sha256(row))
    try:
        writer.commit()
    except RuntimeError as error:
        _require_disk(path, page_size)
        raise ValueError(f"{path}: MindSpore cannot write it: {gist(error)}") from None
    for written in (path, path.with_name(f"{path.name}.db")):
        written.chmod(0o644)  # MindSpore makes them readable for their owner alone
    return hashes


def _require_disk(path: Path, page_size: int) -> None:
    """Make sure that it is not the disk for which MindSpore could not write; it does not say so itself.

    Raises:
        OSError: it is.
    """
    if shutil.disk_usage(path.parent).free < MINDSPORE_LEAVES:
        raise OSError(
            errno.ENOSPC,
            f"No space left on device (MindSpore wants {MINDSPORE_LEAVES >> 20} MB free)",
            str(path),
        )
    require_room(path, path.stat().st_size if path.exists() else 0, page_size)


def _objects(photo: Photo) -> list[Annotation]:
    """What is trained on: crowds and difficult objects are not."""
    return [each for each in photo.annotations if not each.crowd and not each.difficult]


def _to_row(photo: Photo, labels: dict[int, int]) -> dict[str, Any]:
    """A row of `SCHEMA`, of a photo that was repaired."""
    assert photo.height is not None and photo.width is not None
    objects = _objects(photo)
    boxes, of_boxes = with_sentinel(
        to_record_boxes(objects, photo.height, photo.width),
        np.array([labels[each.category_id] for each in objects], np.int32),
    )
    return {
        "image_id": np.array([photo.id], np.int64),
        "height": np.array([photo.height], np.int32),
        "width": np.array([photo.width], np.int32),
        "image": photo.encoded,
        "boxes": boxes,
        "labels": of_boxes,
    }


class _GroundTruth:
    """COCO-format JSON of photos, made while they pass by, one line an item; numbers with all their digits.

    Difficult objects have "difficult": 1. The lines are kept in files without a name.

    Args:
        folder: where these are.
        categories: of the data set.
    """

    def __init__(self, folder: Path, categories: tuple[Category, ...]) -> None:
        self.objects = 0
        with ExitStack() as files:
            self._images, self._annotations, self._categories = (
                files.enter_context(TemporaryFile(dir=folder)) for _ in range(3)
            )
            self._files = files.pop_all()
        for each in categories:
            _add_line(self._categories, {"id": each.category_id, "name": each.name})

    def __enter__(self) -> "_GroundTruth":
        return self

    def __exit__(self, *of_error: object) -> None:
        self._files.close()

    def noted(self, photo: Photo) -> Photo:
        """The photo, with its annotations written down."""
        self.objects += len(_objects(photo))
        _add_line(
            self._images,
            {"id": photo.id, "file_name": photo.file_name, "width": photo.width, "height": photo.height},
        )
        for each in photo.annotations:
            _add_line(
                self._annotations,
                {
                    "id": each.id,
                    "image_id": photo.id,
                    "category_id": each.category_id,
                    "bbox": each.box_xywh_px,
                    "area": each.area_px,
                    "iscrowd": int(each.crowd),
                    **({"difficult": 1} if each.difficult else {}),
                },
            )
        return photo

    def parts(self) -> Iterator[bytes]:
        """The file, part after part."""
        lists = {"images": self._images, "annotations": self._annotations, "categories": self._categories}
        before = b"{"
        for name, lines in lists.items():
            yield before + f'"{name}": [\n'.encode()
            lines.seek(0)
            while block := lines.read(1 << 16):
                yield block
            before = b"\n],\n"
        yield b"\n]}\n"


def _add_line(lines: IO[bytes], item: dict[str, Any]) -> None:
    lines.write(b",\n" * (lines.tell() > 0))
    lines.write(json.dumps(item, ensure_ascii=False, allow_nan=False).encode("utf-8"))
