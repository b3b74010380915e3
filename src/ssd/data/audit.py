"""The check of the records before they are used: each is read back and must be what the ground truth says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ssd.data.decode import decode
from ssd.data.quiet import gist
from ssd.data.records import SCHEMA, Records, load_classes, load_ground_truth, open_records, without_sentinel
from ssd.data.shards import check_shard
from ssd.data.source import SPLITS, Category, is_counted
from ssd.geometry.boxes import clip, from_xywh_px
from ssd.runtime import prepare_mindspore


def audit(folder: Path) -> None:
    """Check the records of both splits as training will read them: through MindSpore's MindDataset.

    Files are compared with the manifest and checked in plain Python before MindSpore gets them (see
    `shards`).

    Raises:
        ValueError: the first thing that is wrong, in one sentence with the file and the image.
    """
    classes = load_classes(folder)
    for split in SPLITS:
        records = open_records(folder, split)
        truth = load_ground_truth(folder, split)
        for path, rows in zip(records.files, records.rows, strict=True):
            if len(check_shard(path)) != rows:
                raise ValueError(
                    f"{path}: expected {rows} rows, as the manifest says, got {len(check_shard(path))}"
                )
        objects = _objects_by_image(truth, records, classes, folder / f"{split}.json")
        rows_read = tqdm(_read(records), f"check {split}", len(records), unit="image", disable=None)
        count = 0
        for count, (image, row) in enumerate(zip(truth["images"], rows_read, strict=False), start=1):
            address = f"{records.place(count - 1)[0]}: image {image['id']}"
            _check_row(row, image, objects[image["id"]], classes, address)
        if count != len(records):
            raise ValueError(f"{folder}: {split}: expected {len(records)} rows, got {count} from MindSpore")


def _objects_by_image(
    truth: dict[str, Any], records: Records, classes: tuple[Category, ...], path: Path
) -> dict[int, list[dict[str, Any]]]:
    """The objects of each photo that count, from a ground truth that is sound in itself."""
    if any(after <= before for before, after in zip(records.image_ids, records.image_ids[1:], strict=False)):
        raise ValueError(f"{path}: expected image ids in ascending order, each once, got others")
    if [(each["id"], each["name"]) for each in truth["categories"]] != [
        (each.category_id, each.name) for each in classes
    ]:
        raise ValueError(f"{path}: expected the categories of classes.json, got others")
    objects: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in records.image_ids}
    seen: set[int] = set()
    for annotation in truth["annotations"]:
        if annotation["id"] in seen or annotation["image_id"] not in objects:
            raise ValueError(
                f"{path}: image {annotation['image_id']} annotation {annotation['id']}: "
                f"expected an id of its own and an image of these records"
            )
        seen.add(annotation["id"])
        if is_counted(annotation):
            objects[annotation["image_id"]].append(annotation)
    count = sum(map(len, objects.values()))
    if count != records.objects:
        raise ValueError(f"{path}: expected {records.objects} objects, as the manifest says, got {count}")
    return objects


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


def _check_row(
    row: dict[str, np.ndarray],
    image: dict[str, Any],
    objects: list[dict[str, Any]],
    classes: tuple[Category, ...],
    address: str,
) -> None:
    """The photo decodes to its size, the boxes have area and lie inside, all is as the ground truth says."""
    size = image["height"], image["width"]
    pixels = decode(row["image"].tobytes())
    if row["image_id"].tolist() != [image["id"]]:
        raise ValueError(f"{address}: expected its row, got that of image {row['image_id'].tolist()}")
    if pixels is None:
        raise ValueError(f"{address}: expected a picture, got {row['image'].nbytes} bytes that are none")
    stored = *row["height"].tolist(), *row["width"].tolist()
    if not stored == pixels.shape[:2] == size:
        raise ValueError(
            f"{address}: expected height and width {size}, got {stored} for a picture of {pixels.shape[:2]}"
        )
    if row["boxes"].shape != (row["labels"].size, 4) or row["labels"].ndim != 1 or not row["labels"].size:
        raise ValueError(
            f"{address}: expected a label for each box and at least one, "
            f"got boxes {row['boxes'].shape} and labels {row['labels'].shape}"
        )
    boxes, labels = without_sentinel(row["boxes"], row["labels"])
    if (
        np.any(row["labels"] < 0)
        or np.any(labels > len(classes))
        or len(labels) not in (row["labels"].size, 0)
    ):
        raise ValueError(
            f"{address}: expected labels from 1 to {len(classes)}, or only a 0, got {row['labels'].tolist()}"
        )
    inside = np.all((boxes >= 0) & (boxes <= 1)) and np.all(boxes[:, :2] < boxes[:, 2:])
    if not inside:
        raise ValueError(f"{address}: expected boxes with area in [0, 1], got {boxes.tolist()}")
    of_truth = np.array([each["bbox"] for each in objects], np.float64).reshape(-1, 4)
    wanted = clip(from_xywh_px(of_truth, *size)).astype(np.float32)
    names = [classes[label - 1].category_id for label in labels]
    if not np.array_equal(boxes, wanted) or names != [each["category_id"] for each in objects]:
        raise ValueError(
            f"{address}: expected the {len(objects)} objects of the ground truth, got {len(boxes)} others"
        )
