"""Stage evaluate: detect on every validation image and measure.

Reads params.yaml (evaluate), data/records and models/ssd.safetensors; writes data/detections.json,
metrics/evaluate.json, metrics/per_class.csv, metrics/pr.csv, metrics/thresholds.csv and metrics/confusion.csv.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ssd.analysis.tables import write_tables
from ssd.config import Evaluate, load_params
from ssd.data.coco_results import CocoResults, write_coco_results
from ssd.data.dataset import EvaluationSample, evaluation_batches
from ssd.data.records import Records, load_ground_truth, open_records
from ssd.engine.checkpoint import Description, load_checkpoint, load_network
from ssd.engine.detection import detect, make_predict
from ssd.engine.evaluation import evaluate, told, write_evaluation
from ssd.engine.graph_cache import kept_graph
from ssd.engine.voc_evaluation import evaluate_voc
from ssd.telling import LOG, progress
from stages import project, run_stage


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    evaluate: Evaluate


@dataclass(frozen=True)
class Graph:
    """What the compiled network is made of."""

    description: Description
    batch_size: int


def main() -> None:
    """Detect, write the detections, then measure exactly what was written."""
    rules = load_params("params.yaml", Params).evaluate
    records = open_records(Path("data/records"), "val")
    ground_truth = load_ground_truth(Path("data/records"), "val")
    detections = _detect(records, ground_truth["categories"], rules)
    write_coco_results(Path("data/detections.json"), detections)
    LOG.debug("detected: data/detections.json is written")
    of_coco, of_voc = evaluate(ground_truth, detections), evaluate_voc(ground_truth, detections)
    write_evaluation(Path("metrics"), of_coco, of_voc, len(records), len(detections))
    LOG.debug("measured by COCO's and VOC's rules")
    write_tables(Path("metrics"), ground_truth, detections)
    LOG.info("metrics/evaluate.json: %s", told(of_coco, len(records), len(detections)))


def _detect(records: Records, categories: list[dict[str, Any]], rules: Evaluate) -> CocoResults:
    """The detections of all records; the network takes memory, and is let go."""
    checkpoint = load_checkpoint(Path("models/ssd.safetensors"))
    checkpoint.require_categories(categories)
    described = checkpoint.description
    model = described.model
    sample = EvaluationSample(model.input_size, model.input)
    batches = evaluation_batches(records, sample, rules.batch_size)
    graphs = project() / "work" / "graphs"
    compiling = partial(kept_graph, graphs, Graph(described, rules.batch_size))
    predict = make_predict(load_network(checkpoint), described.scores, rules.batch_size, compiling)
    images = detect(
        predict,
        batches,
        checkpoint.anchors,
        described.variances,
        described.category_ids,
        rules,
    )
    LOG.debug(
        "loaded the checkpoint: input of %d pixels, %d anchors", model.input_size, len(checkpoint.anchors)
    )
    with progress("detect", images, len(records)) as bar:
        known = {category["id"] for category in categories}  # a converted network may have more
        return CocoResults.of(each for of_image in bar for each in of_image if each["category_id"] in known)


if __name__ == "__main__":
    run_stage(main, __doc__)
