import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops

from ssd.model.winograd import Winograd, transforms


def convolution(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The sum that defines it, in float64."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    height, width = x.shape[2:]
    return sum(
        np.einsum("kc,bchw->bkhw", weight[:, :, i, j], padded[:, :, i : i + height, j : j + width])
        for i in range(3)
        for j in range(3)
    )


def gradients(x: np.ndarray, weight: np.ndarray, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of x and of the weight, in float64."""
    dx = convolution(dout, weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    height, width = x.shape[2:]
    dweight = np.zeros(weight.shape)
    for i in range(3):
        for j in range(3):
            dweight[:, :, i, j] = np.einsum(
                "bkhw,bchw->kc", dout, padded[:, :, i : i + height, j : j + width]
            )
    return dx, dweight


def largest_difference(actual: Tensor, expected: np.ndarray) -> float:
    """As a part of the largest value."""
    return float(np.abs(actual.asnumpy() - expected).max() / np.abs(expected).max())


def test_the_transforms_of_one_dimension_give_the_correlation() -> None:
    outputs, kernels, inputs = transforms()
    d, g = np.array([3.0, -1, 4, 1, -5, 9]), np.array([2.0, 7, -1])
    expected = [d[i] * g[0] + d[i + 1] * g[1] + d[i + 2] * g[2] for i in range(4)]
    assert outputs.T @ ((kernels @ g) * (inputs @ d)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("side", [(8, 8), (19, 19), (38, 75), (5, 3), (1, 1)])
def test_outputs_and_gradients_are_the_convolutions_for_any_size(side: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x = np.maximum(rng.standard_normal((2, 7, *side)), 0).astype(np.float32)
    weight = rng.standard_normal((5, 7, 3, 3)).astype(np.float32)
    dout = rng.standard_normal((2, 5, *side)).astype(np.float32)
    winograd = Winograd()
    assert largest_difference(winograd(Tensor(x), Tensor(weight)), convolution(x, weight)) < 3e-6
    of_both = ops.GradOperation(get_all=True, sens_param=True)(winograd)
    dx, dweight = of_both(Tensor(x), Tensor(weight), Tensor(dout))
    expected_dx, expected_dweight = gradients(x, weight, dout)
    assert largest_difference(dx, expected_dx) < 3e-6
    assert largest_difference(dweight, expected_dweight) < 3e-6


def test_it_rounds_little_more_than_the_direct_sum() -> None:
    rng = np.random.default_rng(1)
    x = np.maximum(rng.standard_normal((1, 256, 16, 16)), 0).astype(np.float32)
    weight = rng.standard_normal((64, 256, 3, 3)).astype(np.float32)
    expected = convolution(x, weight)
    direct = ops.Conv2D(64, 3, pad_mode="pad", pad=1)(Tensor(x), Tensor(weight))
    errors = [
        np.abs(each.asnumpy() - expected).mean() for each in (Winograd()(Tensor(x), Tensor(weight)), direct)
    ]
    assert errors[0] < 8 * errors[1]
    assert errors[0] < 2e-6 * np.abs(expected).mean()


def test_equal_inputs_give_equal_bytes() -> None:
    rng = np.random.default_rng(2)
    x, weight = (
        Tensor(rng.standard_normal(shape), ms.float32) for shape in ((2, 64, 19, 19), (64, 64, 3, 3))
    )
    first, second = (Winograd()(x, weight).asnumpy().tobytes() for _ in range(2))
    assert first == second
