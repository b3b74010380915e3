"""What the network is trained to make small: a loss on the classes, and smooth L1 on the boxes of positives.

Departures from the tutorial, each a mend: the focal loss is taken element by element (the tutorial's cross-entropy
is reduced to one mean before it is weighted, which is not focal loss), and a batch without any match divides by 1
and not by 0.
"""

import mindspore.nn as nn
from mindspore import Tensor, ops

from ssd.config import Loss


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


class FocalLoss(nn.Cell):
    """Sigmoid focal loss over all anchors and all columns, the background's too (MindSpore's model zoo).

    Args:
        alpha, gamma: as in `sigmoid_focal`.

    Inputs:
        logits [B, A, 1 + classes], labels [B, A] (0: background).

    Outputs:
        the sum, a scalar.
    """

    def __init__(self, alpha: float, gamma: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The sum of the loss."""
        targets = ops.one_hot(labels, logits.shape[-1], 1.0, 0.0)
        return sigmoid_focal(logits, targets, self.alpha, self.gamma).sum()


class SoftmaxLoss(nn.Cell):
    """Softmax cross-entropy over the positives and the hardest negatives (Liu et al. 2016, section 2.2).

    In each image the hardest negatives are those with the highest -log p(background), so many as
    `negatives_per_positive` times its positives, or all; an image without positives counts for nothing, as in
    SSD's Caffe code. Of equally hard ones the first is taken.

    Args:
        negatives_per_positive: usually 3.

    Inputs:
        logits [B, A, 1 + classes], labels [B, A] (0: background).

    Outputs:
        the sum, a scalar.
    """

    def __init__(self, negatives_per_positive: float) -> None:
        super().__init__()
        self.negatives_per_positive = negatives_per_positive

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The sum of the loss."""
        targets = ops.one_hot(labels, logits.shape[-1], 1.0, 0.0)
        cross_entropy = -(ops.log_softmax(logits, -1) * targets).sum(-1)
        positive = (labels > 0).astype(logits.dtype)
        # -1 puts the positives behind every negative.
        hardness = ops.stop_gradient(cross_entropy * (1 - positive) - positive)
        rank = ops.argsort(ops.argsort(-hardness, -1), -1).astype(logits.dtype)
        wanted = self.negatives_per_positive * positive.sum(-1, keepdims=True)
        mined = (rank < wanted).astype(logits.dtype) * (1 - positive)
        return (cross_entropy * (positive + mined)).sum()


class MultiBoxLoss(nn.Cell):
    """A loss on the classes plus smooth L1 over positives, each divided by the matches of the batch, at least 1.

    Args:
        class_loss: from (logits, labels) to a sum.
        box_weight: factor on the box loss.
        sum_of_parts: from the matches of this part of a batch to those of all of it; without it, this is all.

    Inputs:
        offsets [B, A, 4], logits [B, A, 1 + classes], target_offsets [B, A, 4], labels [B, A] (0: background).

    Outputs:
        total, box part and class part, three scalars; total = box_weight * box + class.
    """

    def __init__(self, class_loss: nn.Cell, box_weight: float, sum_of_parts: nn.Cell | None = None) -> None:
        super().__init__()
        self.class_loss = class_loss
        self.box_weight = box_weight
        self.sum_of_parts = sum_of_parts

    def construct(
        self, offsets: Tensor, logits: Tensor, target_offsets: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The loss and its two parts."""
        positive = (labels > 0).astype(offsets.dtype)
        matches = positive.sum()
        if self.sum_of_parts is not None:
            (matches,) = self.sum_of_parts(matches)
        matches = ops.maximum(matches, 1.0)
        box = (smooth_l1(offsets - target_offsets).sum(-1) * positive).sum() / matches
        classes = self.class_loss(logits, labels) / matches
        return self.box_weight * box + classes, box, classes


def make_loss(rules: Loss, sum_of_parts: nn.Cell | None = None) -> MultiBoxLoss:
    """The loss that the parameters name; `sum_of_parts` as in `MultiBoxLoss`."""
    class_loss = {
        "focal": FocalLoss(rules.focal_alpha, rules.focal_gamma),
        "softmax": SoftmaxLoss(rules.negatives_per_positive),
    }[rules.kind]
    return MultiBoxLoss(class_loss, rules.box_weight, sum_of_parts)
