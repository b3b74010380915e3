"""params.yaml is read strictly: what is not exactly right stops with one sentence."""

import copy
import dataclasses
import io
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ssd.config import (
    Anchors,
    Archive,
    Augment,
    Coco,
    Evaluate,
    Mindrecord,
    Params,
    Report,
    Sample,
    Targets,
    Train,
    Voc,
    check_params,
    load_params,
)

PARAMS_YAML = Path(__file__).resolve().parent / "golden" / "params.yaml"
TEXT = PARAMS_YAML.read_text(encoding="utf-8")


@dataclasses.dataclass(frozen=True)
class OneSection:
    report: Report


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where params.yaml is written and read, so that errors begin with its bare name."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tree():
    """What params.yaml holds, to be changed at will."""
    return YAML(typ="safe").load(TEXT)


def load_text(text: str) -> Params:
    Path("params.yaml").write_bytes(text.encode("utf-8"))
    return load_params("params.yaml", Params)


def load_with(old: str, new: str) -> Params:
    """params.yaml with the line that holds `old` changed."""
    assert TEXT.count(old) == 1
    return load_text(TEXT.replace(old, new))


def sentence_of(old: str, new: str) -> str:
    with pytest.raises(ValueError) as caught:
        load_with(old, new)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def line_of(text: str) -> int:
    return TEXT[: TEXT.index(text)].count("\n") + 1


# What is right


def test_the_projects_own_parameters_are_read_into_their_types(folder):
    params = load_text(TEXT)
    assert params.dataset.source == "sample"
    assert params.dataset.sample == Sample(train_images=560, val_images=100, seed=1)
    assert params.dataset.val_fraction == 0.2
    assert params.dataset.archive.sha256 is None
    assert params.dataset.coco == Coco(None, None, None, None)
    assert params.dataset.voc == Voc(
        ("VOCtrainval_06-Nov-2007.tar", "VOCtest_06-Nov-2007.tar", "VOCtrainval_11-May-2012.tar"),
        ("2007/trainval", "2012/trainval"),
        ("2007/test",),
        "train",
    )
    assert params.mindrecord == Mindrecord("repair", "drop", "error", "error", 5000)
    assert params.anchors.steps == (8.0, 16.0, 32.0, 64.0, 100.0, 300.0)
    assert params.anchors.ratios == ((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,))
    assert params.targets.variances == (0.1, 0.2)
    assert params.model.batch_norm is True
    assert params.augment == Augment(
        "tutorial", 0.8, 0.5, 0.5, 0.4, 0.4, 0.4, "linear", 32.0, 18.0, 0.0, 0.5, 4.0
    )
    assert params.evaluate == Evaluate(8, 0.01, 400, True, 0.5, 100)
    assert params.model.l2_norm is False
    assert params.model.input == "imagenet_rgb"


def test_every_number_has_the_type_of_its_field(folder):
    params = load_with("  momentum: 0.9\n", "  momentum: 0\n")
    assert type(params.train.momentum) is float
    assert type(params.train.epochs) is int
    assert all(type(step) is float for step in params.anchors.steps)


def test_parameters_cannot_be_changed_on_the_way(folder):
    params = load_text(TEXT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        params.train.epochs = 8


def test_a_stage_is_handed_the_sections_that_it_declares_and_no_other(folder):
    params = load_params(PARAMS_YAML, OneSection)
    assert vars(params) == {"report": Report("SSD on drawn shapes", 12, 0.4)}


def test_the_sections_that_a_stage_does_not_declare_are_checked_too(folder):
    Path("params.yaml").write_text(TEXT.replace("lr_max: 0.03", "lr_max: abc"))
    with pytest.raises(ValueError, match=r"^params\.yaml: train\.lr_max: expected a number > 0, got 'abc'$"):
        load_params("params.yaml", OneSection)


# Keys


def test_an_unknown_key_is_named_with_the_known_ones(folder):
    assert sentence_of("  epochs: 7\n", "  epoch: 7\n") == (
        "params.yaml: train: unknown key epoch; known: batch_size, bias_lr_factor, checkpoint_every, "
        "clip_norm, epochs, freeze, freeze_after_epochs, lr_end, lr_factor, "
        "lr_max, lr_start, milestones, momentum, optimizer, processes, schedule, seed, warmup_epochs, "
        "weight_decay, workers"
    )


def test_an_unknown_section_is_named_with_the_known_ones(folder):
    assert sentence_of("train:\n", "trian:\n") == (
        "params.yaml: unknown key trian; known: anchors, augment, dataset, evaluate, loss, mindrecord, model, "
        "report, targets, train"
    )


def test_an_unknown_key_two_sections_deep_is_named_with_both(folder):
    assert sentence_of("    val_images: 100\n", "    val: 100\n") == (
        "params.yaml: dataset.sample: unknown key val; known: seed, train_images, val_images"
    )


def test_a_missing_key_is_named_with_all_that_are_expected(folder):
    assert sentence_of("  nms_iou: 0.5\n", "") == (
        "params.yaml: evaluate: missing key nms_iou; expected: batch_size, candidates_per_class, "
        "clip, detections_per_image, min_score, nms_iou"
    )


def test_a_missing_section_is_named(folder):
    with pytest.raises(ValueError, match=r"^params\.yaml: missing key report; expected: anchors, augment, "):
        load_text(TEXT[: TEXT.index("report:\n")])


def test_a_key_that_is_given_twice_is_named_with_its_line(folder):
    assert sentence_of("  epochs: 7\n", "  epochs: 7\n  epochs: 8\n") == (
        f"params.yaml: line {line_of('  epochs: 7') + 1}, column 3: not YAML: key epochs is given twice"
    )


@pytest.mark.parametrize(
    ("key", "shown"), [("12", "12"), ("true", "True"), ("0.5", "0.5"), ("[a, b]", "['a', 'b']"), ("", "None")]
)
def test_a_key_that_is_not_a_name_is_refused(folder, key, shown):
    assert sentence_of("  epochs: 7\n", f"  ? {key}\n  : 7\n").endswith(
        f"expected a name as key, got {shown}"
    )


def test_a_key_with_a_line_end_does_not_break_the_sentence(folder):
    assert sentence_of("  epochs: 7\n", '  "a\\nb": 7\n').startswith(
        "params.yaml: train: unknown key 'a\\nb'; "
    )


# Values

MISTYPED = [
    ("lr_max: 0.03", "lr_max: abc", "train.lr_max: expected a number > 0, got 'abc'"),
    ("lr_max: 0.03", "lr_max: '0.03'", "train.lr_max: expected a number > 0, got '0.03'"),
    ("lr_max: 0.03", "lr_max: true", "train.lr_max: expected a number > 0, got True"),
    ("lr_max: 0.03", "lr_max:", "train.lr_max: expected a number > 0, got nothing"),
    ("lr_max: 0.03", "lr_max: ~", "train.lr_max: expected a number > 0, got nothing"),
    ("lr_max: 0.03", "lr_max: null", "train.lr_max: expected a number > 0, got nothing"),
    ("lr_max: 0.03", "lr_max: [0.03]", "train.lr_max: expected a number > 0, got [0.03]"),
    ("lr_max: 0.03", "lr_max: {a: 1}", "train.lr_max: expected a number > 0, got {'a': 1}"),
    ("lr_max: 0.03", "lr_max: .nan", "train.lr_max: expected a number > 0, got nan"),
    ("lr_max: 0.03", "lr_max: .inf", "train.lr_max: expected a number > 0, got inf"),
    ("lr_max: 0.03", "lr_max: -.INF", "train.lr_max: expected a number > 0, got -inf"),
    ("lr_max: 0.03", "lr_max: 1e999", "train.lr_max: expected a number > 0, got inf"),
    ("lr_max: 0.03", "lr_max: 0,03", "train.lr_max: expected a number > 0, got '0,03'"),
    ("  epochs: 7\n", "  epochs: 1e2\n", "train.epochs: expected a whole number >= 1, got 100.0"),
    ("  epochs: 7\n", "  epochs: 7.0\n", "train.epochs: expected a whole number >= 1, got 7.0"),
    ("  epochs: 7\n", "  epochs: '7'\n", "train.epochs: expected a whole number >= 1, got '7'"),
    ("  epochs: 7\n", "  epochs: true\n", "train.epochs: expected a whole number >= 1, got True"),
    ("  epochs: 7\n", "  epochs:\n", "train.epochs: expected a whole number >= 1, got nothing"),
    ("batch_norm: true", "batch_norm: 1", "model.batch_norm: expected true or false, got 1"),
    ("batch_norm: true", "batch_norm: 'true'", "model.batch_norm: expected true or false, got 'true'"),
    ("batch_norm: true", "batch_norm:", "model.batch_norm: expected true or false, got nothing"),
    ("  clip: true ", "  clip: none ", "evaluate.clip: expected true or false, got 'none'"),
    ("title: SSD on drawn shapes", "title: 5", "report.title: expected text, got 5"),
    ("title: SSD on drawn shapes", "title:", "report.title: expected text, got nothing"),
    ("title: SSD on drawn shapes", "title: [a]", "report.title: expected text, got ['a']"),
    ("heads: separable ", "heads: dense ", "model.heads: expected separable or conv, got 'dense'"),
    ("heads: separable ", "heads: ", "model.heads: expected separable or conv, got nothing"),
    ("heads: separable ", "heads: [conv] ", "model.heads: expected separable or conv, got ['conv']"),
    ("policy: tutorial ", "policy: caffe ", "augment.policy: expected tutorial or ssd or none, got 'caffe'"),
    ("policy: tutorial ", "policy: ", "augment.policy: expected tutorial or ssd or none, got nothing"),
    ("interpolation: linear ", "interpolation: cubic ", "augment.interpolation: expected linear or random, got 'cubic'"),  # noqa: E501
    ("optimizer: momentum ", "optimizer: sgd ", "train.optimizer: expected momentum or adam, got 'sgd'"),
    ("source: sample ", "source: yolo ", "dataset.source: expected sample or archive or coco or voc, got 'yolo'"),
    ("schedule: cosine ", "schedule: linear ", "train.schedule: expected cosine or steps, got 'linear'"),
    ("milestones: []\n", "milestones:\n", "train.milestones: expected a list, got nothing"),
    ("milestones: []\n", "milestones: 3\n", "train.milestones: expected a list, got 3"),
    ("milestones: []\n", "milestones: [1.5]\n", "train.milestones[0]: expected a whole number >= 1, got 1.5"),
    ("milestones: []\n", "milestones: [3, 0]\n", "train.milestones[1]: expected a whole number >= 1, got 0"),
    ("large_square: last ", "large_square: first ", "anchors.large_square: expected second or last, got 'first'"),
    ("  clip: none ", "  clip: true ", "anchors.clip: expected none or size or centre_and_size, got True"),
    ("  clip: none ", "  clip: centre ", "anchors.clip: expected none or size or centre_and_size, got 'centre'"),
    ("input_size: 300", "input_size: 400", "model.input_size: expected 300 or 512, got 400"),
    ("input_size: 300", "input_size: 300.0", "model.input_size: expected 300 or 512, got 300.0"),
    ("pretrained: ", "pretrained: 16 ", "model.pretrained: expected text, got 16"),
    ("pretrained_sha256: ", "pretrained_sha256: ABC ",
     "model.pretrained_sha256: expected 64 hexadecimal digits in lower case, got 'ABC'"),
    ("clip_norm: ", "clip_norm: much ", "train.clip_norm: expected a number > 0, got 'much'"),
    ("freeze: 0", "freeze: true", "train.freeze: expected a whole number >= 0 and <= 5, got True"),
    ("l2_norm: false", "l2_norm: 20", "model.l2_norm: expected true or false, got 20"),
    ("input: imagenet_rgb ", "input: rgb ", "model.input: expected imagenet_rgb or caffe_bgr, got 'rgb'"),
    ("input: imagenet_rgb ", "input: ", "model.input: expected imagenet_rgb or caffe_bgr, got nothing"),
    ("box_without_area: drop ", "box_without_area: repair ", "mindrecord.box_without_area: expected drop or error, got 'repair'"),  # noqa: E501
    ("    sha256: ", "    sha256: 5 ", "dataset.archive.sha256: expected text, got 5"),
    ("    train_images:  ", "    train_images: 5 ", "dataset.coco.train_images: expected text, got 5"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "sentence"), MISTYPED)
def test_a_value_of_another_type_is_named(folder, old, new, sentence):
    assert sentence_of(old, new) == f"params.yaml: {sentence}"


OUT_OF_RANGE = [
    ("val_fraction: 0.2 ", "val_fraction: 0 ", "dataset.val_fraction: expected a number > 0 and < 1, got 0.0"),
    ("val_fraction: 0.2 ", "val_fraction: 1 ", "dataset.val_fraction: expected a number > 0 and < 1, got 1.0"),
    ("lr_max: 0.03", "lr_max: 0", "train.lr_max: expected a number > 0, got 0.0"),
    ("lr_end: 0.00005", "lr_end: -1e-05", "train.lr_end: expected a number >= 0, got -1e-05"),
    ("momentum: 0.9", "momentum: 1", "train.momentum: expected a number >= 0 and < 1, got 1.0"),
    ("lr_factor: 0.1", "lr_factor: 1", "train.lr_factor: expected a number > 0 and < 1, got 1.0"),
    ("clip_norm: ", "clip_norm: 0 ", "train.clip_norm: expected a number > 0, got 0.0"),
    ("checkpoint_every: 100", "checkpoint_every: 0", "train.checkpoint_every: expected a whole number >= 1, got 0"),
    ("bias_lr_factor: 1.0", "bias_lr_factor: 0", "train.bias_lr_factor: expected a number > 0, got 0.0"),
    ("  epochs: 7\n", "  epochs: 0\n", "train.epochs: expected a whole number >= 1, got 0"),
    ("  workers: 1\n", "  workers: -1\n", "train.workers: expected a whole number >= 1, got -1"),
    ("  processes: 1 ", "  processes: 0 ", "train.processes: expected a whole number >= 1, got 0"),
    ("train:\n  seed: 1\n", "train:\n  seed: -1\n", "train.seed: expected a whole number >= 0, got -1"),
    ("iou_threshold: 0.5", "iou_threshold: 0", "targets.iou_threshold: expected a number > 0 and <= 1, got 0.0"),
    ("mirror: 0.5", "mirror: 1.01", "augment.mirror: expected a number >= 0 and <= 1, got 1.01"),
    ("brightness_shift: 32 ", "brightness_shift: 256 ", "augment.brightness_shift: expected a number >= 0 and <= 255, got 256.0"),  # noqa: E501
    ("hue: 18 ", "hue: 91 ", "augment.hue: expected a number >= 0 and <= 90, got 91.0"),
    ("shuffle_channels: 0.0 ", "shuffle_channels: -0.1 ", "augment.shuffle_channels: expected a number >= 0 and <= 1, got -0.1"),  # noqa: E501
    ("expand: 0.5 ", "expand: 2 ", "augment.expand: expected a number >= 0 and <= 1, got 2.0"),
    ("expand_max: 4.0 ", "expand_max: 0.5 ", "augment.expand_max: expected a number >= 1 and <= 10, got 0.5"),
    ("dropout: 0.0 ", "dropout: 1 ", "model.dropout: expected a number >= 0 and < 1, got 1.0"),
    ("width: 0.25 ", "width: 5 ", "model.width: expected a number > 0 and <= 4, got 5.0"),
    ("  photos: 12\n", "  photos: 0\n", "report.photos: expected a whole number >= 1, got 0"),
    ("images_per_file: 5000", "images_per_file: 0", "mindrecord.images_per_file: expected a whole number >= 1, got 0"),
    ("freeze: 0", "freeze: 6", "train.freeze: expected a whole number >= 0 and <= 5, got 6"),
    ("freeze: 0", "freeze: -1", "train.freeze: expected a whole number >= 0 and <= 5, got -1"),
    ("freeze: 0", "freeze: 1",
     "train.freeze: expected 0 with model.batch_norm, whose statistics are to be found first, or "
     "train.freeze_after_epochs above 0; got 1"),
    ("freeze_after_epochs: 0.0", "freeze_after_epochs: -1",
     "train.freeze_after_epochs: expected a number >= 0, got -1.0"),
    ("warmup_epochs: 0.5", "warmup_epochs: 7.5", "train.warmup_epochs: expected at most epochs (7), got 7.5"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "sentence"), OUT_OF_RANGE)
def test_a_value_out_of_its_range_is_named_with_the_range(folder, old, new, sentence):
    assert sentence_of(old, new) == f"params.yaml: {sentence}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  epochs: 7\n", "  epochs: 1\n"),
        ("lr_end: 0.00005", "lr_end: 0"),
        ("momentum: 0.9", "momentum: 0"),
        ("momentum: 0.9", "momentum: 0.999"),
        ("iou_threshold: 0.5", "iou_threshold: 1"),
        ("policy: tutorial ", "policy: ssd "),
        ("policy: tutorial ", "policy: none "),
        ("interpolation: linear ", "interpolation: random "),
        ("brightness_shift: 32 ", "brightness_shift: 255 "),
        ("hue: 18 ", "hue: 0 "),
        ("hue: 18 ", "hue: 90 "),
        ("expand_max: 4.0 ", "expand_max: 1 "),
        ("expand_max: 4.0 ", "expand_max: 10 "),
        ("width: 0.25 ", "width: 4 "),
        ("warmup_epochs: 0.5", "warmup_epochs: 7"),
    ],
)
def test_a_value_at_the_end_of_its_range_is_taken(folder, old, new):
    assert load_with(old, new)


@pytest.mark.parametrize(
    ("heads", "batch_norm", "taken"),
    [("conv", "false", True), ("conv", "true", True), ("separable", "false", False)],
)
def test_batches_of_one_image_are_taken_where_the_smallest_map_is_not_normalised(
    folder, heads, batch_norm, taken
):
    text = (
        TEXT.replace("heads: separable", f"heads: {heads}")
        .replace("batch_norm: true", f"batch_norm: {batch_norm}")
        .replace("  batch_size: 8\n  optimizer", "  batch_size: 1\n  optimizer")
    )
    if taken:
        assert load_text(text).train.batch_size == 1
    else:
        with pytest.raises(
            ValueError, match=r"^params.yaml: train.batch_size: expected at least 2 with separable heads"
        ):
            load_text(text)


@pytest.mark.parametrize(
    ("processes", "batch_size", "expected"),
    [
        (2, 8, None),
        (3, 8, "train.batch_size: expected a multiple of processes (3), got 8"),
        (
            8,
            8,
            "train.batch_size: expected at least 2 a process with separable heads: their batch norm",
        ),
    ],
)
def test_processes_share_a_batch_equally(folder, processes, batch_size, expected):
    text = TEXT.replace("  processes: 1 ", f"  processes: {processes} ")
    assert text.count(f"  batch_size: {batch_size}\n  optimizer") == 1
    if expected is None:
        assert load_text(text).train.processes == processes
    else:
        with pytest.raises(ValueError) as caught:
            load_text(text)
        assert str(caught.value).startswith(f"params.yaml: {expected}")


@pytest.mark.parametrize(("width", "batch_norm"), [("0.25", "false"), ("1.0", "true"), ("1.0", "false")])
def test_vgg16s_weights_are_taken_for_its_full_width_without_batch_norm(folder, width, batch_norm):
    text = (
        TEXT.replace("pretrained: ", "pretrained: vgg16.npz ")
        .replace("width: 0.25 ", f"width: {width} ")
        .replace("batch_norm: true", f"batch_norm: {batch_norm}")
    )
    if (width, batch_norm) == ("1.0", "false"):
        assert load_text(text).model.pretrained == "vgg16.npz"
    else:
        with pytest.raises(ValueError) as caught:
            load_text(text)
        assert str(caught.value) == (
            "params.yaml: model.pretrained: expected width 1.0 and batch_norm false, because VGG16's weights are of "
            "that width and have biases where batch norm has none; "
            f"got width {float(width):g} and batch_norm {batch_norm}"
        )


def test_blocks_without_batch_norm_can_be_frozen(folder):
    text = TEXT.replace("freeze: 0", "freeze: 5").replace("batch_norm: true", "batch_norm: false")
    assert load_text(text).train.freeze == 5


def test_blocks_with_batch_norm_can_be_frozen_after_they_have_learnt(folder):
    text = TEXT.replace("freeze: 0", "freeze: 1").replace(
        "freeze_after_epochs: 0.0", "freeze_after_epochs: 0.5"
    )
    assert "batch_norm: true" in text
    assert (load_text(text).train.freeze, load_text(text).train.freeze_after_epochs) == (1, 0.5)


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_number_too_long_for_python_is_one_sentence(folder, digits):
    assert sentence_of("lr_max: 0.03", "lr_max: " + "9" * digits).startswith("params.yaml: ")


def test_a_list_where_a_section_is_expected_is_named_with_the_keys(folder, tree):
    tree["targets"] = [0.5, 0.1, 0.2]
    with pytest.raises(ValueError) as caught:
        check_params(tree, "params.yaml")
    assert str(caught.value) == (
        "params.yaml: targets: expected a section with the keys iou_threshold, variance_centre, variance_size; "
        "got [0.5, 0.1, 0.2]"
    )


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "null\n"])
def test_an_empty_file_is_named(folder, text):
    with pytest.raises(ValueError, match=r"^params\.yaml: expected a section with .*; got nothing$"):
        load_text(text)


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n", "5\n"])
def test_a_file_without_sections_is_named(folder, text):
    with pytest.raises(
        ValueError, match=r"^params\.yaml: expected a section with the keys dataset, mindrecord, "
    ):
        load_text(text)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("steps", 8, "steps: expected a list, got 8"),
        ("steps", [], "steps: expected a list that is not empty, got []"),
        ("steps", None, "steps: expected a list, got nothing"),
        ("steps", {"a": 8}, "steps: expected a list, got {'a': 8}"),
        ("steps", [8, 0, 32, 64, 100, 300], "steps[1]: expected a number >= 1, got 0.0"),
        ("steps", [8, 16, "32", 64, 100, 300], "steps[2]: expected a number >= 1, got '32'"),
        ("steps", [8, 16, 32, 64, 100], "ratios: expected 5 lists, one a step, got 6"),
        ("sizes", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "sizes: expected 7 values, one more than steps, got 6"),
        ("ratios", [[2]] * 5, "ratios: expected 6 lists, one a step, got 5"),
        ("ratios", [[2]] * 5 + [[]], "ratios[5]: expected a list that is not empty, got []"),
        ("ratios", [[2]] * 5 + [2], "ratios[5]: expected a list, got 2"),
        ("ratios", [[2]] * 5 + [[2, None]], "ratios[5][1]: expected a number > 0 and <= 100, got nothing"),
        ("ratios", [[2]] * 5 + [[2, -3]], "ratios[5][1]: expected a number > 0 and <= 100, got -3.0"),
    ],
)
def test_the_lists_of_the_anchors_fit_together(tree, key, value, sentence):
    tree["anchors"][key] = value
    with pytest.raises(ValueError) as caught:
        check_params(tree, "params.yaml")
    assert str(caught.value) == f"params.yaml: anchors.{sentence}"


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("devkits", [], "devkits: expected a list that is not empty, got []"),
        ("devkits", None, "devkits: expected a list, got nothing"),
        ("devkits", "kit.tar", "devkits: expected a list, got 'kit.tar'"),
        ("devkits", ["kit.tar", 7], "devkits[1]: expected text, got 7"),
        ("difficult", "drop", "difficult: expected train or ignore, got 'drop'"),
        (
            "train_sets",
            ["2007/trainval", "trainval"],
            "train_sets[1]: expected a folder and a set, such as 2007/trainval, got 'trainval'",
        ),
        (
            "val_sets",
            ["/test"],
            "val_sets[0]: expected a folder and a set, such as 2007/trainval, got '/test'",
        ),
        (
            "val_sets",
            ["a/b/c"],
            "val_sets[0]: expected a folder and a set, such as 2007/trainval, got 'a/b/c'",
        ),
    ],
)
def test_what_source_voc_needs_is_named(tree, key, value, sentence):
    tree["dataset"]["source"] = "voc"
    assert check_params(tree, "params.yaml").dataset.source == "voc"
    tree["dataset"]["voc"][key] = value
    with pytest.raises(ValueError) as caught:
        check_params(tree, "params.yaml")
    assert str(caught.value) == f"params.yaml: dataset.voc.{sentence}"


@pytest.mark.parametrize("milestones", [[], [7], [3, 8], [3, 3], [5, 3]])
def test_a_schedule_of_steps_needs_ascending_milestones_before_its_end(tree, milestones):
    tree["train"] |= {"milestones": milestones}
    assert check_params(tree, "params.yaml").train.milestones == tuple(
        milestones
    )  # a cosine has no use for them
    tree["train"] |= {"schedule": "steps"}
    with pytest.raises(ValueError) as caught:
        check_params(tree, "params.yaml")
    assert str(caught.value) == (
        "params.yaml: train.milestones: expected ascending epochs below epochs (7), because schedule is steps; "
        f"got {milestones}"
    )
    tree["train"] |= {"milestones": [3, 6]}
    assert check_params(tree, "params.yaml").train.milestones == (3, 6)


@pytest.mark.parametrize("missing", ["train_images", "train_annotations"])
def test_a_coco_train_set_alone_needs_its_two_paths(tree, missing):
    tree["dataset"] |= {"source": "coco"}
    tree["dataset"]["coco"] |= {"train_images": "photos", "train_annotations": "a.json"}
    assert check_params(tree, "params.yaml").dataset.coco == Coco("photos", "a.json", None, None)
    tree["dataset"]["coco"][missing] = None
    with pytest.raises(ValueError) as caught:
        check_params(tree, "params.yaml")
    assert str(caught.value) == (
        f"params.yaml: dataset.coco.{missing}: expected a path, because source is coco; got nothing"
    )


def test_a_voc_train_set_may_be_alone(tree):
    tree["dataset"]["voc"]["val_sets"] = []
    assert check_params(tree, "params.yaml").dataset.voc.val_sets == ()


@pytest.mark.parametrize("missing", ["train_images", "train_annotations", "val_images", "val_annotations"])
def test_source_coco_needs_its_four_paths(tree, missing):
    paths = ("train_images", "train_annotations", "val_images", "val_annotations")
    tree["dataset"] |= {"source": "coco", "coco": {path: "somewhere" for path in paths}}
    assert check_params(tree, "params.yaml").dataset.coco.val_images == "somewhere"
    tree["dataset"]["coco"][missing] = None
    with pytest.raises(ValueError) as caught:
        check_params(tree, "params.yaml")
    assert str(caught.value) == (
        f"params.yaml: dataset.coco.{missing}: expected a path, because source is coco; got nothing"
    )


def test_a_digest_is_64_hexadecimal_digits(folder, tree):
    tree["dataset"]["archive"]["sha256"] = "0123456789abcdef" * 4
    assert check_params(tree, "params.yaml").dataset.archive == Archive(
        tree["dataset"]["archive"]["url"], "0123456789abcdef" * 4
    )
    assert sentence_of("    sha256: ", "    sha256: 0123 ") == (
        "params.yaml: dataset.archive.sha256: expected text, got 123"
    )
    assert sentence_of("    sha256: ", "    sha256: ABC ") == (
        "params.yaml: dataset.archive.sha256: expected 64 hexadecimal digits in lower case, got 'ABC'"
    )


# YAML 1.2


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1e-05", 1e-05),
        ("1e-3", 1e-3),
        ("1E-3", 1e-3),
        ("1e+0", 1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+0.5", 0.5),
        ("1", 1.0),
        ("007", 7.0),
        ("1.5e1", 15.0),
    ],
)
def test_a_number_is_read_as_yaml_1_2_has_it(folder, written, number):
    assert load_with("lr_max: 0.03", f"lr_max: {written}").train.lr_max == number


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        (".", "."),
        ("2024-01-01", "2024-01-01"),
        ("infinity", "infinity"),
    ],
)
def test_what_looks_like_a_number_to_others_is_refused(folder, written, text):
    """YAML 1.2 has the hexadecimal and octal forms, but no parameter is written so; it is no other number."""
    sentence = sentence_of("lr_max: 0.03", f"lr_max: {written}")
    assert sentence == f"params.yaml: train.lr_max: expected a number > 0, got {text!r}"


@pytest.mark.parametrize(
    ("written", "number"), [("007", 7), ("010", 10), ("+7", 7), ("12345678901", 12345678901)]
)
def test_a_whole_number_is_decimal(folder, written, number):
    assert load_with("  epochs: 7\n", f"  epochs: {written}\n").train.epochs == number


@pytest.mark.parametrize("written", ["yes", "no", "on", "off", "Yes", "ON", "y", "n"])
def test_only_true_and_false_are_true_or_false(folder, written):
    sentence = sentence_of("batch_norm: true", f"batch_norm: {written}")
    assert sentence == f"params.yaml: model.batch_norm: expected true or false, got {written!r}"


@pytest.mark.parametrize(("written", "value"), [("false", False), ("False", False), ("TRUE", True)])
def test_true_and_false_may_be_written_in_three_ways(folder, written, value):
    assert load_with("batch_norm: true", f"batch_norm: {written}").model.batch_norm is value


@pytest.mark.parametrize(
    "title", ["yes", "no", "on", "2024-01-01", "1:30", "=", "<<", "1_000", "v1.2", "a:b", "größer → 🙂"]
)
def test_what_yaml_1_1_read_as_something_else_is_text(folder, title):
    assert load_with("title: SSD on drawn shapes", f"title: {title}").report.title == title


@pytest.mark.parametrize(
    ("written", "title"), [("'5'", "5"), ('"true"', "true"), ("!!str 5", "5"), ("''", "")]
)
def test_quotes_make_text(folder, written, title):
    assert load_with("title: SSD on drawn shapes", f"title: {written}").report.title == title


# Files that are not YAML

NO_TOKEN = "while scanning for the next token, found character {} that cannot start any token"
NOT_YAML = [
    ("title: SSD", "\ttitle: SSD", f"column 3: not YAML: {NO_TOKEN.format(repr(chr(9)))}"),
    ("title: SSD", "title: @b", f"column 10: not YAML: {NO_TOKEN.format(repr('@'))}"),
    ("title: SSD", "title: a: b", "column 11: not YAML: mapping values are not allowed here"),
    ("title: SSD on drawn shapes", "title: *b", "column 10: not YAML: found undefined alias 'b'"),
    (
        "title: SSD on drawn shapes",
        "title: [&b [1, 2], *b]",
        "column 22: not YAML: expected the value itself, got the alias *b",
    ),
    (
        "title: SSD on drawn shapes",
        "title: !!int abc",
        "column 10: not YAML: expected a whole number, got 'abc'",
    ),
    ("title: SSD on drawn shapes", "title: !!float abc", "column 10: not YAML: expected a number, got 'abc'"),
    (
        "title: SSD on drawn shapes",
        "title: !!bool abc",
        "column 10: not YAML: expected true or false, got 'abc'",
    ),
    (
        "title: SSD",
        "title: !!timestamp SSD",
        "column 10: not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:timestamp'",
    ),
    (
        "title: SSD",
        "title: !!python/name:os.system SSD",
        "column 10: not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system'",
    ),
]


@pytest.mark.parametrize(("old", "new", "sentence"), NOT_YAML)
def test_what_is_not_yaml_is_named_with_its_line(folder, old, new, sentence):
    assert sentence_of(old, new) == f"params.yaml: line {line_of(old)}, {sentence}"


def test_a_character_that_yaml_does_not_have_is_named_with_its_line(folder):
    assert sentence_of("title: SSD", "title: S\x07D") == (
        f"params.yaml: line {line_of('title: SSD')}: not YAML: special characters are not allowed (U+0007)"
    )


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        ("more: [\n", "while parsing a flow node, expected the node content, but found '<stream end>'"),
        ("---\na: b\n", "expected a single document in the stream, but found another document"),
        ("<<<<<<< HEAD\n", "while scanning a simple key, could not find expected ':'"),
        ("more: 'text\n", "while scanning a quoted scalar, found unexpected end of stream"),
    ],
)
def test_what_breaks_the_file_at_its_end_is_one_sentence(folder, added, sentence):
    with pytest.raises(ValueError) as caught:
        load_text(TEXT + added)
    address, _, told = str(caught.value).partition(": not YAML: ")
    assert address.startswith("params.yaml: line ")
    assert told == sentence


def test_lists_that_unfold_to_gigabytes_are_refused_at_once(folder):
    lists = ["&a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lists += [f"&a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 12)]
    with pytest.raises(ValueError, match=r"^params.yaml: line \d+, column \d+: not YAML: .* alias \*a0$"):
        load_text(TEXT.replace("title: SSD on drawn shapes", f"title: [{', '.join(lists)}]"))


@pytest.mark.parametrize("nested", ["[" * 5000, "[" * 5000 + "]" * 5000, "{a: " * 5000])
def test_lists_in_lists_without_end_are_one_sentence(folder, nested):
    with pytest.raises(ValueError) as caught:
        load_text(TEXT.replace("title: SSD on drawn shapes", f"title: {nested}"))
    assert str(caught.value) == "params.yaml: expected parameters, got lists or sections nested too deeply"


def test_half_a_character_is_no_text(folder):
    sentence = sentence_of("title: SSD on drawn shapes", 'title: "SSD \\ud800"')
    assert sentence == "params.yaml: report.title: expected text, got 'SSD \\ud800'"


def test_a_long_value_or_key_is_shown_in_part(folder):
    assert len(sentence_of("  epochs: 7", f"  epochs: {'x' * 10_000}")) < 300
    assert len(sentence_of("  epochs: 7", f"  epochs: 7\n  {'x' * 1000}: 1")) < 1000


def test_a_file_that_is_not_utf_8_is_named(folder):
    Path("params.yaml").write_bytes(TEXT.encode("utf-8").replace(b"drawn", b"gr\xf6\xdfer"))
    with pytest.raises(ValueError) as caught:
        load_params("params.yaml", Params)
    assert str(caught.value).startswith("params.yaml: expected UTF-8 text, got a byte that is not (")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(folder):
    with pytest.raises(ValueError) as caught:
        load_params("params.yaml", Params)
    assert str(caught.value) == "params.yaml: no such file; run from the project's folder"


@pytest.mark.parametrize("begin", ["\ufeff", "%YAML 1.2\n---\n", "\r\n"])
def test_a_file_from_another_editor_is_read_the_same(folder, begin):
    text = TEXT.replace("\n", "\r\n") if begin == "\r\n" else begin + TEXT
    assert load_text(text) == check_params(YAML(typ="safe").load(TEXT), "")


# Properties


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
@example(1e-05)
@example(5e-324)
@example(1e16)
@example(1e22)
def test_a_number_is_read_back_as_dvc_and_python_write_it(tmp_path_factory, number):
    for written in (
        as_dvc_writes({"lr_max": number}).strip(),
        f"lr_max: {number!r}",
        f"lr_max: {number:.17e}",
    ):
        path = write_aside(tmp_path_factory, TEXT.replace("lr_max: 0.03", written))
        assert load_params(path, Params).train.lr_max == number


@given(st.text(st.characters(exclude_categories=["C"])))
@example("yes")
@example("1e-05")
@example("1_000")
@example("=")
@example("2024-01-01")
def test_a_text_is_read_back_as_dvc_writes_it(tmp_path_factory, title):
    report = {"report": {"title": title, "photos": 12, "min_score": 0.4}}
    path = write_aside(tmp_path_factory, TEXT[: TEXT.index("report:\n")] + as_dvc_writes(report))
    assert load_params(path, Params).report.title == title


def write_aside(factory: pytest.TempPathFactory, text: str) -> Path:
    path = factory.getbasetemp() / "written.yaml"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    return path


def as_dvc_writes(tree: dict) -> str:
    """What `-S` makes of a parameter file: ruamel.yaml's round-trip writer in block style."""
    stream, writer = io.StringIO(), YAML()
    writer.default_flow_style = False
    writer.dump(tree, stream)
    return stream.getvalue()


def places(tree: object, path: tuple = ()) -> list[tuple]:
    """The path to every section, list and value of a tree."""
    found = [path] if path else []
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in entries:
        found += places(value, (*path, key))
    return found


PLACES = places(yaml.safe_load(TEXT))
STRANGE = st.sampled_from(
    [None, True, False, 0, 1, -1, 300, 10**400, 0.5, -0.5, 1e-05, 1e300, math.nan, math.inf, "", "abc", "1e-05",
     "a\nb", "größer", "0x1F", "sample", "coco", "drop", [], [1], [[]], [[2]], [None], {}, {"a": 1}, {"epochs": 1}]
)  # fmt: skip


@given(st.sampled_from(PLACES), st.sampled_from(["drop", "rename", "replace", "add"]), STRANGE)
def test_any_change_gives_parameters_or_one_sentence(tmp_path_factory, place, change, value):
    tree = copy.deepcopy(yaml.safe_load(TEXT))
    *above, key = place
    holder = tree
    for step in above:
        holder = holder[step]
    if change == "drop":
        del holder[key]
    elif change == "replace":
        holder[key] = value
    elif isinstance(holder, list):
        holder.insert(key, value)
    elif change == "rename":
        holder[f"{key}_"] = holder.pop(key)
    else:
        holder["another"] = value
    assert_parameters_or_one_sentence(write_aside(tmp_path_factory, as_dvc_writes(tree)))


SCALARS = STRANGE | st.integers() | st.floats() | st.text(max_size=8)
JUNK = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(
            st.text(max_size=8)
            | st.sampled_from([place[-1] for place in PLACES if isinstance(place[-1], str)]),
            below,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JUNK)
def test_any_tree_of_junk_is_refused_in_one_sentence(tree):
    with pytest.raises(ValueError) as caught:
        check_params(tree, "params.yaml")
    assert str(caught.value).startswith("params.yaml: ")
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 1500


@given(st.sampled_from(PLACES), JUNK)
def test_junk_in_any_place_gives_parameters_or_one_sentence(place, junk):
    tree = copy.deepcopy(yaml.safe_load(TEXT))
    holder = tree
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = junk
    try:
        params = check_params(tree, "params.yaml")
    except ValueError as error:
        assert str(error).startswith("params.yaml: ")
        assert len(str(error).splitlines()) == 1
    else:
        assert isinstance(params, Params)


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_file_is_refused_in_one_sentence(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    with pytest.raises(ValueError) as caught:
        load_params(path, Params)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


@given(st.integers(0, len(TEXT)), st.text(max_size=5), st.integers(0, 20))
def test_any_edit_of_the_text_gives_parameters_or_one_sentence(tmp_path_factory, start, inserted, cut):
    text = TEXT[:start] + inserted + TEXT[start + cut :]
    assert_parameters_or_one_sentence(write_aside(tmp_path_factory, text))


def assert_parameters_or_one_sentence(path: Path) -> None:
    try:
        params = load_params(path, Params)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ")
        assert len(str(error).splitlines()) == 1
    else:
        assert isinstance(params.train, Train)
        assert isinstance(params.anchors, Anchors)
        assert isinstance(params.targets, Targets)
