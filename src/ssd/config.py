"""params.yaml as frozen dataclasses, read strictly: what is not exactly right stops before any work.

Departures from PyYAML: floats follow YAML 1.2 (`1e-05`, which `dvc exp run -S` writes, is a number and not a
string), only `true` and `false` are booleans, and a key given twice is an error.
"""

import contextlib
import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import yaml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class AtLeast:
    """Bound of a number: value >= bound."""

    bound: float

    def holds(self, value: float) -> bool:
        """Whether `value` keeps the bound."""
        return value >= self.bound

    def __str__(self) -> str:
        return f">= {self.bound:g}"


@dataclass(frozen=True)
class AtMost:
    """Bound of a number: value <= bound."""

    bound: float

    def holds(self, value: float) -> bool:
        """Whether `value` keeps the bound."""
        return value <= self.bound

    def __str__(self) -> str:
        return f"<= {self.bound:g}"


@dataclass(frozen=True)
class Above:
    """Bound of a number: value > bound."""

    bound: float

    def holds(self, value: float) -> bool:
        """Whether `value` keeps the bound."""
        return value > self.bound

    def __str__(self) -> str:
        return f"> {self.bound:g}"


@dataclass(frozen=True)
class Below:
    """Bound of a number: value < bound."""

    bound: float

    def holds(self, value: float) -> bool:
        """Whether `value` keeps the bound."""
        return value < self.bound

    def __str__(self) -> str:
        return f"< {self.bound:g}"


@dataclass(frozen=True)
class MayBeEmpty:
    """Mark of a list that may have no items."""


Count = Annotated[int, AtLeast(0)]
Positive = Annotated[int, AtLeast(1)]
Fraction = Annotated[float, AtLeast(0), AtMost(1)]
NotNegative = Annotated[float, AtLeast(0)]
AboveZero = Annotated[float, Above(0)]
Repair = Literal["repair", "error"]
Drop = Literal["drop", "error"]

Input = Literal["imagenet_rgb", "caffe_bgr"]
"""What the network wants: RGB in ImageNet's mean and deviation, or BGR from 0 to 255 less the mean."""

Clip = Literal["none", "size", "centre_and_size"]
"""What of an anchor is held in [0, 1]."""


def _require_digest(key: str, value: str | None) -> None:
    if value is not None and not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError(f"{key}: expected 64 hexadecimal digits in lower case, got {value!r}")


@dataclass(frozen=True)
class Sample:
    """A drawn data set: how many pictures, from which seed."""

    train_images: Positive
    val_images: Positive
    seed: Count


@dataclass(frozen=True)
class Archive:
    """The tutorial's zip of MindRecord files; `sha256` may be empty, then the digest is printed."""

    url: str
    sha256: str | None

    def __post_init__(self) -> None:
        _require_digest("sha256", self.sha256)


@dataclass(frozen=True)
class Coco:
    """A COCO-format data set on this machine: directories or zips of images, annotation files or members of zips.

    Both of val may be empty: then a part of train is val.
    """

    train_images: str | None
    train_annotations: str | None
    val_images: str | None
    val_annotations: str | None


@dataclass(frozen=True)
class Voc:
    """Data in PASCAL VOC's form on this machine: folders or tars, and which image sets make train and val.

    A set is named by its folder and itself: 2007/trainval is ImageSets/Main/trainval.txt of VOC2007. `val_sets` may be
    empty: then a part of train is val. `difficult` says whether objects marked difficult are trained on; evaluation
    never counts them.
    """

    devkits: tuple[str, ...]
    train_sets: tuple[str, ...]
    val_sets: Annotated[tuple[str, ...], MayBeEmpty()]
    difficult: Literal["train", "ignore"]

    def __post_init__(self) -> None:
        for key in ("train_sets", "val_sets"):
            for index, name in enumerate(getattr(self, key)):
                if not re.fullmatch(r"[^/]+/[^/]+", name):
                    raise ValueError(
                        f"{key}[{index}]: expected a folder and a set, such as 2007/trainval, got {name!r}"
                    )


@dataclass(frozen=True)
class Dataset:
    """Where the data comes from; only the section that `source` names is used.

    `val_fraction`: of train's photos, the share that is val where coco or voc names no val.
    """

    source: Literal["sample", "archive", "coco", "voc"]
    val_fraction: Annotated[float, Above(0), Below(1)]
    sample: Sample
    archive: Archive
    coco: Coco
    voc: Voc

    def __post_init__(self) -> None:
        if self.source == "coco":
            train_alone = self.coco.val_images is None and self.coco.val_annotations is None
            asked = ("train_images", "train_annotations") if train_alone else tuple(vars(self.coco))
            empty = [name for name in asked if getattr(self.coco, name) is None]
            if empty:
                raise ValueError(f"coco.{empty[0]}: expected a path, because source is coco; got nothing")


@dataclass(frozen=True)
class Mindrecord:
    """Rules for annotations that are not as they should be: `repair`, `drop` or `error`, always counted."""

    box_beyond_image: Repair
    box_without_area: Drop
    unknown_category: Drop
    unreadable_image: Drop
    images_per_file: Positive


@dataclass(frozen=True)
class Anchors:
    """The default boxes, by value: one step and one list of ratios a feature map, one size more than maps.

    `steps` are pixels of the network's input, `sizes` fractions of it.
    """

    steps: tuple[Annotated[float, AtLeast(1)], ...]
    sizes: tuple[Annotated[float, Above(0), AtMost(2)], ...]
    ratios: tuple[tuple[Annotated[float, Above(0), AtMost(100)], ...], ...]
    large_square: Literal["second", "last"]
    clip: Clip

    def __post_init__(self) -> None:
        maps = len(self.steps)
        if len(self.ratios) != maps:
            raise ValueError(f"ratios: expected {maps} lists, one a step, got {len(self.ratios)}")
        if len(self.sizes) != maps + 1:
            raise ValueError(f"sizes: expected {maps + 1} values, one more than steps, got {len(self.sizes)}")


@dataclass(frozen=True)
class Targets:
    """How ground truth becomes what the network is trained towards."""

    iou_threshold: Annotated[float, Above(0), AtMost(1)]
    variance_centre: AboveZero
    variance_size: AboveZero

    @property
    def variances(self) -> tuple[float, float]:
        """The divisors of encoded centres and sizes."""
        return self.variance_centre, self.variance_size


@dataclass(frozen=True)
class Model:
    """The network: SSD300 or SSD512 on VGG16, its channels scaled by `width`, and the images that it wants.

    `dropout` is the probability that training drops a value of fc6 and of fc7. `l2_norm`: of conv4_3 before its heads.
    `input`: imagenet_rgb is RGB in ImageNet's mean and deviation, caffe_bgr is BGR from 0 to 255 less its mean.
    `pretrained`: a file of VGG16's weights that the backbone starts from; its digest may be empty, then it is printed.
    """

    input_size: Literal[300, 512]
    width: Annotated[float, Above(0), AtMost(4)]
    batch_norm: bool
    heads: Literal["separable", "conv"]
    dropout: Annotated[float, AtLeast(0), Below(1)]
    l2_norm: bool
    input: Input
    pretrained: str | None
    pretrained_sha256: str | None

    def __post_init__(self) -> None:
        _require_digest("pretrained_sha256", self.pretrained_sha256)
        if self.pretrained is not None and (self.batch_norm or self.width != 1):
            raise ValueError(
                "pretrained: expected width 1.0 and batch_norm false, because VGG16's weights are of that width and "
                f"have biases where batch norm has none; got width {self.width:g} and batch_norm "
                f"{str(self.batch_norm).lower()}"
            )


@dataclass(frozen=True)
class Loss:
    """The loss on the classes, by kind, and the weight of the box loss beside it.

    focal: element-wise sigmoid focal loss (Lin et al. 2017). softmax: cross-entropy over positives and the hardest
    negatives (Liu et al. 2016). `class_prior` is each class' probability at the start; 0.5 means biases of 0.
    """

    kind: Literal["focal", "softmax"]
    focal_alpha: Fraction
    focal_gamma: NotNegative
    negatives_per_positive: AboveZero
    class_prior: Annotated[float, Above(0), AtMost(0.5)]
    box_weight: NotNegative

    @property
    def scores(self) -> Literal["sigmoid", "softmax"]:
        """How a network trained with this loss turns logits into scores."""
        return "softmax" if self.kind == "softmax" else "sigmoid"


@dataclass(frozen=True)
class Augment:
    """The random changes to a training image: a policy, and the chances and ranges of its steps.

    tutorial: MindSpore's chain; ssd: that of SSD's Caffe code; none: the image as evaluation sees it. Chances:
    `crop`, `mirror`, `colour`, `shuffle_channels`, `expand`. `colour` is that of the tutorial's one step, and of each
    of the four changes of ssd. `brightness`, `contrast` and `saturation` are x of a factor from [1 - x, 1 + x]. Only
    the tutorial uses `brightness`, only ssd what follows `interpolation`: `brightness_shift` in levels of 255, `hue`
    in OpenCV's half degrees, `expand_max` in sides of the image.
    """

    policy: Literal["tutorial", "ssd", "none"]
    crop: Fraction
    mirror: Fraction
    colour: Fraction
    brightness: Fraction
    contrast: Fraction
    saturation: Fraction
    interpolation: Literal["linear", "random"]
    brightness_shift: Annotated[float, AtLeast(0), AtMost(255)]
    hue: Annotated[float, AtLeast(0), AtMost(90)]
    shuffle_channels: Fraction
    expand: Fraction
    expand_max: Annotated[float, AtLeast(1), AtMost(10)]


@dataclass(frozen=True)
class Train:
    """Optimisation: the optimizer, and its rate: a linear warm-up to `lr_max`, then a cosine or steps.

    cosine: down to `lr_end`. steps: times `lr_factor` after each of `milestones`, in epochs. `momentum` is Adam's
    beta 1 where the optimizer is adam. `bias_lr_factor` multiplies the rate of biases. `clip_norm`: a gradient
    whose norm over all weights is larger is scaled down to it; may be empty. `freeze`: so many of VGG16's blocks,
    the first, keep their weights, after they have learnt for `freeze_after_epochs`. `checkpoint_every`: steps
    between two states that an interrupted run goes on from. `processes` share every batch among them.
    """

    seed: Count
    epochs: Positive
    batch_size: Positive
    optimizer: Literal["momentum", "adam"]
    schedule: Literal["cosine", "steps"]
    lr_start: NotNegative
    lr_max: AboveZero
    lr_end: NotNegative
    lr_factor: Annotated[float, Above(0), Below(1)]
    milestones: Annotated[tuple[Positive, ...], MayBeEmpty()]
    warmup_epochs: NotNegative
    momentum: Annotated[float, AtLeast(0), Below(1)]
    weight_decay: NotNegative
    bias_lr_factor: AboveZero
    clip_norm: Annotated[float | None, Above(0)]
    freeze: Annotated[int, AtLeast(0), AtMost(5)]
    freeze_after_epochs: NotNegative
    workers: Positive
    processes: Positive
    checkpoint_every: Positive

    def __post_init__(self) -> None:
        if self.batch_size % self.processes:
            raise ValueError(
                f"batch_size: expected a multiple of processes ({self.processes}), got {self.batch_size}"
            )
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs: expected at most epochs ({self.epochs}), got {self.warmup_epochs:g}"
            )
        if self.schedule == "steps":
            given = list(self.milestones)
            if not given or given != sorted(set(given)) or given[-1] >= self.epochs:
                raise ValueError(
                    f"milestones: expected ascending epochs below epochs ({self.epochs}), because schedule is steps; "
                    f"got {given}"
                )


@dataclass(frozen=True)
class Evaluate:
    """From the network's outputs to detections; `clip`: boxes are cut at the border of the image, before NMS."""

    batch_size: Positive
    min_score: Fraction
    candidates_per_class: Positive
    clip: bool
    nms_iou: Fraction
    detections_per_image: Positive


@dataclass(frozen=True)
class Report:
    """What the page shows."""

    title: str
    photos: Positive
    min_score: Fraction


@dataclass(frozen=True)
class Params:
    """All of params.yaml."""

    dataset: Dataset
    mindrecord: Mindrecord
    anchors: Anchors
    targets: Targets
    model: Model
    loss: Loss
    augment: Augment
    train: Train
    evaluate: Evaluate
    report: Report

    def __post_init__(self) -> None:
        train = self.train
        if train.batch_size == train.processes and self.model.heads == "separable":
            a_process = " a process" if train.processes > 1 else ""
            raise ValueError(
                f"train.batch_size: expected at least 2{a_process} with separable heads: their batch norm would see "
                f"a single cell of the smallest map; got {train.batch_size}"
            )
        if train.freeze and not train.freeze_after_epochs and self.model.batch_norm:
            raise ValueError(
                "train.freeze: expected 0 with model.batch_norm, whose statistics are to be found first, or "
                f"train.freeze_after_epochs above 0; got {train.freeze}"
            )


Sections = TypeVar("Sections", bound="DataclassInstance")


def load_params(path: str | Path, sections: type[Sections]) -> Sections:
    """The declared sections of a parameter file, after all of it was checked.

    Args:
        path: the YAML file.
        sections: a dataclass whose fields are some of the fields of `Params`: what a stage declares in
            dvc.yaml. The others are checked too, and not handed out.

    Raises:
        ValueError: one sentence with the file, the key, what was expected and what was found.
    """
    params = check_params(_read_yaml(Path(path)), str(path))
    return sections(**{field.name: getattr(params, field.name) for field in dataclasses.fields(sections)})


def check_params(tree: Any, address: str) -> Params:
    """`tree`, as read from YAML, as `Params`; errors begin with `address`."""
    return from_tree(Params, tree, address)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's scalars, no other types, no key twice, and no aliases: a few lines of them unfold to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node, which is no alias."""
        event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs leave it out
        if isinstance(event, yaml.AliasEvent) and event.anchor in self.anchors:
            told = f"expected the value itself, got the alias *{event.anchor}"
            raise yaml.composer.ComposerError(
                None,
                None,
                told,
                event.start_mark,  # type: ignore[arg-type] # the stubs also know libyaml's, which is alike
            )
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] == "tag:yaml.org,2002:null"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first))


def _scalar(wanted: str, read: Callable[[str], Any]) -> Callable[[_Loader, yaml.ScalarNode], Any]:
    def construct(loader: _Loader, node: yaml.ScalarNode) -> Any:
        text = loader.construct_scalar(node)
        try:
            return read(text)
        except (KeyError, ValueError):  # `!!int abc`, or more digits than Python reads
            raise yaml.constructor.ConstructorError(
                None, None, f"expected {wanted}, got {text!r:.60}", node.start_mark
            ) from None

    return construct


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(
                None, None, f"expected a name as key, got {key!r}", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key} is given twice", key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.yaml_constructors = {None: yaml.SafeLoader.construct_undefined}
for _tag, _construct in (
    ("null", yaml.SafeLoader.construct_yaml_null),
    ("bool", _scalar("true or false", lambda text: {"true": True, "false": False}[text.lower()])),
    ("int", _scalar("a whole number", int)),
    ("float", _scalar("a number", lambda text: float(text.lower().replace(".i", "i").replace(".n", "n")))),
    ("str", yaml.SafeLoader.construct_yaml_str),
    ("seq", yaml.SafeLoader.construct_yaml_seq),
    ("map", _construct_mapping),
):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _construct)


def _read_yaml(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; run from the project's folder") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected UTF-8 text, got a byte that is not ({error.reason} at {error.start})"
        ) from None
    try:
        return yaml.load(text, _Loader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ValueError(f"{path}: line {line}: not YAML: {error.reason} (U+{error.character:04X})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        assert mark is not None  # of a text every error has one
        where = f"line {mark.line + 1}, column {mark.column + 1}"
        told = ", ".join(part for part in (error.context, error.problem) if part)
        raise ValueError(f"{path}: {where}: not YAML: {told}") from None
    except RecursionError:
        raise ValueError(f"{path}: expected parameters, got lists or sections nested too deeply") from None


def from_tree(kind: Any, value: Any, address: str) -> Any:
    """`value` as `kind`, or a ValueError that begins with `address`."""
    if dataclasses.is_dataclass(kind):
        return _build_section(kind, value, address)
    may_be_empty = typing.get_origin(kind) is Annotated and MayBeEmpty() in kind.__metadata__
    if may_be_empty:
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list) or not (value or may_be_empty):
            not_empty = " that is not empty" if value == [] else ""
            raise ValueError(f"{address}: expected a list{not_empty}, got {_shown(value)}")
        element = typing.get_args(kind)[0]
        return tuple(from_tree(element, item, f"{address}[{index}]") for index, item in enumerate(value))
    return _build_scalar(kind, value, address)


def _build_section(kind: Any, value: Any, address: str) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    if not isinstance(value, dict):
        raise ValueError(
            f"{address}: expected a section with the keys {', '.join(hints)}; got {_shown(value)}"
        )
    for key in value:
        if key not in hints:
            unknown = f"{key if key.isprintable() else repr(key):.200}"
            raise ValueError(f"{address}: unknown key {unknown}; known: {', '.join(sorted(hints))}")
    missing = [key for key in hints if key not in value]
    if missing:
        raise ValueError(f"{address}: missing key {missing[0]}; expected: {', '.join(sorted(hints))}")
    separator = ": " if kind is Params or ": " not in address else "."
    fields = {key: from_tree(hint, value[key], f"{address}{separator}{key}") for key, hint in hints.items()}
    try:
        return kind(**fields)
    except ValueError as error:
        raise ValueError(f"{address}{separator}{error}") from None


def _build_scalar(kind: Any, value: Any, address: str) -> Any:
    base, *bounds = typing.get_args(kind) if typing.get_origin(kind) is Annotated else (kind,)
    if typing.get_origin(base) is Literal:
        choices = typing.get_args(base)
        if (type(value), value) not in [(type(choice), choice) for choice in choices]:
            raise ValueError(
                f"{address}: expected {' or '.join(str(choice) for choice in choices)}, got {_shown(value)}"
            )
        return value
    if typing.get_origin(base) in (typing.Union, types.UnionType):
        if value is None:
            return None
        (base,) = (option for option in typing.get_args(base) if option is not type(None))
    if base is float and type(value) is int:
        with contextlib.suppress(OverflowError):
            value = float(value)
    fits = type(value) is base and (base is not float or math.isfinite(value))
    if base is str and fits:
        fits = not re.search("[\ud800-\udfff]", value)  # halves of characters, which no file can hold
    if not fits or not all(bound.holds(value) for bound in bounds):
        wanted = (
            " and ".join([_NAMES[base], *map(str, bounds)])
            if not bounds
            else f"{_NAMES[base]} {' and '.join(map(str, bounds))}"
        )
        raise ValueError(f"{address}: expected {wanted}, got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"{value!r:.200}"


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
