"""From records to batches: what the network is fed.

The order of an epoch depends on (seed, epoch), every change to an image on (seed, epoch, image id): the number of
workers changes nothing. The records must have been verified (`records.open_records`), since MindSpore's reader can
crash on damaged ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from ssd.config import Augment, Input
from ssd.data.augment.policies import augment
from ssd.data.augment.resize import resize
from ssd.data.decode import decode_checked
from ssd.data.records import Records, without_sentinel
from ssd.geometry.matching import match
from ssd.geometry.offsets import encode
from ssd.runtime import prepare_mindspore, processors

# ImageNet's mean and deviation in RGB, times 255 (the tutorial's).
MEAN_RGB = np.array([0.485, 0.456, 0.406], np.float32) * 255
STD_RGB = np.array([0.229, 0.224, 0.225], np.float32) * 255

# Caffe's SSD (Liu et al. 2016): whole numbers near ImageNet's mean.
CAFFE_MEAN_BGR = np.array([104, 117, 123], np.float32)


def network_input(image: np.ndarray, size: int, wanted: Input) -> np.ndarray:
    """An image as the network wants it: stretched to a square, normalised, [3, size, size] float32.

    Args:
        image: [H, W, 3] uint8 RGB.
        size: side of the network's input.
        wanted: order and scale of the channels.
    """
    rgb = resize(image, size)
    pixels = (rgb - MEAN_RGB) / STD_RGB if wanted == "imagenet_rgb" else rgb[:, :, ::-1] - CAFFE_MEAN_BGR
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def encode_targets(
    boxes: np.ndarray,
    labels: np.ndarray,
    anchors: np.ndarray,
    iou_threshold: float,
    variances: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """What the network should say of each anchor.

    Args:
        boxes: [G, 4] yxyx; G may be 0.
        labels: [G], 1 and up.
        anchors: [A, 4] yxyx.
        iou_threshold: an anchor is positive from this IoU on.
        variances: divisors of the encoded centres and sizes.

    Returns:
        offsets [A, 4] float32, 0 where negative; labels [A] int32, 0 where negative.
    """
    offsets, anchor_labels = np.zeros_like(anchors), np.zeros(len(anchors), np.int32)
    matched = match(boxes, anchors, iou_threshold)
    (positive,) = np.nonzero(matched >= 0)
    if len(positive):
        offsets[positive] = encode(boxes[matched[positive]], anchors[positive], variances)
        anchor_labels[positive] = labels[matched[positive]]
    return offsets, anchor_labels


@dataclass(frozen=True)
class TrainingSample:
    """Makes one training sample of one record.

    Attributes:
        anchors: [A, 4] yxyx.
        size, input: as in `network_input`.
        iou_threshold, variances: as in `encode_targets`.
        policy: chances and ranges of the augmentation.
        seed, epoch: with the image's id, all that chance depends on.
    """

    anchors: np.ndarray
    size: int
    input: Input
    iou_threshold: float
    variances: tuple[float, float]
    policy: Augment
    seed: int
    epoch: int

    def __call__(
        self, image_id: np.ndarray, encoded: np.ndarray, boxes: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels [3, size, size], target offsets [A, 4] and labels [A]."""
        rng = np.random.default_rng([self.seed, self.epoch, int(image_id[0])])
        boxes, labels = without_sentinel(boxes, labels)
        image, boxes, labels = augment(
            decode_checked(encoded.tobytes()), boxes, labels, self.policy, self.size, rng
        )
        offsets, anchor_labels = encode_targets(
            boxes, labels, self.anchors, self.iou_threshold, self.variances
        )
        return network_input(image, self.size, self.input), offsets, anchor_labels


@dataclass(frozen=True)
class EvaluationSample:
    """Makes one evaluation sample of one record.

    Attributes:
        size, input: as in `network_input`.
    """

    size: int
    input: Input

    def __call__(
        self, image_id: np.ndarray, height: np.ndarray, width: np.ndarray, encoded: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels [3, size, size], image id [1] and the photo's size [2] height, width in pixels."""
        photo_px = np.array([height[0], width[0]], np.int32)
        pixels = network_input(decode_checked(encoded.tobytes()), self.size, self.input)
        return pixels, image_id.astype(np.int64), photo_px


@dataclass(frozen=True)
class TrainingData:
    """The batches of every epoch, each in an order drawn from (seed, epoch); an incomplete last one is left out.

    Attributes:
        records: as `open_records` verified them.
        sample: makes one sample of the first epoch; its seed gives the order too.
        batch_size: samples a batch.
        workers: threads that make samples; at most the number of processors.
        share: which rows of every batch are made; without it, all.
    """

    records: Records
    sample: TrainingSample
    batch_size: int
    workers: int
    share: slice = field(default_factory=lambda: slice(None))

    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The batches of an epoch, counted from 1, from one of its steps on, counted from 0.

        Yields:
            pixels [B, 3, S, S], target offsets [B, A, 4], labels [B, A]; B: of the share.
        """
        rows = self._order(epoch)[start:, self.share]
        return _batches(
            self.records,
            ["image_id", "image", "boxes", "labels"],
            replace(self.sample, epoch=epoch),
            ["pixels", "offsets", "labels"],
            rows.ravel(),
            rows.shape[1],
            self.workers,
        )

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
    return _batches(
        records,
        ["image_id", "height", "width", "image"],
        sample,
        ["pixels", "image_id", "photo_px"],
        np.arange(len(records)),
        batch_size,
        1,
    )


def _batches(
    records: Records,
    columns: list[str],
    sample: Callable[..., tuple[np.ndarray, ...]],
    made: list[str],
    order: np.ndarray,
    batch_size: int,
    workers: int,
) -> Iterator[Any]:
    prepare_mindspore()
    import mindspore.dataset as ds

    cv2.setNumThreads(0)  # the workers are the threads
    files = [str(path) for path in records.files]
    rows = ds.MindDataset(files, columns_list=columns, sampler=ds.SubsetSampler(order.tolist()))
    samples = rows.map(sample, columns, made, num_parallel_workers=min(workers, processors()))
    batches = samples.batch(batch_size)
    return batches.create_tuple_iterator(num_epochs=1, output_numpy=True)
