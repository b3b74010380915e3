"""Stage anchors: make the default boxes, measure how well they cover the training objects, and suggest sizes.

Reads params.yaml (anchors, model, targets) and of data/records classes.json, train.json and the manifest that vouches
for them; writes data/anchors.npy and metrics/anchors.json.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssd.config import Anchors, Model, Targets, load_params
from ssd.data.coverage import measure_coverage, suggest, told
from ssd.data.objects import load_objects
from ssd.data.records import load_classes
from ssd.files import write_bytes, write_json
from ssd.geometry.anchors import make_anchors
from ssd.geometry.feature_maps import require_map_cells
from ssd.telling import LOG
from stages import run_stage


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    anchors: Anchors
    model: Model
    targets: Targets


def main() -> None:
    """Make the anchors of the recipe, hold them against the training objects, write and tell what came of it."""
    params = load_params("params.yaml", Params)
    recipe = params.anchors
    require_map_cells(params.model.input_size, recipe.steps)
    anchors = make_anchors(
        params.model.input_size, recipe.steps, recipe.sizes, recipe.ratios, recipe.large_square, recipe.clip
    )
    classes = load_classes(Path("data/records"))
    objects = load_objects(Path("data/records"), "train")
    threshold = params.targets.iou_threshold
    measured = measure_coverage(anchors, threshold, classes, objects)
    suggested = suggest(recipe, params.model.input_size, threshold, objects, measured["coverage"]["all"])
    metrics = {**measured, "suggested": suggested}
    encoded = io.BytesIO()
    np.save(encoded, anchors)
    write_bytes(Path("data/anchors.npy"), encoded.getvalue())
    write_json(Path("metrics/anchors.json"), metrics)
    LOG.info(told(metrics))


if __name__ == "__main__":
    run_stage(main, __doc__)
