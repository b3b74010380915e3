import numpy as np
import pytest
from mindspore import Tensor, ops

from ssd.model.pooling import HalvingMaxPool


def maxima_of(x: np.ndarray, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The maxima of windows of 2x2, and the gradient of x: all of it at the first of equal values."""
    out, dx = np.empty_like(dout), np.zeros_like(x)
    for place in np.ndindex(dout.shape):
        batch, channel, row, column = place
        window = x[batch, channel, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        first = np.unravel_index(window.argmax(), window.shape)
        out[place] = window[first]
        dx[batch, channel, 2 * row + first[0], 2 * column + first[1]] = dout[place]
    return out, dx


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("side", [8, 7, 300])
def test_maxima_and_gradients_are_those_of_windows_of_two_by_two_ties_included(
    side: int, training: bool
) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, (2, 3, side, side)).astype(np.float32)  # most windows have equal maxima
    dout = rng.standard_normal((2, 3, (side + 1) // 2, (side + 1) // 2)).astype(np.float32)
    pool = HalvingMaxPool().set_train(training)
    out, dx = maxima_of(x, dout)
    assert np.array_equal(pool(Tensor(x)).asnumpy(), out)
    of_input = ops.GradOperation(sens_param=True)(pool)(Tensor(x), Tensor(dout))
    assert np.array_equal(of_input.asnumpy(), dx)
