import mindspore as ms
import mindspore.nn as nn
import numpy as np
import pytest
from mindspore import Tensor, ops

from ssd.model.convolution import Conv3x3, convolve_plainly, fix_kernels

WAYS = [(3, 8, 19), (8, 16, 19), (64, 128, 19), (64, 128, 5)]
"""An image, few channels, many, and many on a small map."""


def pair(channels: int, out: int, has_bias: bool) -> tuple[Conv3x3, nn.Conv2d]:
    """Ours and MindSpore's, of the same weights."""
    ours = Conv3x3(channels, out, has_bias)
    theirs = nn.Conv2d(channels, out, 3, pad_mode="pad", padding=1, has_bias=has_bias)
    rng = np.random.default_rng(0)
    for parameter, other in zip(ours.get_parameters(), theirs.get_parameters(), strict=True):
        assert parameter.shape == other.shape
        values = Tensor(rng.standard_normal(parameter.shape), ms.float32)
        parameter.set_data(values)
        other.set_data(values)
    return ours, theirs


def everything(net: nn.Cell, x: Tensor, dout: Tensor) -> list[np.ndarray]:
    """The output, the gradient of x and those of the parameters."""
    take = ops.GradOperation(get_all=True, get_by_list=True, sens_param=True)
    (dx,), of_parameters = take(net, ms.ParameterTuple(net.trainable_params()))(x, dout)
    return [each.asnumpy() for each in (net(x), dx, *of_parameters)]


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize(("channels", "out", "side"), WAYS)
def test_every_way_gives_what_the_plain_convolution_gives(
    channels: int, out: int, side: int, has_bias: bool
) -> None:
    rng = np.random.default_rng(1)
    x = Tensor(rng.standard_normal((2, channels, side, side)), ms.float32)
    dout = Tensor(rng.standard_normal((2, out, side, side)), ms.float32)
    ours, theirs = (everything(net, x, dout) for net in pair(channels, out, has_bias))
    assert len(ours) == 4 if has_bias else 3
    for actual, expected in zip(ours, theirs, strict=True):
        assert np.abs(actual - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_network_that_convolves_plainly_gives_the_bytes_of_the_plain_convolution() -> None:
    ours, theirs = pair(64, 128, True)
    x = Tensor(np.random.default_rng(1).standard_normal((1, 64, 19, 19)), ms.float32)
    assert ours(x).asnumpy().tobytes() != theirs(x).asnumpy().tobytes()
    convolve_plainly(nn.SequentialCell(ours))
    assert ours(x).asnumpy().tobytes() == theirs(x).asnumpy().tobytes()


def test_kernels_fixed_once_give_the_same_but_for_rounding_and_are_no_constants_of_the_graph() -> None:
    ours, theirs = pair(64, 128, True)
    x = Tensor(np.random.default_rng(1).standard_normal((1, 64, 19, 19)), ms.float32)
    fix_kernels(nn.SequentialCell(ours))
    expected = theirs(x).asnumpy()
    assert np.abs(ours(x).asnumpy() - expected).max() < 1e-5 * np.abs(expected).max()
    assert [each.shape for each in ours.get_parameters()] == [(128, 64, 3, 3), (128,), (36, 128, 64)]
    assert len(ours.trainable_params()) == 2
