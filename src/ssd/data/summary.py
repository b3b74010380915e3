"""What the records hold, in counts: metrics/mindrecord.json and metrics/classes.csv."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ssd.data.records import load_classes, load_ground_truth
from ssd.data.repairs import Repairs
from ssd.data.source import SPLITS
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
    annotations = truth["annotations"]
    objects = annotations.counted
    sizes = by_size(objects["area"])
    return {
        "images": len(truth["images"]),
        "objects": len(objects),
        "crowds": int(annotations["iscrowd"].sum()),
        "difficult": int(annotations["difficult"].sum()),
        "images_without_objects": len(truth["images"]) - len(np.unique(objects["image_id"])),
        **{name: int(members.sum()) for name, members in sizes.items()},
        "repairs": repairs.tree(),
    }


def class_rows(folder: Path) -> list[tuple[str, int, int]]:
    """Name and number of objects in train and val of each class, in the order of the labels."""
    train, val = (
        Counter(load_ground_truth(folder, split)["annotations"].counted["category_id"].tolist())
        for split in SPLITS
    )
    return [(each.name, train[each.category_id], val[each.category_id]) for each in load_classes(folder)]
