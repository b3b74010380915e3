"""Files as torchvision, Keras and MindCV write them, of weights by formula: the features are those recorded there."""

import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
import safetensors.numpy
from formula_weights import formula_picture, formula_weight
from mindspore import Tensor
from tiny_network import ANCHORS_PER_CELL

from ssd.model.detector import SSD
from ssd.model.pretrained import backbone_from, read_backbone, start_from_pretrained
from ssd.model.vgg import VGG16
from ssd.model.weights import initialise

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "vgg16.npz")
SHARED = Path(__file__).parents[3] / "shared" / "weights" / "vgg16_imagenet_keras_layout.npz"
MEAN_BGR = np.array([104, 117, 123], np.float32)

PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
LAYERS = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1", "5_2", "5_3")
CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)

needs_h5py = pytest.mark.skipif(importlib.util.find_spec("h5py") is None, reason="h5py is not installed")
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")


def as_torchvision(value: Callable[..., np.ndarray], biases: bool = True) -> dict[str, np.ndarray]:
    tensors = {}
    for place, into, out in zip(PLACES, CHANNELS, CHANNELS[1:], strict=False):
        shapes = {"weight": (out, into, 3, 3)} | ({"bias": (out,)} if biases else {})
        tensors |= {f"features.{place}.{kind}": shape for kind, shape in shapes.items()}
    return {name: value(name, shape, "OIHW") for name, shape in tensors.items()}


def as_keras(value: Callable[..., np.ndarray]) -> dict[str, np.ndarray]:
    tensors = {}
    for layer, into, out in zip(LAYERS, CHANNELS, CHANNELS[1:], strict=False):
        name = f"block{layer.replace('_', '_conv')}"
        tensors |= {f"{name}/kernel": (3, 3, into, out), f"{name}/bias": (out,)}
    return {name: value(name, shape, "HWIO") for name, shape in tensors.items()}


def nothing(_: str, shape: tuple[int, ...], __: str) -> np.ndarray:
    """Zeros without memory of their own."""
    return np.broadcast_to(np.float32(0), shape)


@pytest.fixture(scope="module")
def torchvision_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("torchvision") / "vgg16.safetensors"
    safetensors.numpy.save_file(as_torchvision(formula_weight), path)
    return path


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "vgg16.npz"
    np.savez(path, **as_keras(formula_weight))
    return path


@pytest.fixture(scope="module")
def net() -> SSD:
    made = SSD(300, 1, ANCHORS_PER_CELL, 1.0, False, "conv")
    initialise(made, 1, 0.5)
    return made


def picture_rgb() -> np.ndarray:
    return formula_picture(0, 224, 224) - MEAN_BGR[::-1]


def pixels(image: np.ndarray) -> Tensor:
    return Tensor(np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32))


def pictures() -> np.ndarray:
    return pixels(picture_rgb()).asnumpy()


def require_features(backbone: VGG16, image: np.ndarray, kind: str) -> None:
    x = pixels(image)
    for number in range(1, 6):
        x = getattr(backbone, f"block{number}")(x if number == 1 else backbone.pool(x))
        found = x.asnumpy().ravel()[GOLDEN[f"{kind}_block{number}_index"]]
        expected = GOLDEN[f"{kind}_block{number}_value"]
        np.testing.assert_allclose(found, expected, atol=1e-3, rtol=0, err_msg=f"block {number}")


def test_torchvisions_weights_give_torchvisions_features(
    net: SSD, torchvision_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fc6 = net.backbone.fc6.conv.weight.asnumpy().copy()
    start_from_pretrained(net, torchvision_file, None, "imagenet_rgb", pictures)
    require_features(net.backbone, picture_rgb(), "torchvision")
    _, given = net.backbone.features(pixels(picture_rgb()))
    size = np.sqrt(np.mean(given.asnumpy() ** 2))
    np.testing.assert_allclose(net.backbone.fc6.conv.weight.asnumpy(), fc6 / size, rtol=1e-4)
    digest = hashlib.sha256(torchvision_file.read_bytes()).hexdigest()
    assert capsys.readouterr().out == (
        f"backbone from {torchvision_file} (sha256 {digest}): 13 convolutions; "
        f"fc6 and fc7, not in the file, start from the seed, fc6 divided by {size:.4g}\n"
    )


def test_keras_weights_give_keras_features_of_a_bgr_picture(net: SSD, keras_file: Path) -> None:
    start_from_pretrained(net, keras_file, None, "caffe_bgr", pictures)
    require_features(net.backbone, picture_rgb()[:, :, ::-1], "keras")


def test_mindcvs_weights_have_no_biases_and_give_mindcvs_features(net: SSD, tmp_path: Path) -> None:
    path = tmp_path / "vgg16.ckpt"
    tensors = as_torchvision(formula_weight, biases=False)
    ms.save_checkpoint([{"name": name, "data": Tensor(each)} for name, each in tensors.items()], str(path))
    start_from_pretrained(net, path, None, "imagenet_rgb", pictures)
    backbone, x = net.backbone, pixels(picture_rgb())
    for block in (backbone.block1, backbone.block2, backbone.block3, backbone.block4, backbone.block5):
        x = backbone.pool(block(x))
    found = x.asnumpy().ravel()[GOLDEN["mindcv_pool5_index"]]
    np.testing.assert_allclose(found, GOLDEN["mindcv_pool5_value"], atol=1e-3, rtol=0)


def test_torchvisions_features_only_file_holds_caffes_weights_in_rgb(keras_file: Path) -> None:
    caffes = read_backbone(keras_file)
    tensors = {}
    for place, (name, each) in zip(np.repeat(PLACES, 2), caffes.weights.items(), strict=True):
        tensors[f"features.{place}.{name.rpartition('.')[2]}"] = each
    tensors["features.0.weight"] = tensors["features.0.weight"][:, ::-1]
    missing = np.broadcast_to(np.float32(np.nan), (4096, 25088))
    tensors |= {"classifier.0.weight": missing, "classifier.0.bias": missing[:, 0]}
    made = backbone_from(tensors, Path("features.pth"))
    assert made.input == "caffe_bgr"
    assert made.weights.keys() == caffes.weights.keys()
    for name, each in made.weights.items():
        np.testing.assert_array_equal(each, caffes.weights[name], err_msg=name)


def classifier(names: tuple[str, str], shapes: list[tuple[int, ...]], axis: int) -> dict[str, np.ndarray]:
    """Two weights whose values are their place along an axis, and two biases whose values are their place."""
    tensors = {}
    for name, shape in zip(names, shapes, strict=True):
        place = np.arange(shape[axis], dtype=np.float32)
        tensors[name] = np.broadcast_to(place if axis == 1 else place[:, None], shape)
    return tensors


def as_timm(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """torchvision's classifier as timm has it, of convolutions."""
    renamed = {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2"}
    sides = {"classifier.0.weight": (4096, 512, 7, 7), "classifier.3.weight": (4096, 4096, 1, 1)}
    made = {}
    for name, each in tensors.items():
        layer, _, kind = name.rpartition(".")
        made[f"{renamed.get(layer, layer)}.{kind}"] = each.reshape(sides.get(name, each.shape))
    return made


@pytest.mark.parametrize("kind", ["torchvision", "timm", "keras"])
def test_fc6_and_fc7_are_thinned_out_to_the_papers_convolutions(kind: str) -> None:
    bias = np.arange(4096, dtype=np.float32)
    every_fourth = np.arange(0, 4096, 4)
    if kind in ("torchvision", "timm"):  # outputs first; a flattened input is channel, row, column
        tensors, shapes = as_torchvision(nothing), [(4096, 25088), (4096, 4096)]
        names, outputs, inputs = ("classifier.0.weight", "classifier.3.weight"), 0, 1
        tensors |= {"classifier.0.bias": bias, "classifier.3.bias": bias}
        place = np.arange(512 * 7 * 7).reshape(512, 7, 7)
    else:  # outputs last; row, column, channel
        tensors, shapes = as_keras(nothing), [(25088, 4096), (4096, 4096)]
        names, outputs, inputs = ("fc1/kernel", "fc2/kernel"), 1, 0
        tensors |= {"fc1/bias": bias, "fc2/bias": bias}
        place = np.arange(7 * 7 * 512).reshape(7, 7, 512).transpose(2, 0, 1)
    made = []
    for axis in (outputs, inputs):
        given = tensors | classifier(names, shapes, axis)
        made.append(backbone_from(as_timm(given) if kind == "timm" else given, Path("vgg16")).weights)
    by_output, by_input = made
    for layer, shape in (("fc6", (1024, 512, 3, 3)), ("fc7", (1024, 1024, 1, 1))):
        weight = by_output[f"{layer}.conv.weight"]
        assert weight.shape == shape
        np.testing.assert_array_equal(weight, np.broadcast_to(every_fourth[:, None, None, None], shape))
        np.testing.assert_array_equal(by_output[f"{layer}.conv.bias"], every_fourth)
    seen = place[:, [0, 3, 6]][:, :, [0, 3, 6]]
    np.testing.assert_array_equal(by_input["fc6.conv.weight"], np.broadcast_to(seen, (1024, 512, 3, 3)))
    np.testing.assert_array_equal(by_input["fc7.conv.weight"][7, :, 0, 0], every_fourth)


@pytest.mark.parametrize(
    "written",
    [
        "{0}/{0}/{1}:0",
        "{0}/{0}_{2}_1:0",
        "{0}/{0}_{2}_1",
        "{0}/{1}",
        "model_weights/{0}/{0}/{1}:0",
    ],
)
def test_the_names_of_all_versions_of_keras_are_known(written: str) -> None:
    def renamed(name: str) -> str:
        layer, kind = name.split("/")
        return written.format(layer, kind, {"kernel": "W", "bias": "b"}[kind])

    plain = as_keras(nothing)
    made = backbone_from({renamed(name): each for name, each in plain.items()}, Path("vgg16.h5"))
    assert made.weights.keys() == backbone_from(plain, Path("vgg16.npz")).weights.keys()


def test_what_an_optimizer_left_beside_the_weights_is_extra() -> None:
    momentum = {"optimizer/momentum/block1_conv1/kernel:0": nothing("", (3, 3, 3, 64), "")}
    with pytest.raises(ValueError, match=r"VGG16.* extra: optimizer/momentum/block1_conv1/kernel:0$"):
        backbone_from(as_keras(nothing) | momentum, Path("vgg16.h5"))


@needs_h5py
def test_keras_h5_gives_the_same_as_the_arrays(keras_file: Path, tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "vgg16.h5"
    with h5py.File(path, "w") as file, np.load(keras_file) as arrays:
        for name in arrays.files:
            layer, kind = name.split("/")
            file[f"{layer}/{layer}_{'W' if kind == 'kernel' else 'b'}_1:0"] = arrays[name]
    made, expected = read_backbone(path), read_backbone(keras_file)
    assert made.input == expected.input and made.weights.keys() == expected.weights.keys()
    for name, each in made.weights.items():
        np.testing.assert_array_equal(each, expected.weights[name], err_msg=name)


@needs_torch
def test_torchs_pth_gives_the_same_as_the_safetensors(torchvision_file: Path, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "vgg16.pth"
    tensors = safetensors.numpy.load_file(torchvision_file)
    torch.save({name: torch.from_numpy(each) for name, each in tensors.items()}, path)
    made, expected = read_backbone(path), read_backbone(torchvision_file)
    for name, each in made.weights.items():
        np.testing.assert_array_equal(each, expected.weights[name], err_msg=name)


def test_half_precision_becomes_single(keras_file: Path) -> None:
    with np.load(keras_file) as file:
        halves = {name: file[name].astype(np.float16) for name in file.files}
    made = backbone_from(halves, Path("vgg16.npz"))
    assert {each.dtype for each in made.weights.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(made.weights["block3.1.conv.bias"], halves["block3_conv2/bias"])


def test_what_follows_weights_of_a_large_size_starts_as_small_as_after_random_ones(
    net: SSD, keras_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "large.npz"
    with np.load(keras_file) as file:
        grown = {name: file[name] * (50 if name == "block5_conv3/kernel" else 1) for name in file.files}
    np.savez(path, **grown)
    initialise(net, 1, 0.5)
    start_from_pretrained(net, path, None, "caffe_bgr", pictures)
    _, given = net.backbone.features(Tensor(pictures()))
    assert np.sqrt(np.mean(given.asnumpy() ** 2)) > 5
    fc6 = net.backbone.fc6(given).asnumpy()
    assert 0.2 < np.sqrt(np.mean(fc6**2)) < 5


def test_weights_that_see_nothing_are_refused(net: SSD, tmp_path: Path) -> None:
    path = tmp_path / "nothing.npz"
    np.savez(path, **as_keras(nothing))
    with pytest.raises(
        ValueError, match=r"nothing\.npz: expected weights that see something .* got 0\.0 before"
    ):
        start_from_pretrained(net, path, None, "caffe_bgr", pictures)


def test_no_file_changes_nothing(net: SSD, capsys: pytest.CaptureFixture[str]) -> None:
    before = net.backbone.block1[0].conv.weight.asnumpy().copy()
    start_from_pretrained(net, None, None, "imagenet_rgb", pictures)
    np.testing.assert_array_equal(net.backbone.block1[0].conv.weight.asnumpy(), before)
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(not SHARED.exists(), reason="the weights of ../shared/weights are not here")
def test_the_published_weights_see_edges_and_corners_of_a_real_size(net: SSD) -> None:
    start_from_pretrained(net, SHARED, None, "caffe_bgr", pictures)
    kernel = net.backbone.block1[0].conv.weight.asnumpy()
    assert kernel.shape == (64, 3, 3, 3)
    assert 0.1 < np.abs(kernel).mean() < 0.5
    assert net.backbone.block5[2].conv.bias.asnumpy().any()


# What does not fit


def test_another_input_than_the_weights_want_is_refused_with_the_one_to_set(
    net: SSD, torchvision_file: Path, keras_file: Path
) -> None:
    for path, right, wrong in (
        (torchvision_file, "imagenet_rgb", "caffe_bgr"),
        (keras_file, "caffe_bgr", "imagenet_rgb"),
    ):
        with pytest.raises(ValueError) as raised:
            start_from_pretrained(net, path, None, wrong, pictures)
        assert str(raised.value) == f"{path}: expected model.input: {right} for these weights, got {wrong}"


def test_a_file_of_another_digest_is_refused(net: SSD, keras_file: Path) -> None:
    digest = hashlib.sha256(keras_file.read_bytes()).hexdigest()
    start_from_pretrained(net, keras_file, digest, "caffe_bgr", pictures)
    with pytest.raises(ValueError) as raised:
        start_from_pretrained(net, keras_file, "0" * 64, "caffe_bgr", pictures)
    assert str(raised.value) == (
        f"{keras_file}: expected sha256 {'0' * 64} (model.pretrained_sha256), got {digest}"
    )


def test_a_network_of_another_width_or_with_batch_norm_is_refused(keras_file: Path) -> None:
    narrow = SSD(300, 1, ANCHORS_PER_CELL, 0.5, False, "conv")
    with pytest.raises(ValueError, match=r"do not fit a backbone of this width: misshapen: .* and 21 more$"):
        start_from_pretrained(narrow, keras_file, None, "caffe_bgr", pictures)
    normed = SSD(300, 1, ANCHORS_PER_CELL, 1.0, True, "conv")
    with pytest.raises(ValueError, match=r"missing: block1\.0\.norm\.beta, .*; extra: block1\.0\.conv\.bias"):
        start_from_pretrained(normed, keras_file, None, "caffe_bgr", pictures)


def test_missing_extra_and_misshapen_weights_are_listed_in_one_sentence() -> None:
    tensors = as_torchvision(nothing)
    tensors["features.2.running_mean"] = tensors.pop("features.2.bias")
    tensors["features.5.bias"] = nothing("", (64,), "")
    with pytest.raises(ValueError) as raised:
        backbone_from(tensors, Path("vgg16.safetensors"))
    assert str(raised.value) == (
        "vgg16.safetensors: expected the weights of VGG16, without batch norm, got others: "
        "missing: features.2.bias; extra: features.2.running_mean; "
        "misshapen: features.5.bias (64,), expected (128,)"
    )


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"VGG16.* missing: block1_conv1/bias, .* and 21 more; extra: conv1/kernel$"
    ):
        backbone_from({"conv1/kernel": np.zeros((7, 7, 3, 64))}, Path("resnet.h5"))


def test_half_a_classifier_is_missing_the_rest() -> None:
    tensors = as_keras(nothing) | {"fc1/kernel": nothing("", (25088, 4096), "")}
    with pytest.raises(ValueError, match=r"missing: fc1/bias, fc2/bias, fc2/kernel$"):
        backbone_from(tensors, Path("vgg16.npz"))


def test_weights_that_are_not_finite_are_refused() -> None:
    tensors = as_keras(nothing)
    tensors["block2_conv1/bias"] = np.full(128, np.inf, np.float32)
    with pytest.raises(
        ValueError, match=r"block2\.0\.conv\.bias: expected finite numbers, got NaN or infinity"
    ):
        backbone_from(tensors, Path("vgg16.npz"))
