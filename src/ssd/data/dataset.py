"""From records to batches: what the network is fed.

The order of an epoch depends on (seed, epoch), every change to an image on (seed, epoch, image id): the number of
workers changes nothing. The records must have been verified (`records.open_records`); they are read by `shards`, not by
MindSpore, whose pipeline copies every batch several times on its way.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial

import cv2
import numpy as np

from ssd.config import Augment, Input
from ssd.data.ahead import made_ahead
from ssd.data.augment.policies import augment
from ssd.data.augment.resize import resize
from ssd.data.photo_reader import KEPT_BYTES, Example, PhotoReader
from ssd.data.records import Records
from ssd.data.targets import TargetEncoder

# ImageNet's mean and deviation in RGB, times 255 (the tutorial's).
MEAN_RGB = np.array([0.485, 0.456, 0.406], np.float32) * 255
STD_RGB = np.array([0.229, 0.224, 0.225], np.float32) * 255

# Caffe's SSD (Liu et al. 2016): whole numbers near ImageNet's mean.
CAFFE_MEAN_BGR = np.array([104, 117, 123], np.float32)


_LEVELS = np.arange(256, dtype=np.float32)[:, None]
_PLANES: dict[Input, tuple[tuple[int, np.ndarray], ...]] = {
    "imagenet_rgb": tuple(enumerate(np.ascontiguousarray(((_LEVELS - MEAN_RGB) / STD_RGB).T))),
    "caffe_bgr": tuple(zip((2, 1, 0), np.ascontiguousarray((_LEVELS - CAFFE_MEAN_BGR).T), strict=True)),
}
"""For each plane of the input the channel that it is made of, and what each of the 256 levels becomes."""


def network_input(image: np.ndarray, size: int, wanted: Input) -> np.ndarray:
    """An image as the network wants it: stretched to a square, normalised, [3, size, size] float32.

    Args:
        image: [H, W, 3] uint8 RGB.
        size: side of the network's input.
        wanted: order and scale of the channels.
    """
    pixels = np.empty((3, size, size), np.float32)
    normalise(resize(image, size), wanted, pixels)
    return pixels


def normalise(image: np.ndarray, wanted: Input, pixels: np.ndarray) -> None:
    """Write a square image into `pixels` as the network wants it.

    Args:
        image: [S, S, 3] uint8 RGB.
        wanted: order and scale of the channels.
        pixels: [3, S, S] float32, contiguous; is filled.
    """
    channels = cv2.split(image)
    for plane, (channel, levels) in zip(pixels, _PLANES[wanted], strict=True):
        cv2.LUT(channels[channel], levels, dst=plane)


@dataclass(frozen=True)
class TrainingSample:
    """Makes training samples of photos.

    Attributes:
        anchors: [A, 4] yxyx.
        size, input: as in `network_input`.
        iou_threshold, variances: as in `TargetEncoder`.
        policy: chances and ranges of the augmentation.
        seed: with the epoch and the image's id, all that chance depends on.
    """

    anchors: np.ndarray
    size: int
    input: Input
    iou_threshold: float
    variances: tuple[float, float]
    policy: Augment
    seed: int

    def changed(self, epoch: int, example: Example) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The photo augmented, [size, size, 3] uint8, and its objects, [G', 4] and [G']."""
        rng = np.random.default_rng([self.seed, epoch, example.image_id])
        return augment(example.image, example.boxes, example.labels, self.policy, self.size, rng)

    @cached_property
    def targets(self) -> TargetEncoder:
        """Makes the targets of images."""
        return TargetEncoder(self.anchors, self.iou_threshold, self.variances)

    def batch(
        self, read: Callable[[int], Example], epoch: int, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels [B, 3, size, size], target offsets [B, A, 4] and labels [B, A] of rows [B] in an epoch."""
        pixels = np.empty((len(rows), 3, self.size, self.size), np.float32)
        boxes, labels = [], []
        for into, row in zip(pixels, rows.tolist(), strict=True):
            image, of_image, labels_of_image = self.changed(epoch, read(row))
            normalise(image, self.input, into)
            boxes.append(of_image)
            labels.append(labels_of_image)
        return pixels, *self.targets(boxes, labels)


@dataclass(frozen=True)
class EvaluationSample:
    """Makes evaluation samples of photos.

    Attributes:
        size, input: as in `network_input`.
    """

    size: int
    input: Input

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """[3, size, size] float32 of a photo [H, W, 3] uint8 RGB."""
        return network_input(image, self.size, self.input)

    def batch(
        self, read: Callable[[int], Example], rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels [B, 3, size, size], image ids [B, 1] and photos' sizes [B, 2] height, width in pixels, of rows [B]."""
        examples = [read(row) for row in rows.tolist()]
        return (
            np.stack([self.pixels(each.image) for each in examples]),
            np.array([[each.image_id] for each in examples], np.int64),
            np.array([each.image.shape[:2] for each in examples], np.int32),
        )


@dataclass(frozen=True)
class TrainingData:
    """The batches of every epoch, each in an order drawn from (seed, epoch); an incomplete last one is left out.

    Attributes:
        records: as `open_records` verified them.
        sample: makes the samples; its seed gives the order too.
        batch_size: samples a batch.
        workers: threads that make samples; at most the number of processors.
        share: which rows of every batch are made; without it, all.
        kept_bytes: of decoded photos that are kept in memory from one epoch to the next, at most.
    """

    records: Records
    sample: TrainingSample
    batch_size: int
    workers: int
    share: slice = field(default_factory=lambda: slice(None))
    kept_bytes: int = KEPT_BYTES

    @cached_property
    def photos(self) -> PhotoReader:
        """Reads and keeps the photos of all epochs."""
        return PhotoReader(self.records, self.kept_bytes)

    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The batches of an epoch, counted from 1, from one of its steps on, counted from 0.

        Yields:
            pixels [B, 3, S, S], target offsets [B, A, 4], labels [B, A]; B: of the share.
        """
        rows = self._order(epoch)[start:, self.share]
        return made_ahead(partial(self.sample.batch, self.photos, epoch), rows, self.workers)

    def image_ids(self, epoch: int, step: int) -> tuple[int, ...]:
        """The images of one batch, all its shares."""
        return tuple(self.records.image_ids[row] for row in self._order(epoch)[step])

    def _order(self, epoch: int) -> np.ndarray:
        """[steps, batch size]: rows of the records."""
        order = np.random.default_rng([self.sample.seed, epoch]).permutation(len(self.records))
        whole = len(order) - len(order) % self.batch_size
        return order[:whole].reshape(-1, self.batch_size)


def example_pixels(records: Records, size: int, wanted: Input, count: int) -> np.ndarray:
    """The first images of the records as the network wants them, [N, 3, size, size]; N is `count` at most."""
    pixels, _, _ = next(evaluation_batches(records, EvaluationSample(size, wanted), count))
    return pixels


def evaluation_batches(
    records: Records, sample: EvaluationSample, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Every record once, in the order of the files; the last batch may be smaller.

    Yields:
        pixels [B, 3, S, S], image ids [B, 1], photo sizes [B, 2] height, width in pixels.
    """
    starts = range(0, len(records), batch_size)
    rows = [np.arange(start, min(start + batch_size, len(records))) for start in starts]
    return made_ahead(partial(sample.batch, PhotoReader(records, kept_bytes=0)), rows, 1)
