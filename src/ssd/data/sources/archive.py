"""Layout `archive` of data/raw: the MindRecord files of MindSpore's SSD tutorial, with COCO's photos.

Rows are img_id, image and annotation: [N, 5] ymin, xmin, ymax, xmax in whole pixels and the label, 1… in
ascending order of COCO's category ids; a sixth column, where there is one, marks crowds. Of the training
photos nothing else is known. The validation photos are also in instances_val2017.json: their annotations are
taken from there, with fractions of a pixel and areas, once they agree with the records row by row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ssd.data.quiet import gist
from ssd.data.shards import Shard, check_shard, open_shard, read_row
from ssd.data.source import MOST_BYTES, Annotation, Photo, Source, Split
from ssd.data.sources.coco_instances import Instances, Listed, read_instances
from ssd.runtime import prepare_mindspore

RECORDS = "datasets/MindRecord_COCO"
INSTANCES = "datasets/annotations/instances_val2017.json"

_FIELDS = {"img_id", "image", "annotation"}
_NAMED = 5


@dataclass(frozen=True)
class _Rows:
    """The rows of all shards of one split.

    Attributes:
        address: the shards' name without their number.
        places: shard and row of each image, in ascending order of image ids.
        marks_crowds: whether the annotations have the sixth column.
        most_bytes: size of the largest row.
        most_annotations: the most annotations in one row.
    """

    address: Path
    places: dict[int, tuple[Shard, int]]
    marks_crowds: bool
    most_bytes: int
    most_annotations: int


def read_archive(folder: Path) -> Source:
    """The data set in the unpacked archive `folder`.

    Every file is checked in plain Python first (`check_shard`), and only then given to MindSpore's
    FileReader, which must find the same rows.

    Raises:
        ValueError: one sentence with the file, the item, what was expected and what was found.
    """
    instances = read_instances(folder / INSTANCES)
    train, val = (_find_rows(folder / RECORDS / name) for name in ("ssd.mindrecord", "ssd_eval.mindrecord"))
    listed = {image.id: image for image in instances.images}
    for image_id, (shard, _) in val.places.items():
        if image_id not in listed:
            raise ValueError(
                f"{shard.path}: image {image_id}: expected an image that {INSTANCES} lists, got another"
            )
    category_ids = tuple(each.category_id for each in instances.categories)
    return Source(
        categories=instances.categories,
        train=_split("train", train, partial(_train_photos, train, category_ids)),
        val=_split("val", val, partial(_val_photos, val, category_ids, instances, listed)),
        notes=(_train_note(train), *_val_notes(val, instances)),
    )


def _split(name: str, rows: _Rows, photos: partial[Iterator[Photo]]) -> Split:
    return Split(name, str(rows.address), photos, len(rows.places), rows.most_bytes, rows.most_annotations)


def _find_rows(address: Path) -> _Rows:
    shards = _open_shards(address)
    places: dict[int, tuple[Shard, int]] = {}
    counts, marks_crowds = [], True
    for shard in shards:
        seen = []
        for row in range(len(shard)):
            fields = read_row(shard, row, {"img_id", "annotation"})
            image_id = _to_image_id(fields["img_id"], f"{shard.path}: row {row}")
            if image_id in places:
                other, other_row = places[image_id]
                raise ValueError(
                    f"{shard.path}: row {row}: expected an image of its own, got image {image_id}, "
                    f"which is also row {other_row} of {other.path.name}"
                )
            places[image_id] = shard, row
            counts.append(len(fields["annotation"]))
            seen.append((image_id, fields["annotation"]))
        marks_crowds = marks_crowds and shard.fields["annotation"]["shape"] == [-1, 6]
        _compare_with_reader(shard, seen)
    if not places:
        raise ValueError(f"{address}: expected at least one row, got none")
    most_bytes = max(int(np.diff(shard.spans).max()) for shard in shards if len(shard))
    if most_bytes > MOST_BYTES:
        raise ValueError(f"{address}: expected rows of at most {MOST_BYTES} bytes, got one of {most_bytes}")
    return _Rows(address, dict(sorted(places.items())), marks_crowds, most_bytes, max(counts))


def _open_shards(address: Path) -> list[Shard]:
    """All shards that were written together under this name, each sound and with the tutorial's fields."""
    present = sorted({path.name.removesuffix(".db") for path in address.parent.glob(f"{address.name}*")})
    first = open_shard(address.parent / (present[0] if present else f"{address.name}0"))
    alien = [name for name in present if name not in first.siblings]
    if alien:
        raise ValueError(
            f"{address.parent / alien[0]}: expected only what was written together with {first.path.name}, "
            f"which is {', '.join(first.siblings)}; got another file"
        )
    shards = [check_shard(address.parent / name) for name in first.siblings]
    for shard in shards:
        types = {name: shard.fields.get(name, {}).get("type") for name in _FIELDS}
        shape = shard.fields.get("annotation", {}).get("shape")
        whole = {types["img_id"], types["annotation"]} <= {"int32", "int64"}
        if not whole or types["image"] != "bytes" or shape not in ([-1, 5], [-1, 6]):
            raise ValueError(
                f"{shard.path}: expected whole numbers as img_id and annotation ([-1, 5] or [-1, 6]) and "
                f"bytes as image, got {shard.fields}"
            )
    return shards


def _to_image_id(img_id: np.ndarray, address: str) -> int:
    if img_id.size != 1 or img_id.min() < 0:
        raise ValueError(f"{address}: expected one number >= 0 as img_id, got {img_id.tolist()}")
    return int(img_id.item())


def _compare_with_reader(shard: Shard, rows: list[tuple[int, np.ndarray]]) -> None:
    """MindSpore's own reader finds the same rows: image ids and annotations."""
    prepare_mindspore()
    from mindspore.mindrecord import FileReader

    try:
        reader = FileReader([str(shard.path)], num_consumer=1, columns=["img_id", "annotation"])
        got = [(fields.get("img_id"), fields.get("annotation")) for fields in reader.get_next()]
        reader.close()
    except RuntimeError as error:
        raise ValueError(f"{shard.path}: MindSpore cannot read it: {gist(error)}") from None
    if len(got) != len(rows):
        raise ValueError(
            f"{shard.path}: expected {len(rows)} rows, as its index says, got {len(got)} from MindSpore"
        )
    for row, ((image_id, annotation), (got_id, got_annotation)) in enumerate(zip(rows, got, strict=True)):
        if np.ravel(got_id).tolist() != [image_id] or not np.array_equal(annotation, got_annotation):
            raise ValueError(
                f"{shard.path}: row {row}: expected image {image_id}, got other values from MindSpore"
            )


def _read(rows: _Rows, image_id: int, categories: int) -> tuple[bytes, np.ndarray]:
    """The encoded photo, and its annotations [N, 6] int64: yxyx in pixels, label, crowd."""
    shard, row = rows.places[image_id]
    fields = read_row(shard, row)
    annotations = np.zeros((len(fields["annotation"]), 6), np.int64)
    annotations[:, : fields["annotation"].shape[1]] = fields["annotation"]
    for label, crowd in annotations[:, 4:].tolist():
        if not 1 <= label <= categories or crowd not in (0, 1):
            raise ValueError(
                f"{shard.path}: image {image_id}: expected a label from 1 to {categories} and 0 or 1 for crowd, got "
                f"{label} and {crowd}"
            )
    return fields["image"], annotations


def _train_photos(rows: _Rows, category_ids: tuple[int, ...]) -> Iterator[Photo]:
    annotation_id = 0
    for image_id in rows.places:
        encoded, table = _read(rows, image_id, len(category_ids))
        annotations = []
        for ymin, xmin, ymax, xmax, label, crowd in table.tolist():
            annotation_id += 1
            annotations.append(
                Annotation(
                    id=annotation_id,
                    category_id=category_ids[label - 1],
                    box_xywh_px=(float(xmin), float(ymin), float(xmax - xmin), float(ymax - ymin)),
                    area_px=float(max(xmax - xmin, 0) * max(ymax - ymin, 0)),
                    crowd=crowd == 1,
                )
            )
        yield Photo(image_id, _file_name(image_id), None, None, encoded, tuple(annotations))


def _val_photos(
    rows: _Rows, category_ids: tuple[int, ...], instances: Instances, listed: dict[int, Listed]
) -> Iterator[Photo]:
    for image_id in rows.places:
        encoded, table = _read(rows, image_id, len(category_ids))
        image, annotations = listed[image_id], instances.annotations.get(image_id, ())
        address = f"{rows.places[image_id][0].path}: image {image_id}"
        _require_agreement(table, annotations, category_ids, address)
        yield Photo(image_id, image.file_name, image.height, image.width, encoded, annotations)


def _require_agreement(
    table: np.ndarray, annotations: tuple[Annotation, ...], category_ids: tuple[int, ...], address: str
) -> None:
    """The rows of a record are these annotations in the same order, corners rounded up or down to pixels."""
    if len(table) != len(annotations):
        raise ValueError(
            f"{address}: expected {len(annotations)} annotations, as {INSTANCES} has, got {len(table)}"
        )
    for (*corners_px, label, _), annotation in zip(table.tolist(), annotations, strict=True):
        x, y, width, height = annotation.box_xywh_px
        expected_px = y, x, y + height, x + width
        far = max(abs(got - wanted) for got, wanted in zip(corners_px, expected_px, strict=True)) >= 1
        if far or category_ids[label - 1] != annotation.category_id:
            raise ValueError(
                f"{address} annotation {annotation.id}: expected category {annotation.category_id} at "
                f"{[round(each, 2) for each in expected_px]}, as {INSTANCES} has, "
                f"got category {category_ids[label - 1]} at {corners_px}"
            )


def _file_name(image_id: int) -> str:
    """The name that COCO 2017 gives a photo; the records do not keep it."""
    return f"{image_id:012d}.jpg"


def _train_note(rows: _Rows) -> str:
    crowds = "" if rows.marks_crowds else ", and crowds are not marked: they count as objects"
    return f"train: boxes are the records', in whole pixels, areas are those of the boxes{crowds}"


def _val_notes(rows: _Rows, instances: Instances) -> list[str]:
    missing = [image.id for image in instances.images if image.id not in rows.places]
    agree = f"val: annotations are those of {Path(INSTANCES).name}, which agree with the records to the pixel"
    if not missing:
        return [agree]
    ids = ", ".join(map(str, missing[:_NAMED])) + (", …" if len(missing) > _NAMED else "")
    return [
        agree,
        f"val: annotations list {len(instances.images)} photos, the records hold {len(rows.places)}; "
        f"the {len(missing)} that are missing are not evaluated: ids {ids}",
    ]
