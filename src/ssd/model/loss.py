"""What the network is trained to make small: focal loss on the classes, smooth L1 on the boxes of positives.

Departures from the tutorial, each a mend: the focal loss is taken element by element (the tutorial's cross-entropy
is reduced to one mean before it is weighted, which is not focal loss), and a batch without any match divides by 1
and not by 0.
"""

import mindspore.nn as nn
from mindspore import Tensor, ops


def sigmoid_focal(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    """Focal loss of each element (Lin et al. 2017, eq. 5), [B, A, C].

    Args:
        logits: [B, A, C].
        targets: [B, A, C], 0 or 1.
        alpha: weight of an element whose target is 1; the others weigh 1 - alpha.
        gamma: exponent that plays down what is already right.
    """
    ones = ops.ones_like(logits)
    cross_entropy = ops.binary_cross_entropy_with_logits(logits, targets, ones, ones, "none")
    # -log(1 - p_t): a power of 1 - p_t itself has no finite gradient where p_t rounds to 1 and gamma is below 1.
    of_the_opposite = ops.binary_cross_entropy_with_logits(logits, 1 - targets, ones, ones, "none")
    weight = targets * alpha + (1 - targets) * (1 - alpha)
    return weight * ops.exp(-gamma * of_the_opposite) * cross_entropy


def smooth_l1(difference: Tensor) -> Tensor:
    """Half the square below 1, the absolute value less a half above (Girshick 2015, eq. 3), element by element."""
    size = ops.abs(difference)
    inner = ops.minimum(size, 1.0)
    return inner * (size - 0.5 * inner)


class MultiBoxLoss(nn.Cell):
    """Focal loss over all anchors and classes plus smooth L1 over positives, each divided by the matches.

    Args:
        alpha, gamma: of the focal loss.
        box_weight: factor on the box loss.

    Inputs:
        offsets [B, A, 4], logits [B, A, 1 + classes], target_offsets [B, A, 4], labels [B, A] (0: background).

    Outputs:
        total, box part and class part, three scalars; total = box_weight * box + class.
    """

    def __init__(self, alpha: float, gamma: float, box_weight: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma
        self.box_weight = box_weight

    def construct(
        self, offsets: Tensor, logits: Tensor, target_offsets: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The loss and its two parts."""
        positive = (labels > 0).astype(offsets.dtype)
        matches = ops.maximum(positive.sum(), 1.0)
        box = (smooth_l1(offsets - target_offsets).sum(-1) * positive).sum() / matches
        targets = ops.one_hot(labels, logits.shape[-1], 1.0, 0.0)
        classes = sigmoid_focal(logits, targets, self.alpha, self.gamma).sum() / matches
        return self.box_weight * box + classes, box, classes
