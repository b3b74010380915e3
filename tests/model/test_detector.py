"""By shape, by place, and the full-width network against torchvision's SSD300, which differs in map 0's heads only."""

from pathlib import Path

import numpy as np
import pytest
from formula_weights import formula_picture, formula_weight
from mindspore import Tensor
from tiny_network import ANCHORS_PER_CELL

from ssd.geometry.anchors import make_anchors
from ssd.model.detector import MAP_CELLS_300, SSD
from ssd.model.weights import initialise

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "network.npz")


@pytest.mark.parametrize(
    ("heads", "batch_norm", "expected"),
    [
        ("separable", False, 24_270_006),
        ("separable", True, 24_278_198),
        ("conv", False, 34_304_694),
        ("conv", True, 34_312_886),
    ],
)
def test_the_network_has_so_many_parameters_for_80_classes(
    heads: str, batch_norm: bool, expected: int
) -> None:
    net = SSD(80, ANCHORS_PER_CELL, 1.0, batch_norm, heads)
    assert sum(parameter.size for parameter in net.trainable_params()) == expected


def test_every_anchor_has_four_offsets_and_a_logit_for_each_class_and_the_background(
    slim: SSD, photos: np.ndarray
) -> None:
    offsets, logits = slim(Tensor(photos))
    assert offsets.shape == (2, 8732, 4)
    assert logits.shape == (2, 8732, 1 + 3)


def test_the_six_feature_maps_have_their_sides(slim: SSD, photos: np.ndarray) -> None:
    maps = [*slim.backbone(Tensor(photos[:1]))]
    for extra in slim.extras:
        maps.append(extra(maps[-1]))
    assert [features.shape[2:] for features in maps] == [(side, side) for side in (38, 19, 10, 5, 3, 1)]
    assert MAP_CELLS_300 == (38, 19, 10, 5, 3, 1)


def test_an_image_does_not_change_the_outputs_of_its_neighbours(slim: SSD, photos: np.ndarray) -> None:
    together = [output.asnumpy() for output in slim(Tensor(photos))]
    alone = [output.asnumpy() for output in slim(Tensor(photos[1:]))]
    for both, one in zip(together, alone, strict=True):
        np.testing.assert_allclose(both[1:], one, atol=1e-5, rtol=0)
        assert np.abs(both[0] - both[1]).max() > 1e-3


@pytest.mark.parametrize(("cy", "cx"), [(60, 210), (225, 90)])
def test_the_outputs_of_an_anchor_answer_to_the_pixels_around_it(
    slim: SSD, photos: np.ndarray, cy: int, cx: int
) -> None:
    anchors = make_anchors(
        300,
        (8, 16, 32, 64, 100, 300),
        (0.1, 0.27, 0.44, 0.61, 0.78, 0.95, 1.0),
        ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)),
        "last",
    )
    changed = photos[:1].copy()
    changed[:, :, cy - 6 : cy + 6, cx - 6 : cx + 6] += 5
    before, after = (slim(Tensor(pixels))[0].asnumpy()[0] for pixels in (photos[:1], changed))
    difference = np.abs(after - before).sum(axis=1)
    centre_yx = (anchors[:, :2] + anchors[:, 2:]) / 2 * 300
    map_0 = slice(0, 38 * 38 * 4)  # later maps see most of the picture
    weights = difference[map_0] ** 2
    seen_yx = (weights[:, None] * centre_yx[map_0]).sum(axis=0) / weights.sum()
    assert np.abs(seen_yx - (cy, cx)).max() < 8


def test_the_heads_of_map_0_alone_see_the_normalised_conv4_3(slim: SSD, photos: np.ndarray) -> None:
    net = SSD(3, ANCHORS_PER_CELL, 0.03125, False, "conv", l2_norm=True).set_train(False)
    initialise(net, 1, 0.01)
    weights = {parameter.name: parameter.asnumpy() for parameter in net.get_parameters()}
    assert weights.pop("l2_norm.scale").shape == (16,)
    for parameter in slim.get_parameters():
        np.testing.assert_array_equal(weights[parameter.name], parameter.asnumpy())
    map_0 = 38 * 38 * 4
    for ours, plain in zip(net(Tensor(photos)), slim(Tensor(photos)), strict=True):
        np.testing.assert_array_equal(ours.asnumpy()[:, map_0:], plain.asnumpy()[:, map_0:])
        assert not np.allclose(ours.asnumpy()[:, :map_0], plain.asnumpy()[:, :map_0], atol=1e-3)
    conv4_3, _ = slim.backbone(Tensor(photos))
    expected = slim.box_heads.heads[0](net.l2_norm(conv4_3)).asnumpy().transpose(0, 2, 3, 1)
    made = net(Tensor(photos))[0].asnumpy()[:, :map_0]
    np.testing.assert_allclose(made, expected.reshape(2, map_0, 4), atol=1e-5, rtol=0)


def reference_name(name: str) -> str:
    """torchvision's name of one of our parameters: backbone.block2.0.conv.bias is backbone.features.5.bias."""
    place, *rest = name.removeprefix("backbone.").split(".")
    kind = rest[-1]
    if place.startswith("block"):
        block, layer = int(place[-1]), int(rest[0])
        if block == 5:
            return f"backbone.extra.0.{1 + 2 * layer}.{kind}"
        return f"backbone.features.{(0, 5, 10, 17)[block - 1] + 2 * layer}.{kind}"
    if place in ("fc6", "fc7"):
        return f"backbone.extra.0.7.{1 if place == 'fc6' else 3}.{kind}"
    if place == "extras":
        return f"backbone.extra.{int(rest[0]) + 1}.{2 * int(rest[1])}.{kind}"
    head = {"box_heads": "regression_head", "class_heads": "classification_head"}[place]
    return f"head.{head}.module_list.{rest[1]}.{kind}"


def reference_photo() -> np.ndarray:
    """The recorded network's input, [1, 3, 300, 300]."""
    mean = np.array([0.48235, 0.45882, 0.40784]) * 255
    return (formula_picture(0, 300, 300) - mean).transpose(2, 0, 1)[None].astype(np.float32)


def test_with_torchvisions_weights_it_gives_torchvisions_features_and_outputs() -> None:
    net = SSD(20, ANCHORS_PER_CELL, 1.0, False, "conv").set_train(False)
    for parameter in net.get_parameters():
        parameter.set_data(Tensor(formula_weight(reference_name(parameter.name), parameter.shape)))
    maps = [*net.backbone(Tensor(reference_photo()))]
    for extra in net.extras:
        maps.append(extra(maps[-1]))
    for name, features in zip(("conv4_3", "map1", "map2", "map3", "map4", "map5"), maps, strict=True):
        ours = features.asnumpy().ravel()[GOLDEN[f"{name}_index"]]
        np.testing.assert_allclose(ours, GOLDEN[f"{name}_value"], atol=1e-3, rtol=0, err_msg=name)
    offsets, logits = net.box_heads(tuple(maps)).asnumpy()[0], net.class_heads(tuple(maps)).asnumpy()[0]
    rows = GOLDEN["rows"]  # of maps 1 to 5: torchvision's map 0 is normalised before its heads
    np.testing.assert_allclose(offsets[rows], GOLDEN["offsets"], atol=1e-3, rtol=0)
    np.testing.assert_allclose(logits[rows], GOLDEN["logits"], atol=1e-3, rtol=0)
