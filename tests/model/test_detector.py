"""By shape, by place, and the full-width networks against torchvision's SSD300 and lufficc's SSD512.

torchvision's is held against the network without L2 normalisation, so map 0's heads are left out; with it, and whole,
the converter's test has it.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from formula_weights import formula_picture, formula_weight
from mindspore import Tensor
from tiny_network import ANCHORS_PER_CELL

from ssd.geometry.anchors import make_anchors
from ssd.geometry.feature_maps import MAP_CELLS
from ssd.model.detector import SSD
from ssd.model.weights import initialise

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "network.npz")
GOLDEN_512 = np.load(Path(__file__).parents[1] / "golden" / "network_512.npz")
ANCHORS_PER_CELL_512 = (4, 6, 6, 6, 6, 4, 4)


@pytest.mark.parametrize(
    ("heads", "batch_norm", "expected"),
    [
        ("separable", False, 24_270_006),
        ("separable", True, 24_277_430),
        ("conv", False, 34_304_694),
        ("conv", True, 34_312_118),
    ],
)
def test_the_network_has_so_many_parameters_for_80_classes(
    heads: str, batch_norm: bool, expected: int
) -> None:
    net = SSD(300, 80, ANCHORS_PER_CELL, 1.0, batch_norm, heads)
    assert sum(parameter.size for parameter in net.trainable_params()) == expected


@pytest.mark.parametrize(
    ("input_size", "anchors", "normed"),
    [
        (300, ANCHORS_PER_CELL, [True, True, False, False]),
        (512, ANCHORS_PER_CELL_512, [True] * 2 + [False] * 3),
    ],
)
def test_maps_of_fewer_than_five_cells_a_side_are_not_normalised(
    input_size: int, anchors: tuple[int, ...], normed: list[bool]
) -> None:
    net = SSD(input_size, 3, anchors, 0.03125, True, "conv")
    of_extras = [[each.name for each in extra.trainable_params()] for extra in net.extras]
    assert [any("norm" in name for name in names) for names in of_extras] == normed
    assert [any("bias" in name for name in names) for names in of_extras] == [not each for each in normed]


def test_the_network_has_so_many_parameters_at_each_width_as_the_page_on_choosing_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "choosing.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| (\d\.\d+) \| ([\d,]+) \|", page, re.M)
    assert [width for width, _ in told] == ["1.0", "0.5", "0.25", "0.125"]
    for width, count in told:
        net = SSD(300, 5, ANCHORS_PER_CELL, float(width), True, "conv")
        assert f"{sum(parameter.size for parameter in net.trainable_params()):,}" == count


def test_the_papers_ssd512_has_so_many_parameters_for_20_classes() -> None:
    net = SSD(512, 20, ANCHORS_PER_CELL_512, 1.0, False, "conv")
    # lufficc's has 27,188,676, 512 of them the scale of its normalisation
    assert sum(parameter.size for parameter in net.trainable_params()) == 27_188_164


def test_every_anchor_has_four_offsets_and_a_logit_for_each_class_and_the_background(
    slim: SSD, photos: np.ndarray
) -> None:
    offsets, logits = slim(Tensor(photos))
    assert offsets.shape == (2, 8732, 4)
    assert logits.shape == (2, 8732, 1 + 3)


def maps_of(net: SSD, pixels: np.ndarray) -> list[Tensor]:
    maps = [*net.backbone(Tensor(pixels))]
    for extra in net.extras:
        maps.append(extra(maps[-1]))
    return maps


def test_the_six_feature_maps_have_their_sides(slim: SSD, photos: np.ndarray) -> None:
    sides = [features.shape[2:] for features in maps_of(slim, photos[:1])]
    assert sides == [(side, side) for side in MAP_CELLS[300]]


def test_an_input_of_512_gives_seven_feature_maps_and_24564_anchors() -> None:
    net = SSD(512, 3, ANCHORS_PER_CELL_512, 0.03125, False, "conv").set_train(False)
    maps = maps_of(net, np.zeros((1, 3, 512, 512), np.float32))
    sides = [features.shape[2:] for features in maps]
    assert sides == [(side, side) for side in MAP_CELLS[512]]
    assert net.mask_shape(1) == maps[1].shape
    assert net.box_heads(tuple(maps)).shape == (1, 24564, 4)
    assert net.class_heads(tuple(maps)).shape == (1, 24564, 1 + 3)


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
    net = SSD(300, 3, ANCHORS_PER_CELL, 0.03125, False, "conv", l2_norm=True).set_train(False)
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


def name_in_torchvision(name: str) -> str:
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


def name_in_lufficc(name: str) -> str:
    """lufficc's name of one of our parameters: backbone.block2.0.conv.bias is backbone.vgg.5.bias."""
    if name == "l2_norm.scale":
        return "backbone.l2_norm.weight"
    place, *rest = name.removeprefix("backbone.").split(".")
    kind = rest[-1]
    if place.startswith("block"):
        return f"backbone.vgg.{(0, 5, 10, 17, 24)[int(place[-1]) - 1] + 2 * int(rest[0])}.{kind}"
    if place in ("fc6", "fc7"):
        return f"backbone.vgg.{31 if place == 'fc6' else 33}.{kind}"
    if place == "extras":
        return f"backbone.extras.{2 * int(rest[0]) + int(rest[1])}.{kind}"
    head = {"box_heads": "reg_headers", "class_heads": "cls_headers"}[place]
    return f"box_head.predictor.{head}.{rest[1]}.{kind}"


def as_input(picture: np.ndarray, mean: tuple[float, float, float]) -> np.ndarray:
    return (picture - np.array(mean)).transpose(2, 0, 1)[None].astype(np.float32)


def with_weights_of(net: SSD, reference_name: Callable[[str], str]) -> SSD:
    for parameter in net.get_parameters():
        parameter.set_data(Tensor(formula_weight(reference_name(parameter.name), parameter.shape)))
    return net.set_train(False)


def assert_outputs_are(outputs: tuple[Tensor, Tensor], golden: Mapping[str, np.ndarray]) -> None:
    for output, name in zip(outputs, ("offsets", "logits"), strict=True):
        np.testing.assert_allclose(output.asnumpy()[0][golden["rows"]], golden[name], atol=1e-3, rtol=0)


def assert_features_are(features: Tensor, golden: Mapping[str, np.ndarray], name: str) -> None:
    ours = features.asnumpy().ravel()[golden[f"{name}_index"]]
    np.testing.assert_allclose(ours, golden[f"{name}_value"], atol=1e-3, rtol=0, err_msg=name)


def test_with_torchvisions_weights_it_gives_torchvisions_features_and_outputs() -> None:
    net = with_weights_of(SSD(300, 20, ANCHORS_PER_CELL, 1.0, False, "conv"), name_in_torchvision)
    mean = (0.48235 * 255, 0.45882 * 255, 0.40784 * 255)
    maps = maps_of(net, as_input(formula_picture(0, 300, 300), mean))
    for name, features in zip(("conv4_3", "map1", "map2", "map3", "map4", "map5"), maps, strict=True):
        assert_features_are(features, GOLDEN, name)
    # rows of map 1 and later: torchvision normalises map 0 before its heads
    assert_outputs_are((net.box_heads(tuple(maps)), net.class_heads(tuple(maps))), GOLDEN)


def test_with_lufficcs_weights_ssd512_gives_lufficcs_features_and_outputs() -> None:
    net = with_weights_of(
        SSD(512, 20, ANCHORS_PER_CELL_512, 1.0, False, "conv", l2_norm=True), name_in_lufficc
    )
    pixels = as_input(formula_picture(0, 512, 512), (123.0, 117.0, 104.0))
    for index, features in enumerate(maps_of(net, pixels)[1:], 1):
        assert_features_are(features, GOLDEN_512, f"map{index}")
    assert_outputs_are(net(Tensor(pixels)), GOLDEN_512)
