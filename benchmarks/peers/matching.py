"""The tutorial's targets: object by object, each compared with all anchors, all arrays rewritten for each."""

from collections.abc import Callable

import numpy as np

Encode = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def make_encode(anchors: np.ndarray, threshold: float = 0.5) -> Encode:
    """A function from boxes [G, 4] yxyx and labels [G] to offsets [A, 4], labels [A] and the number of positives [1].

    Of two objects that an anchor reaches the higher IoU wins; the best anchor of an object counts as an IoU of 2.

    Args:
        anchors: [A, 4] yxyx.
        threshold: an anchor is positive above this.
    """
    top, left, bottom, right = np.split(anchors, 4, axis=-1)
    anchor_area = (bottom - top) * (right - left)
    centre_and_size = np.concatenate(
        [(anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2:] - anchors[:, :2]], 1
    )
    count = len(anchors)

    def overlap_with_all(box: np.ndarray) -> np.ndarray:
        height = np.maximum(np.minimum(bottom, box[2]) - np.maximum(top, box[0]), 0.0)
        width = np.maximum(np.minimum(right, box[3]) - np.maximum(left, box[1]), 0.0)
        shared = height * width
        union = anchor_area + (box[2] - box[0]) * (box[3] - box[1]) - shared
        return np.squeeze(shared / union)

    def encode(boxes: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        best_so_far = np.zeros(count, np.float32)
        target = np.zeros((count, 4), np.float32)
        target_label = np.zeros(count, np.int64)
        for box, label in zip(boxes, labels, strict=True):
            scores = overlap_with_all(box)
            scores[np.argmax(scores)] = 2.0
            wins = (scores > threshold) & (scores > best_so_far)
            best_so_far = np.maximum(best_so_far, scores * wins)
            target_label = wins * int(label) + (1 - wins) * target_label
            for corner in range(4):
                target[:, corner] = wins * box[corner] + (1 - wins) * target[:, corner]
        positive = np.nonzero(target_label)
        encoded = np.zeros((count, 4), np.float32)
        encoded[:, [0, 1]] = (target[:, [0, 1]] + target[:, [2, 3]]) / 2
        encoded[:, [2, 3]] = target[:, [2, 3]] - target[:, [0, 1]]
        chosen, anchor = encoded[positive], centre_and_size[positive]
        chosen[:, :2] = (chosen[:, :2] - anchor[:, :2]) / (anchor[:, 2:] * 0.1)
        chosen[:, 2:] = np.log(np.maximum(chosen[:, 2:] / anchor[:, 2:], 1e-6)) / 0.2
        encoded[positive] = chosen
        return encoded, target_label.astype(np.int32), np.array([len(positive[0])], np.int32)

    return encode
