"""Softmax with hard negatives: by hand, and against recordings of SSD's Caffe code and of torchvision."""

import math
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from ssd.config import Loss
from ssd.model.loss import FocalLoss, MultiBoxLoss, SoftmaxLoss, make_loss

RECORDED = Path(__file__).parents[2].parent / "shared" / "reference" / "losses"
# Left out: extreme_logits, where Caffe cuts probabilities at the smallest float, and many_positives for torchvision,
# which then counts the positives twice.
CASES = {
    "caffe": ("all_positive", "one_empty", "none", "many_positives", "large_logits"),
    "torchvision": ("one_empty", "none", "large_logits"),
}


def cross_entropy(logits: list[float], label: int) -> float:
    return math.log(sum(math.exp(logit) for logit in logits)) - logits[label]


def loss_of(logits: list[list[list[float]]], labels: list[list[int]], ratio: float) -> float:
    given = Tensor(np.array(logits, np.float32)), Tensor(np.array(labels, np.int32))
    return float(SoftmaxLoss(ratio)(*given).asnumpy())


def test_the_positives_and_their_share_of_the_hardest_negatives_count() -> None:
    image = [
        [0.0, 1.0],
        [3.0, 0.0],
        [0.0, 3.0],
        [1.0, 0.0],
    ]  # a positive, then an easy, the hardest and a fair one
    of_each = [cross_entropy(image[0], 1)] + [cross_entropy(anchor, 0) for anchor in image[1:]]
    assert loss_of([image], [[1, 0, 0, 0]], 1.0) == pytest.approx(of_each[0] + of_each[2], rel=1e-6)
    assert loss_of([image], [[1, 0, 0, 0]], 2.0) == pytest.approx(
        of_each[0] + of_each[2] + of_each[3], rel=1e-6
    )
    assert loss_of([image], [[1, 0, 0, 0]], 9.0) == pytest.approx(sum(of_each), rel=1e-6)


def test_an_image_without_positives_counts_for_nothing_and_does_not_lend_its_negatives() -> None:
    image = [[0.0, 1.0], [3.0, 0.0], [0.0, 3.0]]
    alone = loss_of([image], [[1, 0, 0]], 1.0)
    assert loss_of([image, [[0.0, 9.0]] * 3], [[1, 0, 0], [0, 0, 0]], 1.0) == pytest.approx(alone, rel=1e-6)


def test_of_equally_hard_negatives_only_as_many_as_wanted_count() -> None:
    assert loss_of([[[0.0, 0.0]] * 10], [[1] + [0] * 9], 3.0) == pytest.approx(4 * math.log(2), rel=1e-5)


def test_the_parameters_choose_the_loss() -> None:
    rules = Loss("softmax", 0.75, 2.0, 3.0, 0.5, 1.0)
    assert isinstance(make_loss(rules).class_loss, SoftmaxLoss) and rules.scores == "softmax"
    rules = Loss("focal", 0.75, 2.0, 3.0, 0.01, 1.0)
    assert isinstance(make_loss(rules).class_loss, FocalLoss) and rules.scores == "sigmoid"


@pytest.mark.parametrize(
    ("reference", "case"), [(name, case) for name, cases in CASES.items() for case in cases]
)
def test_value_and_gradients_are_the_references(reference: str, case: str) -> None:
    if not RECORDED.is_dir():
        pytest.skip("the recorded losses (../shared/reference/losses) are not here")
    inputs, expected = np.load(RECORDED / "inputs.npz"), np.load(RECORDED / f"{reference}.npz")
    offsets, logits, targets, labels = (
        Tensor(inputs[f"{case}_{name}"].astype(kind))
        for name, kind in (("offsets", "f4"), ("logits", "f4"), ("targets", "f4"), ("labels", "i4"))
    )
    loss = MultiBoxLoss(SoftmaxLoss(3.0), 1.0)

    def parts(offsets: Tensor, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return loss(offsets, logits, targets, labels)

    (_, box, classes), gradients = ms.value_and_grad(parts, (0, 1), has_aux=True)(offsets, logits)
    assert float(box) == pytest.approx(float(expected[f"{case}_loc"]), rel=2e-5, abs=1e-7)
    assert float(classes) == pytest.approx(float(expected[f"{case}_conf"]), rel=2e-5, abs=1e-7)
    for name, gradient in zip(("offsets", "logits"), gradients, strict=True):
        theirs = expected[f"{case}_grad_{name}"]
        tolerance = 2e-5 * np.abs(theirs).max() + 1e-9
        np.testing.assert_allclose(gradient.asnumpy(), theirs, atol=tolerance, rtol=0, err_msg=name)
