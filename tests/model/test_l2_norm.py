"""By hand, and against recordings of Caffe (forward) and torchvision (backward), with an all-zero and tiny pixels."""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from ssd.model.l2_norm import L2Norm

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "l2_norm.npz")


def rows(values: Tensor) -> np.ndarray:
    """The recorded pixels of [B, C, H, W], one a row."""
    channels_last = values.asnumpy().transpose(0, 2, 3, 1)
    return channels_last.reshape(-1, channels_last.shape[-1])[GOLDEN["pixels"]]


@pytest.fixture(scope="module")
def cell() -> L2Norm:
    made = L2Norm(64)
    made.scale.set_data(Tensor(GOLDEN["scale"]))
    return made


def test_a_pixel_of_3_and_4_becomes_twelve_and_sixteen() -> None:
    pixel = np.array([3.0, 4.0], np.float32).reshape(1, 2, 1, 1)
    made = L2Norm(2)(Tensor(pixel)).asnumpy()
    np.testing.assert_allclose(made.ravel(), [20 * 0.6, 20 * 0.8], rtol=1e-6)


def test_each_pixel_is_normalised_by_itself_over_its_channels_alone() -> None:
    photo = np.random.default_rng(1).uniform(0.1, 9, (2, 5, 3, 4)).astype(np.float32)
    made = L2Norm(5)(Tensor(photo)).asnumpy()
    np.testing.assert_allclose(np.sqrt((made**2).sum(axis=1)), 20, rtol=1e-5)


def test_the_scale_is_one_parameter_a_channel_and_starts_at_twenty() -> None:
    (scale,) = L2Norm(7).trainable_params()
    assert scale.name == "scale"
    np.testing.assert_array_equal(scale.asnumpy(), np.full(7, 20))


def test_the_output_is_caffes(cell: L2Norm) -> None:
    np.testing.assert_allclose(rows(cell(Tensor(GOLDEN["input"]))), GOLDEN["output"], rtol=1e-5, atol=1e-6)


def test_the_gradients_are_torchvisions_where_the_length_is_not_near_zero(cell: L2Norm) -> None:
    def weighted(x: Tensor) -> Tensor:
        return (cell(x) * Tensor(GOLDEN["grad_out"])).sum()

    gradient, (of_scale,) = ms.grad(weighted, 0, cell.trainable_params())(Tensor(GOLDEN["input"]))
    np.testing.assert_allclose(of_scale.asnumpy(), GOLDEN["grad_scale"], rtol=1e-4, atol=1e-4)
    made, expected = rows(gradient), GOLDEN["grad_input"]
    long = np.abs(rows(Tensor(GOLDEN["input"]))).max(axis=1) > 1e-5
    assert long.sum() == len(long) - 2
    largest = np.abs(expected[long]).max(axis=1, keepdims=True)  # of a short pixel some thousands
    np.testing.assert_allclose(made[long] / largest, expected[long] / largest, rtol=0, atol=3e-4)


def test_a_zero_pixel_stays_zero_and_its_gradient_is_finite(cell: L2Norm) -> None:
    nothing = Tensor(np.zeros((1, 64, 1, 1), np.float32))
    assert (cell(nothing).asnumpy() == 0).all()
    gradient = ms.grad(lambda x: cell(x).sum())(nothing).asnumpy()
    np.testing.assert_allclose(gradient.ravel(), GOLDEN["scale"] * 1e5, rtol=1e-5)
