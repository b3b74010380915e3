"""The files of the other stages as frozen facts.

Each reader raises a ValueError, one sentence with the address, where a file is missing or is not JSON, and
where a value is missing or of another kind than it should be.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ssd.analysis.thresholds import Threshold
from ssd.report.fields import Box, Value, read_table, read_tree

SIZES = ("small", "medium", "large")
Entry = TypeVar("Entry")

COCO_FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
VOC_FIGURES = ("VOC07", "VOC10")
FIGURES = (*COCO_FIGURES, *VOC_FIGURES)


@dataclass(frozen=True)
class Repair:
    """One kind of doubtful annotation: how often it occurred, and where first."""

    kind: str
    count: int
    first: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """What the records of one split hold, in counts."""

    images: int
    objects: int
    crowds: int
    difficult: int
    images_without_objects: int
    sizes: dict[str, int]
    repairs: tuple[Repair, ...]


@dataclass(frozen=True)
class Data:
    """metrics/mindrecord.json."""

    classes: int
    train: Split
    val: Split
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ClassCount:
    """A row of metrics/classes.csv: objects of one class."""

    name: str
    train: int
    val: int


@dataclass(frozen=True)
class Coverage:
    """How many objects there are of a kind, and the share that some anchor covers."""

    objects: int
    share: float | None


@dataclass(frozen=True)
class Suggestion:
    """Sizes of anchors that suit the training objects, and the share of them that they would cover."""

    sizes: tuple[float, ...]
    share: float


@dataclass(frozen=True)
class AnchorFit:
    """metrics/anchors.json; `sizes` has the keys all, small, medium, large."""

    anchors: int
    matched_per_image: float | None
    threshold: float
    sizes: dict[str, Coverage]
    classes: dict[str, Coverage]
    suggested: Suggestion | None


@dataclass(frozen=True)
class Epoch:
    """A row of metrics/train.csv."""

    epoch: int
    lr: float | None
    loss: float | None
    loss_box: float | None
    loss_class: float | None


@dataclass(frozen=True)
class Training:
    """metrics/train.json: the figures at the end of training."""

    epochs: int
    steps: int
    loss: float | None
    loss_box: float | None
    loss_class: float | None
    parameters: int


@dataclass(frozen=True)
class Evaluation:
    """metrics/evaluate.json: the 12 COCO figures and the 2 of VOC by name, None where undefined."""

    figures: dict[str, float | None]
    images: int
    objects: int
    detections: int


@dataclass(frozen=True)
class ClassFigures:
    """A row of metrics/per_class.csv; `voc` has those of VOC's figures that the file has, by name."""

    name: str
    ap: float | None
    ap50: float | None
    ar100: float | None
    voc: dict[str, float | None]
    objects: int


@dataclass(frozen=True)
class Precision:
    """A row of metrics/pr.csv: precision at one recall, by IoU; `mean` is over the ten IoUs."""

    recall: float
    iou50: float | None
    iou75: float | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class Object:
    """A ground-truth box of an image: x, y, width, height in pixels.

    A crowd is one box around many; a difficult object need not be found.
    """

    category_id: int
    box_xywh: Box
    crowd: bool
    difficult: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is to be found."""
        return not self.crowd and not self.difficult


@dataclass(frozen=True, slots=True)
class Detection:
    """A detected box of an image: x, y, width, height in pixels."""

    category_id: int
    box_xywh: Box
    score: float


@dataclass(frozen=True)
class Image:
    """An image of a split with its ground truth; the size is in pixels."""

    id: int
    width: int
    height: int
    objects: tuple[Object, ...]


def read_data(path: Path) -> Data:
    """The counts, repairs and notes of the records."""
    tree = read_tree(path)
    return Data(
        classes=tree["classes"].whole(),
        train=_split(tree["train"]),
        val=_split(tree["val"]),
        notes=tuple(note.text() for note in tree["notes"]),
    )


def _split(tree: Value) -> Split:
    return Split(
        images=tree["images"].whole(),
        objects=tree["objects"].whole(),
        crowds=tree["crowds"].whole(),
        difficult=tree["difficult"].whole(),
        images_without_objects=tree["images_without_objects"].whole(),
        sizes={size: tree[size].whole() for size in SIZES},
        repairs=tuple(
            Repair(kind, found["count"].whole(), tuple(address.text() for address in found["first"]))
            for kind, found in tree["repairs"].items()
        ),
    )


def _some(rows: tuple[Entry, ...], path: Path) -> tuple[Entry, ...]:
    """`rows`, of which there has to be one at least."""
    if not rows:
        raise ValueError(f"{path}: expected at least one row under a header, got none")
    return rows


def read_class_counts(path: Path) -> tuple[ClassCount, ...]:
    """Objects of each class in both splits, in the file's order."""
    counts = tuple(
        ClassCount(row.text("class"), row.whole("train"), row.whole("val"))
        for row in read_table(path, "class", "train", "val")
    )
    return _some(counts, path)


def read_anchors(path: Path) -> AnchorFit:
    """How well the anchors cover the ground truth."""
    tree = read_tree(path)
    return AnchorFit(
        anchors=tree["anchors"].whole(),
        matched_per_image=tree["matched_per_image"].number_or_none(),
        threshold=tree["threshold"].number(),
        sizes={
            size: Coverage(tree["objects"][size].whole(), tree["coverage"][size].number_or_none())
            for size in ("all", *SIZES)
        },
        classes={
            name: Coverage(found["objects"].whole(), found["coverage"].number_or_none())
            for name, found in tree["classes"].items()
        },
        suggested=None if tree["suggested"].value is None else _suggestion(tree["suggested"]),
    )


def _suggestion(tree: Value) -> Suggestion:
    return Suggestion(tuple(size.number() for size in tree["sizes"]), tree["coverage"]["all"].number())


def read_epochs(path: Path) -> tuple[Epoch, ...]:
    """Learning rate and losses, epoch by epoch."""
    epochs = tuple(
        Epoch(
            row.whole("epoch"),
            row.number_or_none("lr"),
            row.number_or_none("loss"),
            row.number_or_none("loss_box"),
            row.number_or_none("loss_class"),
        )
        for row in read_table(path, "epoch", "lr", "loss", "loss_box", "loss_class")
    )
    return _some(epochs, path)


def read_training(path: Path) -> Training:
    """The figures at the end of training."""
    tree = read_tree(path)
    return Training(
        epochs=tree["epochs"].whole(),
        steps=tree["steps"].whole(),
        loss=tree["loss"].number_or_none(),
        loss_box=tree["loss_box"].number_or_none(),
        loss_class=tree["loss_class"].number_or_none(),
        parameters=tree["parameters"].whole(),
    )


def read_evaluation(path: Path) -> Evaluation:
    """The figures, and over how much they were taken."""
    tree = read_tree(path)
    return Evaluation(
        figures={name: tree[name].number_or_none() for name in FIGURES},
        images=tree["images"].whole(),
        objects=tree["objects"].whole(),
        detections=tree["detections"].whole(),
    )


def read_class_figures(path: Path) -> tuple[ClassFigures, ...]:
    """AP and AR of each class, and VOC's figures where the file has them, in the file's order."""
    figures = tuple(
        ClassFigures(
            row.text("class"),
            row.number_or_none("AP"),
            row.number_or_none("AP50"),
            row.number_or_none("AR100"),
            {name: row.number_or_none(name) for name in VOC_FIGURES if row.has(name)},
            row.whole("objects"),
        )
        for row in read_table(
            path, "class", "AP", "AP50", "AR100", *VOC_FIGURES, "objects", optional=VOC_FIGURES
        )
    )
    return _some(figures, path)


def read_precision(path: Path) -> tuple[Precision, ...]:
    """Precision by recall, averaged over classes."""
    return tuple(
        Precision(
            row.number("recall"),
            row.number_or_none("AP50"),
            row.number_or_none("AP75"),
            row.number_or_none("AP"),
        )
        for row in read_table(path, "recall", "AP50", "AP75", "AP")
    )


def read_thresholds(path: Path) -> tuple[Threshold, ...]:
    """Precision, recall and F1 by the least score."""
    thresholds = tuple(
        Threshold(
            row.number("threshold"),
            row.number_or_none("precision"),
            row.number_or_none("recall"),
            row.number_or_none("f1"),
        )
        for row in read_table(path, "threshold", "precision", "recall", "f1")
    )
    return _some(thresholds, path)


def read_classes(path: Path) -> dict[int, str]:
    """The class names by category id, in the order of the class list."""
    return {row["category_id"].identifier(): row["name"].text() for row in read_tree(path)}


def read_images(path: Path, classes: dict[int, str]) -> tuple[Image, ...]:
    """The images of a split with their ground truth, in order of id.

    Args:
        path: COCO-format ground truth.
        classes: names by category id; every annotation must be of one of them.
    """
    tree = read_tree(path)
    objects: dict[int, list[Object]] = {image["id"].whole(): [] for image in tree["images"]}
    for annotation in tree["annotations"]:
        _image_objects(annotation, objects).append(
            Object(
                _category(annotation, classes),
                annotation["bbox"].box_xywh(),
                bool(annotation["iscrowd"].whole()),
                annotation.has("difficult") and bool(annotation["difficult"].whole()),
            )
        )
    images = (
        Image(
            image["id"].whole(),
            image["width"].positive(),
            image["height"].positive(),
            tuple(objects[image["id"].whole()]),
        )
        for image in tree["images"]
    )
    return tuple(sorted(images, key=lambda image: image.id))


def read_detections(
    path: Path, images: tuple[Image, ...], classes: dict[int, str]
) -> dict[int, list[Detection]]:
    """The detections of every image, by image id; an image without any has an empty list.

    Args:
        path: a COCO results list.
        images: the images which were looked at; a detection in another one is an error.
        classes: names by category id.
    """
    detections: dict[int, list[Detection]] = {image.id: [] for image in images}
    for found in read_tree(path):
        _image_objects(found, detections).append(
            Detection(_category(found, classes), found["bbox"].box_xywh(), found["score"].number())
        )
    return detections


def _image_objects(row: Value, by_image: dict[int, list[Any]]) -> list[Any]:
    """The list of the image that `row` names."""
    image_id = row["image_id"].whole()
    if image_id not in by_image:
        raise ValueError(f"{row.address}.image_id: expected an image of the split, got {image_id}")
    return by_image[image_id]


def _category(row: Value, classes: dict[int, str]) -> int:
    category_id = row["category_id"].whole()
    if category_id not in classes:
        raise ValueError(f"{row.address}.category_id: expected one of the class list, got {category_id}")
    return category_id
