"""A slim detector of two classes, and two photos that it can learn by heart."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ssd.config import Anchors, Evaluate, Model
from ssd.data.dataset import network_input
from ssd.data.targets import TargetEncoder
from ssd.engine.checkpoint import Description
from ssd.engine.history import EpochLosses
from ssd.engine.optimizer import make_optimizer
from ssd.engine.schedule import cosine_rates
from ssd.engine.training import Batch, Training
from ssd.geometry.anchors import make_anchors
from ssd.model.detector import SSD
from ssd.model.loss import FocalLoss, MultiBoxLoss

RECIPE = Anchors(
    steps=(8.0, 16.0, 32.0, 64.0, 100.0, 300.0),
    sizes=(0.1, 0.27, 0.44, 0.61, 0.78, 0.95, 1.0),
    ratios=((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,)),
    large_square="last",
    clip="none",
)
DESCRIPTION = Description(
    model=Model(
        input_size=300,
        width=0.03125,
        batch_norm=True,
        heads="conv",
        dropout=0.0,
        l2_norm=False,
        input="imagenet_rgb",
        pretrained=None,
        pretrained_sha256=None,
    ),
    anchors=RECIPE,
    variances=(0.1, 0.2),
    class_names=("disc", "square"),
    category_ids=(3, 7),
    scores="sigmoid",
)
ANCHORS = make_anchors(300, RECIPE.steps, RECIPE.sizes, RECIPE.ratios, "last")
RULES = Evaluate(
    batch_size=4, min_score=0.01, candidates_per_class=400, clip=True, nms_iou=0.5, detections_per_image=100
)

HEIGHT, WIDTH = 240, 320
BOX_XYWH_PX = (80, 60, 120, 120)
LABEL = 2
STEPS = 25
RATES = cosine_rates(1, STEPS, start=0.001, peak=0.01, end=0.0001, warmup_epochs=3)


def photo() -> np.ndarray:
    """A yellow square on grey, [240, 320, 3] uint8 RGB."""
    picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    left, top, width, height = BOX_XYWH_PX
    picture[top : top + height, left : left + width] = (250, 230, 40)
    return picture


def empty_photo() -> np.ndarray:
    """A paler grey without any object, of the same size."""
    return np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels, target offsets and labels of the two photos: batch norm wants two values for the map of one cell."""
    left, top, width, height = BOX_XYWH_PX
    square = [top / HEIGHT, left / WIDTH, (top + height) / HEIGHT, (left + width) / WIDTH]
    boxes = np.array([square], np.float32), np.zeros((0, 4), np.float32)
    targets = TargetEncoder(ANCHORS, 0.5, DESCRIPTION.variances)
    pixels = np.stack(
        [network_input(each, 300, DESCRIPTION.model.input) for each in (photo(), empty_photo())]
    )
    return pixels, *targets(boxes, (np.array([LABEL]), np.zeros(0, np.int32)))


@dataclass(frozen=True)
class Learnt:
    """A network that saw the photos 25 times, its weights after 3 of them, and the losses."""

    net: SSD
    history: list[EpochLosses]
    after_three: dict[str, np.ndarray]


@dataclass(frozen=True)
class Fed:
    """Data of a training: the batches that a function gives for an epoch; an image's id is 100 epoch + step."""

    of_epoch: Callable[[int], list[Batch]]

    def batches(self, epoch: int, start: int) -> list[Batch]:
        return self.of_epoch(epoch)[start:]

    def image_ids(self, epoch: int, step: int) -> list[int]:
        return [100 * epoch + step]


def epochs_of(training: Training) -> Iterator[EpochLosses]:
    """Train to the end; the losses of each epoch as it ends."""
    for step in training.steps():
        if step % training.steps_per_epoch == 0:
            yield training.history[-1]


def small_training(net: SSD, masks: Callable[[int], tuple[np.ndarray, ...]] = lambda step: ()) -> Training:
    """Shows the photos to the network, `STEPS` times, each an epoch; with the masks of dropout, if any."""
    optimizer = make_optimizer(net, "momentum", RATES, momentum=0.9, weight_decay=1e-4)
    loss = MultiBoxLoss(FocalLoss(0.75, 2.0), 1.0)
    return Training(net, loss, optimizer, Fed(lambda _: [batch()]), RATES, STEPS, masks)


def train_small(
    net: SSD, masks: Callable[[int], tuple[np.ndarray, ...]] = lambda step: ()
) -> Iterator[EpochLosses]:
    """Train as `small_training` says."""
    return epochs_of(small_training(net, masks))


def weights_of(net: SSD) -> dict[str, np.ndarray]:
    """A copy of every parameter, moving statistics too."""
    return {parameter.name: parameter.asnumpy().copy() for parameter in net.get_parameters()}
