"""What the network should say of each anchor, made for a batch at once."""

from collections.abc import Sequence

import numpy as np

from ssd.geometry.matching import Matcher
from ssd.geometry.offsets import encode


class TargetEncoder:
    """From the objects of images to offsets and labels of the anchors.

    Args:
        anchors: [A, 4] yxyx.
        iou_threshold: an anchor is positive from this IoU on.
        variances: divisors of the encoded centres and sizes.
    """

    def __init__(self, anchors: np.ndarray, iou_threshold: float, variances: tuple[float, float]) -> None:
        self.anchors = anchors
        self.variances = variances
        self.matcher = Matcher(anchors, iou_threshold)

    def __call__(
        self, boxes: Sequence[np.ndarray], labels: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Offsets [B, A, 4] float32, 0 where negative, and labels [B, A] int32, 0 where negative.

        Args:
            boxes: B times [G, 4] yxyx; G may be 0.
            labels: B times [G], 1 and up.
        """
        all_boxes, all_labels = np.concatenate(boxes), np.concatenate(labels)
        positive, answered = self.matcher(all_boxes, [len(each) for each in boxes])
        offsets = np.zeros((len(boxes), len(self.anchors), 4), np.float32)
        anchor_labels = np.zeros(offsets.shape[:2], np.int32)
        if len(positive):
            anchors = self.anchors.take(positive % len(self.anchors), axis=0)
            offsets.reshape(-1, 4)[positive] = encode(
                all_boxes.take(answered, axis=0), anchors, self.variances
            )
            anchor_labels.reshape(-1)[positive] = all_labels.take(answered)
        return offsets, anchor_labels
