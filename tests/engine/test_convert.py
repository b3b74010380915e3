"""torchvision's SSD300 with weights by formula, converted: its outputs and detections are those recorded there."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from formula_weights import formula_picture, formula_weight
from mindspore import Tensor

from ssd.config import Evaluate
from ssd.data.dataset import network_input
from ssd.engine.checkpoint import (
    UNUSED,
    Checkpoint,
    Description,
    build_network,
    load_checkpoint,
    load_network,
)
from ssd.engine.convert import (
    MODEL,
    RECIPE,
    coco_classes,
    convert_torchvision,
    torchvision_weights,
)
from ssd.engine.detection import detect
from ssd.geometry.anchors import make_anchors
from ssd.geometry.boxes import to_cyxhw
from ssd.model.detector import SSD
from ssd.runtime import compile_whole_cells

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "torchvision_ssd.npz")
SHAPES = json.loads((Path(__file__).parents[1] / "golden" / "torchvision_ssd.json").read_text())
SIDE = 300
RULES = Evaluate(
    batch_size=1, min_score=0.01, candidates_per_class=400, clip=True, nms_iou=0.45, detections_per_image=200
)


def numbered(count: int) -> dict[int, str]:
    return {label: f"class {label}" for label in range(1, count + 1)}


def torchvisions(columns: int) -> dict[str, np.ndarray]:
    """The weights by formula, by torchvision's names."""
    return {name: formula_weight(name, tuple(shape)) for name, shape in SHAPES[str(columns)].items()}


def zeros(columns: int) -> dict[str, np.ndarray]:
    """As many zeros, without memory of their own."""
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in SHAPES[str(columns)].items()}


def network(columns: int) -> SSD:
    classes = numbered(columns - 1)
    return build_network(
        Description(MODEL, RECIPE, (0.1, 0.2), tuple(classes.values()), tuple(classes), "softmax")
    )


@pytest.fixture(scope="module", params=[91, 21])
def columns(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(scope="module")
def checkpoint(columns: int, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("converted")
    safetensors.numpy.save_file(torchvisions(columns), folder / "source.safetensors")
    classes = coco_classes() if columns == 91 else numbered(20)
    convert_torchvision(folder / "source.safetensors", folder / "ssd.safetensors", classes)
    return load_checkpoint(folder / "ssd.safetensors")


@pytest.fixture(scope="module")
def outputs(checkpoint: Checkpoint) -> tuple[np.ndarray, np.ndarray]:
    """Offsets [A, 4] and logits [A, C] of picture 0."""
    compile_whole_cells()
    pixels = network_input(formula_picture(0, SIDE, SIDE), SIDE, checkpoint.description.model.input)
    offsets, logits = load_network(checkpoint).set_train(False)(Tensor(pixels[None]))
    return offsets.asnumpy()[0], logits.asnumpy()[0]


def test_boxes_and_logits_are_torchvisions_to_a_ten_thousandth(
    columns: int, outputs: tuple[np.ndarray, np.ndarray]
) -> None:
    rows = GOLDEN[f"rows_{columns}"]
    xywh, logits = outputs[0][:, [1, 0, 3, 2]], outputs[1]
    for ours, name in ((xywh, "boxes"), (logits, "logits")):
        expected = GOLDEN[f"{name}_{columns}"]
        np.testing.assert_allclose(ours[rows], expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    for ours, name in ((xywh, "bbox_regression"), (logits, "cls_logits")):
        sums = np.abs(ours.astype(np.float64)).sum(axis=0)
        np.testing.assert_allclose(sums, GOLDEN[f"{name}_abssum_{columns}"], rtol=1e-4)


def test_detections_are_torchvisions(
    columns: int, checkpoint: Checkpoint, outputs: tuple[np.ndarray, np.ndarray]
) -> None:
    offsets, logits = outputs
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = (exponentials / exponentials.sum(axis=1, keepdims=True))[:, 1:]
    batch = np.zeros((1, 3, SIDE, SIDE), np.float32), np.array([[7]]), np.array([[SIDE, SIDE]])
    description = checkpoint.description
    (found,) = detect(
        lambda _: (offsets[None], scores[None]),
        [batch],
        checkpoint.anchors,
        description.variances,
        description.category_ids,
        RULES,
    )
    expected = GOLDEN[f"detections_{columns}"]
    assert len(found) == len(expected) == 200
    labels = np.array([each["category_id"] for each in found])
    best = np.array([each["score"] for each in found])
    x, y, width, height = np.array([each["bbox"] for each in found]).T
    boxes = np.stack([x, y, x + width, y + height], axis=1)
    order, expected_order = np.lexsort((best, labels)), np.lexsort((expected[:, 1], expected[:, 0]))
    np.testing.assert_array_equal(labels[order], expected[expected_order, 0])
    np.testing.assert_allclose(best[order], expected[expected_order, 1], rtol=0, atol=2e-4)
    for label, box in zip(expected[:, 0], expected[:, 2:], strict=True):
        distances = np.abs(boxes[labels == label] - box).max(axis=1)
        assert distances.min() < 0.05, (label, box)


def test_the_checkpoint_says_what_the_network_is(columns: int, checkpoint: Checkpoint) -> None:
    description = checkpoint.description
    assert (description.model, description.anchors) == (MODEL, RECIPE)
    assert (description.variances, description.scores) == ((0.1, 0.2), "softmax")
    assert len(description.class_names) == columns - 1
    recipe = (RECIPE.steps, RECIPE.sizes, RECIPE.ratios, RECIPE.large_square, RECIPE.clip)
    np.testing.assert_array_equal(checkpoint.anchors, make_anchors(SIDE, *recipe))


def test_the_last_two_anchors_are_cut_to_the_images_side(checkpoint: Checkpoint) -> None:
    side = 0.87 / np.sqrt(2)
    np.testing.assert_allclose(
        to_cyxhw(checkpoint.anchors[-2:]), [[0.5, 0.5, side, 1], [0.5, 0.5, 1, side]], atol=1e-6
    )


def test_cocos_labels_are_its_ids_and_those_it_left_out_are_unused() -> None:
    classes = coco_classes()
    assert list(classes) == list(range(1, 91))
    unused = [category_id for category_id, name in classes.items() if name == UNUSED]
    assert unused == [12, 26, 29, 30, 45, 66, 68, 69, 71, 83]
    assert len(set(classes.values()) - {UNUSED}) == 80
    some = {
        1: "person",
        11: "fire hydrant",
        25: "giraffe",
        44: "bottle",
        65: "bed",
        70: "toilet",
        90: "toothbrush",
    }
    assert {category_id: classes[category_id] for category_id in some} == some


def test_a_converted_checkpoint_is_measured_on_cocos_eighty_classes(
    columns: int, checkpoint: Checkpoint
) -> None:
    coco = [{"id": number, "name": name} for number, name in coco_classes().items() if name != UNUSED]
    if columns == 91:
        checkpoint.require_categories(coco)
    else:
        with pytest.raises(ValueError, match=r"the data's 80 classes .* got a checkpoint of 20"):
            checkpoint.require_categories(coco)


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(ValueError) as raised:
        torchvision_weights(zeros(91), Path("ssd.pth"), network(21))
    assert str(raised.value) == (
        "ssd.pth: expected scores of 21 classes with the background, got 91; "
        "give the records whose classes it was trained on (--records)"
    )


def test_another_network_is_refused_in_one_sentence() -> None:
    lite = {"backbone.features.0.0.0.weight": np.zeros((16, 3, 3, 3), np.float32)}
    with pytest.raises(ValueError) as raised:
        torchvision_weights(lite, Path("ssdlite.pth"), network(21))
    assert str(raised.value) == (
        "ssdlite.pth: expected torchvision's SSD300 on VGG16 (ssd300_vgg16), got others: missing: "
        "backbone.extra.0.1.bias, backbone.extra.0.1.weight, backbone.extra.0.3.bias, backbone.extra.0.3.weight, "
        "backbone.extra.0.5.bias, and 66 more; extra: backbone.features.0.0.0.weight"
    )


def test_another_width_and_an_extra_layer_are_told_by_name() -> None:
    tensors = zeros(21)
    tensors["backbone.features.0.bias"] = np.zeros(32, np.float32)
    tensors["backbone.extra.5.0.bias"] = np.zeros(128, np.float32)
    with pytest.raises(ValueError) as raised:
        torchvision_weights(tensors, Path("ssd.pth"), network(21))
    assert str(raised.value).endswith(
        "got others: extra: backbone.extra.5.0.bias; "
        "misshapen: backbone.features.0.bias (32,), expected (64,)"
    )


def test_weights_that_are_not_finite_are_refused() -> None:
    tensors = zeros(21)
    tensors["backbone.scale_weight"] = np.full(512, np.nan, np.float32)
    with pytest.raises(ValueError, match=r"ssd\.pth: backbone\.scale_weight: expected finite numbers"):
        torchvision_weights(tensors, Path("ssd.pth"), network(21))


def test_the_checkpoint_must_end_in_safetensors(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"ssd\.ckpt: expected a name that ends in \.safetensors, got '\.ckpt'"
    ):
        convert_torchvision(tmp_path / "ssd.pth", tmp_path / "ssd.ckpt", coco_classes())
