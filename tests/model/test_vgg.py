import mindspore as ms
import mindspore.nn as nn
import numpy as np
import pytest
from mindspore import Tensor
from tiny_network import slim_network

from ssd.model.detector import SSD
from ssd.model.vgg import ConvBlock, average_statistics, scaled


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [
        (64, 1.0, 64),
        (1024, 1.0, 1024),
        (512, 2.0, 1024),
        (512, 0.25, 128),
        (64, 0.25, 16),
        (512, 0.03125, 16),
        (1024, 0.3, 304),  # 307.2, and the next multiple of 8
        (64, 0.03125, 8),  # 2, but at least 8
        (64, 0.001, 8),
    ],
)
def test_channels_are_multiples_of_eight_and_at_least_eight(
    channels: int, width: float, expected: int
) -> None:
    assert scaled(channels, width) == expected


def test_the_backbone_gives_conv4_3_and_fc7_with_sides_rounded_up(slim: SSD, photos: np.ndarray) -> None:
    conv4_3, fc7 = slim.backbone(Tensor(photos[:1]))
    assert conv4_3.shape == (1, 16, 38, 38)  # 300, 150, 75, 38
    assert fc7.shape == (1, 32, 19, 19)
    assert slim.backbone.out_channels == (16, 32)


def test_every_convolution_is_followed_by_a_relu(slim: SSD, photos: np.ndarray) -> None:
    for features in slim.backbone(Tensor(photos[:1])):
        values = features.asnumpy()
        assert values.min() == 0 and values.max() > 0


def test_masks_of_dropout_are_factors_of_fc6_and_fc7(slim: SSD, photos: np.ndarray) -> None:
    pixels = Tensor(photos[:1])
    conv4_3, fc7 = (features.asnumpy() for features in slim.backbone(pixels))
    assert slim.mask_shape(1) == fc7.shape
    none, all_, half = (Tensor(np.full(fc7.shape, factor, np.float32)) for factor in (1, 0, 0.5))
    for features, plain in zip(slim.backbone(pixels, none, none), (conv4_3, fc7), strict=True):
        np.testing.assert_array_equal(features.asnumpy(), plain)
    np.testing.assert_allclose(slim.backbone(pixels, none, half)[1].asnumpy(), fc7 / 2)
    # fc7's bias is 0 at the start, so it is as linear as its ReLU
    np.testing.assert_allclose(slim.backbone(pixels, half, none)[1].asnumpy(), fc7 / 2, rtol=1e-5)
    assert not slim.backbone(pixels, all_, none)[1].asnumpy().any()


@pytest.mark.parametrize("blocks", range(6))
def test_frozen_blocks_have_no_gradient_and_the_others_have(photos: np.ndarray, blocks: int) -> None:
    net = slim_network(3, False, "conv", 1)
    parameters = [each for each in net.get_parameters() if each.name.startswith("backbone.")]
    net.backbone.freeze(blocks)

    def loss(pixels: Tensor) -> Tensor:
        conv4_3, fc7 = net.backbone(pixels)
        return conv4_3.sum() + fc7.sum()

    gradients = ms.grad(loss, None, tuple(parameters))(Tensor(photos[:1]))
    for parameter, gradient in zip(parameters, gradients, strict=True):
        is_frozen = parameter.name.removeprefix("backbone.").startswith(
            tuple(f"block{block}." for block in range(1, blocks + 1))
        )
        assert parameter.requires_grad is not is_frozen, parameter.name
        assert gradient.asnumpy().any() == (not is_frozen), parameter.name


def test_freezing_changes_no_output(slim: SSD, photos: np.ndarray) -> None:
    net = slim_network(3, False, "conv", 1)
    net.backbone.freeze(4)
    for ours, theirs in zip(net(Tensor(photos)), slim(Tensor(photos)), strict=True):
        np.testing.assert_array_equal(ours.asnumpy(), theirs.asnumpy())


def test_batch_norm_takes_the_place_of_the_bias() -> None:
    with_norm, without = ConvBlock(3, 8, 3, batch_norm=True), ConvBlock(3, 8, 3, batch_norm=False)
    assert {parameter.name for parameter in with_norm.trainable_params()} == {
        "conv.weight",
        "norm.gamma",
        "norm.beta",
    }
    assert {parameter.name for parameter in without.trainable_params()} == {"conv.weight", "conv.bias"}


@pytest.mark.parametrize(
    ("steps", "share"), [(1, 0.1), (200, 0.1), (400, 0.05), (2000, 0.01), (120_000, 0.01)]
)
def test_moving_statistics_are_means_of_a_twentieth_of_the_steps_of_ten_to_a_hundred(
    steps: int, share: float
) -> None:
    block = ConvBlock(1, 8, 1, batch_norm=True)
    block.conv.weight.set_data(Tensor(np.ones(block.conv.weight.shape, np.float32)))
    average_statistics(nn.SequentialCell(block), steps)
    block.set_train(True)
    block(Tensor(np.full((2, 1, 4, 4), 3, np.float32)))
    np.testing.assert_allclose(block.norm.moving_mean.asnumpy(), 3 * share, rtol=1e-5)
    np.testing.assert_allclose(block.norm.moving_variance.asnumpy(), 1 - share, rtol=1e-5)


def test_the_statistics_of_separable_heads_stay_the_tutorials() -> None:
    net = slim_network(3, True, "separable", 1)
    average_statistics(net, 2000)
    assert net.class_heads.heads[0].norm.bn_train.momentum == pytest.approx(0.03)
    assert net.extras[0][0].norm.bn_train.momentum == pytest.approx(0.01)


def test_batch_norm_of_frozen_blocks_goes_by_its_moving_statistics_and_leaves_them(
    photos: np.ndarray,
) -> None:
    net, detecting = slim_network(3, True, "conv", 1), slim_network(3, True, "conv", 1)
    for each in (net, detecting):
        norm = each.backbone.block1[0].norm
        norm.moving_mean.set_data(Tensor(np.full(norm.moving_mean.shape, 0.25, np.float32)))
    before = {each.name: each.asnumpy().copy() for each in net.get_parameters() if "moving" in each.name}
    net.backbone.freeze(1)
    pixels = Tensor(photos[:1])
    of_block = net.backbone.set_train(True).block1(pixels)
    np.testing.assert_array_equal(of_block.asnumpy(), detecting.backbone.block1(pixels).asnumpy())
    net.backbone(pixels)
    for parameter in net.backbone.get_parameters():
        if "moving" in parameter.name:
            is_frozen = "block1." in parameter.name
            assert np.array_equal(parameter.asnumpy(), before[parameter.name]) is is_frozen, parameter.name


@pytest.mark.parametrize("side", [4, 5])
@pytest.mark.parametrize("training", [False, True])
def test_pooling_before_the_last_relu_of_a_block_comes_to_the_same(side: int, training: bool) -> None:
    backbone = slim_network(3, False, "conv", 1).backbone.set_train(training)
    pixels = Tensor(np.random.default_rng(1).standard_normal((2, 3, side, side)).astype(np.float32))
    at_the_end = backbone.pool(backbone.block1(pixels)).asnumpy()
    assert (at_the_end == 0).any() and (at_the_end > 0).any()
    np.testing.assert_array_equal(backbone.halved(backbone.block1, pixels).asnumpy(), at_the_end)
