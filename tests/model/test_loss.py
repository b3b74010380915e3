"""By hand, at the borders, and against recordings of the MindSpore model zoo's loss."""

import math
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops

from ssd.model.loss import FocalLoss, MultiBoxLoss, sigmoid_focal, smooth_l1

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "losses.npz")
CASES = ("one_empty", "extreme_logits", "equal_logits")
INPUTS = ("offsets", "logits", "targets", "labels")

# one image, two anchors, two classes: the first anchor is of class 2, the second is background
OFFSETS = np.array([[[0.5, -2.0, 0.0, 1.0], [9.0, 9.0, 9.0, 9.0]]], np.float32)
TARGETS = np.array([[[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]], np.float32)
LABELS = np.array([[2, 0]], np.int32)


def focal(logit: float, target: int, alpha: float = 0.75, gamma: float = 2.0) -> float:
    """Focal loss of one element as the paper writes it."""
    p = 1 / (1 + math.exp(-logit))
    return -alpha * (1 - p) ** gamma * math.log(p) if target else -(1 - alpha) * p**gamma * math.log(1 - p)


def elements(logits: list[float], target: int, gamma: float) -> tuple[np.ndarray, np.ndarray]:
    """Focal loss of logits that share a target, and its gradients."""
    targets = Tensor(np.full((1, 1, len(logits)), target, np.float32))

    def values(logits: Tensor) -> Tensor:
        return sigmoid_focal(logits, targets, 0.75, gamma)

    given = Tensor(np.array([[logits]], np.float32))
    gradients = ms.grad(lambda logits: values(logits).sum())(given)
    return values(given).asnumpy()[0, 0], gradients.asnumpy()[0, 0]


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 3.0])
def test_focal_loss_is_the_papers_element_by_element(target: int, gamma: float) -> None:
    logits = [-6.0, -1.5, 0.0, 0.25, 4.0]
    values, _ = elements(logits, target, gamma)
    expected = [focal(logit, target, gamma=gamma) for logit in logits]
    np.testing.assert_allclose(values, expected, rtol=2e-5, atol=1e-8)


def test_focal_loss_of_a_sure_mistake_is_the_weighted_logit() -> None:
    assert elements([40.0], 0, 2.0)[0].tolist() == [pytest.approx(0.25 * 40)]
    assert elements([-40.0], 1, 2.0)[0].tolist() == [pytest.approx(0.75 * 40)]


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_the_gradient_of_focal_loss_is_the_slope_and_finite_for_any_logit(target: int, gamma: float) -> None:
    logits = [-300.0, -100.0, -30.0, -2.0, 0.0, 1.5, 30.0, 100.0, 300.0]
    values, gradients = elements(logits, target, gamma)
    assert np.isfinite(values).all() and np.isfinite(gradients).all()
    for logit, gradient in zip(logits[3:6], gradients[3:6], strict=True):
        slope = (focal(logit + 1e-4, target, gamma=gamma) - focal(logit - 1e-4, target, gamma=gamma)) / 2e-4
        assert gradient == pytest.approx(slope, rel=1e-4)


def test_smooth_l1_is_half_the_square_below_one_and_the_size_less_a_half_above() -> None:
    given = [0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0]
    values = smooth_l1(Tensor(np.array(given, np.float32))).asnumpy()
    assert values.tolist() == [0.0, 0.125, 0.125, 0.5, 0.5, 2.5, 2.5]
    gradients = ms.grad(lambda difference: smooth_l1(difference).sum())(Tensor(np.array(given, np.float32)))
    assert gradients.asnumpy().tolist() == [0.0, 0.5, -0.5, 1.0, -1.0, 1.0, -1.0]


def test_the_loss_by_hand() -> None:
    logits = np.array([[[1.0, -2.0, 0.5], [3.0, -1.0, 0.0]]], np.float32)
    total, box, classes = MultiBoxLoss(FocalLoss(0.75, 2.0), 0.5)(
        *map(Tensor, (OFFSETS, logits, TARGETS, LABELS))
    )
    assert float(box) == pytest.approx(0.125 + 1.5 + 0.0 + 0.5)  # of the positive alone
    expected = focal(1.0, 0) + focal(-2.0, 0) + focal(0.5, 1) + focal(3.0, 1) + focal(-1.0, 0) + focal(0.0, 0)
    assert float(classes) == pytest.approx(expected, rel=1e-5)
    assert float(total) == pytest.approx(0.5 * 2.125 + expected, rel=1e-5)


def test_both_parts_are_divided_by_the_matches_of_the_batch() -> None:
    logits = np.zeros((1, 2, 3), np.float32)
    loss = MultiBoxLoss(FocalLoss(0.75, 2.0), 1.0)
    once = loss(*map(Tensor, (OFFSETS, logits, TARGETS, LABELS)))
    # an image more without any object: the class part grows, the divisor does not
    doubled = [given.repeat(2, 0) for given in (OFFSETS, logits, TARGETS)]
    with_empty = loss(*map(Tensor, (*doubled, np.concatenate([LABELS, 0 * LABELS]))))
    twice = loss(*map(Tensor, (*doubled, LABELS.repeat(2, 0))))
    assert float(twice[0]) == pytest.approx(float(once[0]), rel=1e-6)
    assert float(with_empty[1]) == pytest.approx(float(once[1]), rel=1e-6)
    assert float(with_empty[2]) == pytest.approx(2 * float(once[2]), rel=1e-6)


def test_a_batch_without_matches_has_a_finite_loss_and_a_gradient() -> None:
    logits = Tensor(np.random.default_rng(1).standard_normal((2, 5, 3)).astype(np.float32))
    offsets = Tensor(np.ones((2, 5, 4), np.float32))
    targets, labels = ops.zeros_like(offsets), Tensor(np.zeros((2, 5), np.int32))
    loss = MultiBoxLoss(FocalLoss(0.75, 2.0), 1.0)

    def total(offsets: Tensor, logits: Tensor) -> Tensor:
        return loss(offsets, logits, targets, labels)[0]

    value, (of_offsets, of_logits) = ms.value_and_grad(total, (0, 1))(offsets, logits)
    given = logits.asnumpy().reshape(-1, 3).tolist()
    expected = sum(focal(row[0], 1) + focal(row[1], 0) + focal(row[2], 0) for row in given)
    assert float(value) == pytest.approx(expected, rel=1e-5)
    assert (of_offsets.asnumpy() == 0).all()
    assert np.isfinite(of_logits.asnumpy()).all() and (of_logits.asnumpy() != 0).all()


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_are_the_model_zoos(case: str) -> None:
    offsets, logits, targets, labels = (Tensor(GOLDEN[f"{case}_{name}"]) for name in INPUTS)
    loss = MultiBoxLoss(FocalLoss(0.75, 2.0), 1.0)

    def total(offsets: Tensor, logits: Tensor) -> Tensor:
        return loss(offsets, logits, targets, labels)[0]

    value, gradients = ms.value_and_grad(total, (0, 1))(offsets, logits)
    assert float(value) == pytest.approx(float(GOLDEN[f"{case}_total"]), rel=1e-5)
    for name, gradient in zip(("offsets", "logits"), gradients, strict=True):
        expected = GOLDEN[f"{case}_grad_{name}_image0"]
        ours = gradient.asnumpy()[0]
        np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max(), rtol=0, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_every_element_is_the_model_zoos(case: str) -> None:
    labels = Tensor(GOLDEN[f"{case}_labels"][0])
    targets = ops.one_hot(labels, 7, 1.0, 0.0)
    ours = sigmoid_focal(Tensor(GOLDEN[f"{case}_logits"][0]), targets, 0.75, 2.0).asnumpy()
    expected = GOLDEN[f"{case}_focal_elementwise_image0"]
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)
    difference = GOLDEN[f"{case}_offsets"][0] - GOLDEN[f"{case}_targets"][0]
    expected = GOLDEN[f"{case}_smooth_l1_elementwise_image0"]
    np.testing.assert_allclose(smooth_l1(Tensor(difference)).asnumpy(), expected, rtol=1e-6, atol=1e-7)
