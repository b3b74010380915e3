"""`ssd export`: makes the file, checks it, and only then puts it in its place, with JSON beside it."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ssd.config import Evaluate
from ssd.data.dataset import evaluation_batches
from ssd.data.records import load_ground_truth, open_records
from ssd.engine.checkpoint import Checkpoint, load_checkpoint
from ssd.export.comparison import Batches, Comparison, StretchedSample, compare, noise_batches
from ssd.export.formats import NEEDED, Format
from ssd.export.graph import graph_bytes
from ssd.export.onnx_graph import finish
from ssd.export.runners import Outputs, make_run
from ssd.files import sha256, write_bytes, write_json
from ssd.runtime import compile_whole_cells
from ssd.telling import gauge

NOISE_IMAGES = 4
"""What is compared where there are no records."""


def export(
    model: Path,
    out: Path,
    kind: Format,
    rules: Evaluate,
    records: Path | None,
    nms: bool = True,
    images: int | None = None,
) -> Comparison:
    """Write `out`, and `out`.json with what its user must know and how it compares with the checkpoint.

    Args:
        model: the checkpoint.
        out: the file.
        kind: its format.
        rules: thresholds and limits.
        records: a folder of records, on whose validation images both are compared; None: on noise.
        nms: with NMS, where the format has it.
        images: on so many of them, the first; None: on all.

    Raises:
        ValueError: a checkpoint or records that cannot be used; an export that does not do what the checkpoint does.
            Nothing is written then.
    """
    if images is not None and images < 1:
        raise ValueError(f"images: expected a number >= 1, got {images}")
    checkpoint = load_checkpoint(model)
    compile_whole_cells()
    batches, count, ground_truth = _pictures(checkpoint, records, rules, images)
    nms = nms and kind == "onnx"
    described = describe(checkpoint, kind, rules, nms)
    data = graph_bytes(checkpoint, rules.clip, kind)
    if kind == "onnx":
        data = finish(data, rules if nms else None, described)
    run = make_run(data, kind)
    with gauge("compare", count, "image") as bar:

        def run_and_tell(image: np.ndarray) -> Outputs:
            bar.update()
            return run(image)

        # a batch that is not full takes as long as one that is
        size = 1 if records is None else min(rules.batch_size, count)
        compared = replace(rules, batch_size=size)
        comparison = compare(checkpoint, run_and_tell, batches, compared, ground_truth)
    fault = comparison.fault()
    if fault is not None:
        raise ValueError(f"{out}: {fault}; not written")
    write_bytes(out, data)
    write_json(beside(out), {**described, "comparison": comparison.tree(), "sha256": sha256(out)})
    return comparison


def beside(out: Path) -> Path:
    """The JSON file of an export."""
    return out.with_name(f"{out.name}.json")


def _pictures(
    checkpoint: Checkpoint, records: Path | None, rules: Evaluate, images: int | None
) -> tuple[Batches, int, dict[str, Any] | None]:
    """Batches, the number of their images, and the ground truth."""
    model = checkpoint.description.model
    if records is None:
        count = NOISE_IMAGES if images is None else images
        return noise_batches(model.input_size, count), count, None
    ground_truth = load_ground_truth(records, "val")
    checkpoint.require_categories(ground_truth["categories"])
    opened = open_records(records, "val")
    batches = evaluation_batches(opened, StretchedSample(model.input_size, model.input), rules.batch_size)
    if images is None or images >= len(opened):
        return batches, len(opened), ground_truth
    first = ground_truth["images"][:images]
    ids = {image["id"] for image in first}
    annotations = [each for each in ground_truth["annotations"] if each["image_id"] in ids]
    return _first(batches, images), images, {**ground_truth, "images": first, "annotations": annotations}


def _first(batches: Batches, count: int) -> Batches:
    """The first `count` images of the batches."""
    for batch in batches:
        images, ids, sizes_px = (each[:count] for each in batch)
        yield images, ids, sizes_px
        count -= len(ids)
        if count == 0:
            return


def describe(checkpoint: Checkpoint, kind: Format, rules: Evaluate, nms: bool) -> dict[str, Any]:
    """What the user of an exported file must know, as JSON has it."""
    told = checkpoint.description
    side, classes, anchors = told.model.input_size, len(told.class_names), len(checkpoint.anchors)
    outputs: dict[str, Any] = {
        "boxes": {
            "shape": [1, anchors, 4],
            "type": "float32",
            "is": "ymin, xmin, ymax, xmax as fractions of the image"
            + (", cut at its border" if rules.clip else ""),
        },
        "scores": {"shape": [1, anchors, classes], "type": "float32", "is": "of the classes, no background"},
    }
    if nms:
        outputs |= {
            "detected_boxes": {"shape": ["D", 4], "type": "float32", "is": "as boxes, best first"},
            "detected_labels": {"shape": ["D"], "type": "int64", "is": "1 for the first class"},
            "detected_scores": {"shape": ["D"], "type": "float32", "is": "descending"},
        }
    selection = {
        "min_score": rules.min_score,
        "candidates_per_class": rules.candidates_per_class,
        "nms_iou": rules.nms_iou,
        "detections_per_image": rules.detections_per_image,
    }
    return {
        "format": kind,
        "input": {
            "name": "image",
            "shape": [1, side, side, 3],
            "type": "uint8",
            "is": "the photo in RGB, stretched to this size (bilinear); it is normalised inside",
        },
        "outputs": outputs,
        "nms": {"inside": nms, **selection},
        "class_names": told.class_names,
        "category_ids": told.category_ids,
        "checkpoint_sha256": sha256(checkpoint.path),
        "made_by": {name: version(name) for name in ("mindspore", *NEEDED[kind])},
    }
