"""The exported file against the checkpoint, as the pipeline runs it, on the same pictures."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssd.config import Evaluate
from ssd.data.augment.resize import resize
from ssd.data.dataset import EvaluationSample, network_input
from ssd.engine.checkpoint import Checkpoint, load_network
from ssd.engine.detection import make_predict, select, to_results
from ssd.engine.evaluation import evaluate
from ssd.export.runners import Run
from ssd.geometry.boxes import clip
from ssd.geometry.offsets import decode

MOST_DIFFERENCE = 1e-4
"""Of a box, as `boxes_apart` has it, and of a score."""

MOST_AP_DIFFERENCE = 1e-3

Batches = Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Images [B, S, S, 3] uint8 RGB, image ids [B, 1], photo sizes [B, 2] height, width in pixels."""


class StretchedSample(EvaluationSample):
    """Makes samples of photos as an exported graph takes them: stretched, and nothing more."""

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """[size, size, 3] uint8 RGB of a photo [H, W, 3]."""
        return resize(image, self.size)


def noise_batches(side: int, count: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Images of coarse noise, always the same ones, each a batch."""
    for number in range(count):
        coarse = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        yield resize(coarse, side)[None], np.array([[number]]), np.array([[side, side]])


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        images: so many went through both.
        boxes, scores: the largest differences of any anchor's box (as `boxes_apart` has it) and score.
        detections: the numbers of the checkpoint's detections and of the export's.
        figures: COCO's, the checkpoint's and the export's; None without ground truth.
    """

    images: int
    boxes: float
    scores: float
    detections: tuple[int, int]
    figures: tuple[dict[str, float | None], dict[str, float | None]] | None

    def fault(self) -> str | None:
        """What is not as it should be: expected and got; None: all is."""
        if not (self.boxes <= MOST_DIFFERENCE and self.scores <= MOST_DIFFERENCE):  # also of NaN
            return (
                f"expected boxes and scores within {MOST_DIFFERENCE:g} of the checkpoint's, got differences of "
                f"{self.boxes:.2g} and {self.scores:.2g}"
            )
        if self.figures is not None:
            ours, theirs = (figures["AP"] for figures in self.figures)
            if ours is not None and theirs is not None and abs(ours - theirs) > MOST_AP_DIFFERENCE:
                return (
                    f"expected an AP within {MOST_AP_DIFFERENCE:g} of the checkpoint's {ours:.4f}, "
                    f"got {theirs:.4f}"
                )
        return None

    def told(self) -> str:
        """In one line."""
        told = (
            f"boxes within {self.boxes:.1e} and scores within {self.scores:.1e} of the checkpoint's "
            f"on {self.images} image{'s' * (self.images != 1)}"
        )
        if self.figures is None or self.figures[0]["AP"] is None:
            return told
        ours, theirs = (figures["AP"] for figures in self.figures)
        return f"{told}, AP {theirs:.4f} where it has {ours:.4f}"

    def tree(self) -> dict[str, Any]:
        """As JSON has it."""
        tree: dict[str, Any] = {
            "images": self.images,
            "largest_difference": {
                "boxes": float(f"{self.boxes:.2g}"),
                "scores": float(f"{self.scores:.2g}"),
            },
        }
        sides = ("checkpoint", "export")
        for place, side in enumerate(sides):
            tree[side] = {"detections": self.detections[place]}
            if self.figures is not None:
                tree[side] |= {
                    name: value if value is None else round(value, 4)
                    for name, value in self.figures[place].items()
                }
        return tree


def compare(
    checkpoint: Checkpoint,
    run: Run,
    batches: Batches,
    rules: Evaluate,
    ground_truth: dict[str, Any] | None,
) -> Comparison:
    """Both on every image: the checkpoint as stage evaluate runs it, and an exported graph.

    Args:
        checkpoint: what the graph was made of.
        run: the graph.
        batches: of `rules.batch_size` images at most.
        rules: thresholds and limits, also of a graph that has no NMS.
        ground_truth: of these images, as a COCO file has it; None: there is none.
    """
    told = checkpoint.description
    predict = make_predict(load_network(checkpoint), told.scores, rules.batch_size)
    images, of_boxes, of_scores = 0, 0.0, 0.0
    found: tuple[list[dict[str, Any]], list[dict[str, Any]]] = [], []
    for stretched, image_ids, photos_px in batches:
        pixels = [network_input(image, told.model.input_size, told.model.input) for image in stretched]
        offsets, scores = predict(np.stack(pixels))
        boxes = decode(offsets, checkpoint.anchors, told.variances)
        boxes = clip(boxes) if rules.clip else boxes
        for image, of_image, score, image_id, photo_px in zip(
            stretched, boxes, scores, image_ids, photos_px, strict=True
        ):
            images += 1
            outputs = run(image)
            of_boxes = float(np.maximum(of_boxes, boxes_apart(outputs.boxes, of_image)))  # also NaN
            of_scores = float(np.maximum(of_scores, np.abs(outputs.scores - score).max()))
            theirs = outputs.detected or select(outputs.boxes, outputs.scores, rules)
            for detected, results in zip((select(of_image, score, rules), theirs), found, strict=True):
                results.extend(to_results(*detected, int(image_id[0]), photo_px, told.category_ids))
    figures = None
    if ground_truth is not None:
        known = {category["id"] for category in ground_truth["categories"]}
        counted = [[each for each in results if each["category_id"] in known] for results in found]
        found = counted[0], counted[1]
        figures = evaluate(ground_truth, found[0]).figures, evaluate(ground_truth, found[1]).figures
    return Comparison(images, of_boxes, of_scores, (len(found[0]), len(found[1])), figures)


def boxes_apart(boxes: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of an edge, as a fraction of the image, or of the box where that is the larger; or NaN.

    A box may reach far beyond the image, where float32 is coarser.

    Args:
        boxes: [A, 4] yxyx.
        expected: [A, 4] yxyx.
    """
    longer_side = (expected[:, 2:] - expected[:, :2]).max(axis=1)
    return float((np.abs(boxes - expected).max(axis=1) / np.maximum(longer_side, 1)).max())
