"""What the records hold, in counts: metrics/mindrecord.json and metrics/classes.csv."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ssd.data.records import load_classes, load_ground_truth
from ssd.data.repairs import Repairs
from ssd.data.source import SPLITS, is_counted
from ssd.geometry.coverage import by_size


def summarise(folder: Path, repairs: dict[str, Repairs], notes: tuple[str, ...]) -> dict[str, Any]:
    """Counts of each split; sizes go by the annotation's area, as COCO's figures do.

    Args:
        folder: the records.
        repairs: of each split, what was done while they were written.
        notes: what the user should know of the source.
    """
    counts = {split: _count(load_ground_truth(folder, split), repairs[split]) for split in SPLITS}
    return {"classes": len(load_classes(folder)), **counts, "notes": list(notes)}


def told(metrics: dict[str, Any]) -> str:
    """One line of what `summarise` counted."""
    splits = [
        f"{metrics[split]['images']} {split} images with {metrics[split]['objects']} objects"
        for split in SPLITS
    ]
    return f"{' and '.join(splits)} of {metrics['classes']} classes, every record read back and checked"


def _count(truth: dict[str, Any], repairs: Repairs) -> dict[str, Any]:
    objects = [each for each in truth["annotations"] if is_counted(each)]
    sizes = by_size(np.array([each["area"] for each in objects], np.float64))
    return {
        "images": len(truth["images"]),
        "objects": len(objects),
        "crowds": sum(each["iscrowd"] for each in truth["annotations"]),
        "difficult": sum(each.get("difficult", 0) for each in truth["annotations"]),
        "images_without_objects": len(truth["images"]) - len({each["image_id"] for each in objects}),
        **{name: int(members.sum()) for name, members in sizes.items()},
        "repairs": repairs.tree(),
    }


def class_rows(folder: Path) -> list[tuple[str, int, int]]:
    """Name and number of objects in train and val of each class, in the order of the labels."""
    train, val = (
        Counter(
            each["category_id"]
            for each in load_ground_truth(folder, split)["annotations"]
            if is_counted(each)
        )
        for split in SPLITS
    )
    return [(each.name, train[each.category_id], val[each.category_id]) for each in load_classes(folder)]
