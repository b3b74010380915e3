"""3x3 convolutions with a quarter of the products: Winograd's minimal filtering (Lavin and Gray 2016), F(4x4, 3x3).

A tile of 6x6 pixels and a kernel of 3x3 are both taken as polynomials' values at 6 points a side; their product there
is one matrix product over the channels a point, and 4x4 outputs are read off it. Gradients go the same way: that of the
input is a convolution with turned kernels, that of the kernels is a matrix product over all tiles.

The usual points 0, 1, -1, 2, -2 lose a digit. These lose less than a bit more than the direct sum does
(`tests/model/test_winograd.py`); Barabasz et al. 2020 is about such choices.
"""

from fractions import Fraction
from functools import cache

import mindspore.nn as nn
import numpy as np
from mindspore import Tensor, ops

TILE = 4
KERNEL = 3
POINTS = (Fraction(0), Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2))
"""Where polynomials are evaluated, besides infinity."""

SIDE = TILE + KERNEL - 1


@cache
def transforms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three matrices of one dimension, float64: of outputs [6, 4], of kernels [6, 3], of inputs [6, 6].

    outputs.T @ ((kernels @ g) * (inputs @ d)) is the correlation of d [6] with g [3] (Toom-Cook; Lavin and Gray 2016).
    """

    def powers(count: int) -> np.ndarray:
        """[6, count]: the values of 1, x, x^2, ... at the points; at infinity the highest alone counts."""
        return np.array(
            [[float(point**power) for power in range(count)] for point in POINTS]
            + [[0.0] * (count - 1) + [1.0]]
        )

    return powers(TILE), powers(KERNEL), np.linalg.inv(powers(SIDE)).T


def both(one_dimension: np.ndarray) -> np.ndarray:
    """A transform of rows and of columns in one: [n, k] to [n n, k k]."""
    return np.kron(one_dimension, one_dimension)


def kernels_at_points(weight: np.ndarray) -> np.ndarray:
    """[36, K, C] float32: the values of kernels [K, C, 3, 3]."""
    values = both(transforms()[1]) @ weight.reshape(-1, KERNEL * KERNEL).T
    return values.reshape(-1, *weight.shape[:2]).astype(np.float32)


class Winograd(nn.Cell):
    """The 3x3 convolution of stride 1 with a border of one zero, and its gradients.

    Inputs:
        x [B, C, H, W] and weight [K, C, 3, 3].

    Outputs:
        [B, K, H, W].
    """

    def __init__(self) -> None:
        super().__init__()
        outputs, kernels, inputs = (both(each).astype(np.float32) for each in transforms())
        values = SIDE * SIDE
        self.kernels = Tensor(kernels)
        self.turned_kernels = Tensor(kernels[:, ::-1].copy())
        self.inputs = Tensor(inputs.reshape(values, 1, SIDE, SIDE))
        self.outputs = Tensor(outputs.reshape(values, 1, TILE, TILE))
        self.by_point = ops.BatchMatMul()
        self.by_point_turned = ops.BatchMatMul(transpose_a=True)
        self.over_tiles = ops.BatchMatMul(transpose_b=True)
        self.of_each = ops.MatMul(transpose_b=True)
        self.back_to_each = ops.MatMul(transpose_a=True)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """The convolution."""
        return self.convolve(x, self.at_points(weight, self.kernels))

    def convolve(self, x: Tensor, kernels: Tensor) -> Tensor:
        """The convolution with kernels at the points, [36, K, C]."""
        return self.pixels(self.by_point(kernels, self.tiles(x)), x.shape)

    def bprop(self, x: Tensor, weight: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """The gradients of x and of the weight."""
        kernels = self.at_points(weight, self.turned_kernels)
        dx = self.pixels(self.by_point_turned(kernels, self.tiles(dout)), x.shape)
        dkernels = self.over_tiles(self.spread(dout), self.tiles(x)).reshape(SIDE * SIDE, -1)
        return dx, self.back_to_each(dkernels, self.kernels).reshape(weight.shape)

    def at_points(self, weight: Tensor, kernels: Tensor) -> Tensor:
        """[36, K, C]: the kernels' values."""
        return self.of_each(kernels, weight.reshape(-1, KERNEL * KERNEL)).reshape(
            SIDE * SIDE, *weight.shape[:2]
        )

    def tiles(self, x: Tensor) -> Tensor:
        """[36, C, B T]: the values of the T overlapping tiles of 6x6 of each image."""
        return self.evaluated(x, self.inputs, SIDE, 1)

    def spread(self, dout: Tensor) -> Tensor:
        """[36, K, B T]: the gradient at the points, of T tiles of 4x4."""
        return self.evaluated(dout, self.outputs, TILE, 0)

    def evaluated(self, x: Tensor, matrix: Tensor, side: int, border: int) -> Tensor:
        """[36, C, B T]: each image's tiles, every fourth pixel one, times the matrix."""
        batch, channels, height, width = x.shape
        below, right = -height % TILE, -width % TILE
        convolution = ops.Conv2D(
            SIDE * SIDE,
            side,
            pad_mode="pad",
            pad=(border, border + below, border, border + right),
            stride=TILE,
        )
        values = convolution(x.reshape(batch * channels, 1, height, width), matrix)
        return (
            values.reshape(batch, channels, SIDE * SIDE, -1)
            .transpose(2, 1, 0, 3)
            .reshape(SIDE * SIDE, channels, -1)
        )

    def pixels(self, values: Tensor, shape: tuple[int, ...]) -> Tensor:
        """[B, K, H, W] of values [36, K, B T]."""
        batch, _, height, width = shape
        channels = values.shape[1]
        below, right = -height % TILE, -width % TILE
        rows, columns = (height + below) // TILE, (width + right) // TILE
        values = values.reshape(SIDE * SIDE, channels, batch, rows * columns).transpose(2, 1, 0, 3)
        laying = ops.Conv2DBackpropInput(
            SIDE * SIDE, TILE, pad_mode="pad", pad=(0, below, 0, right), stride=TILE
        )
        laid = laying(
            values.reshape(batch * channels, SIDE * SIDE, rows, columns),
            self.outputs,
            (batch * channels, 1, height, width),
        )
        return laid.reshape(batch, channels, height, width)
