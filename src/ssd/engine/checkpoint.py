"""One safetensors file that carries all that detection needs: weights, anchors, and a description in JSON."""

import dataclasses
import hashlib
import json
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import mindspore as ms
import mindspore.nn as nn
import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from ssd.config import Anchors, Model, from_tree
from ssd.files import parse_json, write_bytes
from ssd.geometry.anchors import anchors_per_cell, make_anchors, map_sizes
from ssd.geometry.feature_maps import require_map_cells
from ssd.model.detector import SSD
from ssd.model.misfit import misfit

FORMAT = 4
ANCHORS = "anchors"
UNUSED = "N/A"
"""Name of a label that no object has, as of the ids that COCO leaves out; torchvision's detectors have ten."""


@dataclass(frozen=True)
class Description:
    """What a checkpoint says of itself.

    Attributes:
        model: the network's parameters.
        anchors: the recipe of the anchors.
        variances: divisors of encoded centres and sizes.
        class_names, category_ids: of labels 1, 2, … in this order; a name may be `UNUSED`.
        scores: how logits become scores.
    """

    model: Model
    anchors: Anchors
    variances: tuple[float, float]
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]
    scores: Literal["sigmoid", "softmax"]

    def __post_init__(self) -> None:
        if len(self.variances) != 2:
            raise ValueError(f"variances: expected 2, got {len(self.variances)}")
        if len(self.category_ids) != len(self.class_names):
            raise ValueError(
                f"category_ids: expected {len(self.class_names)}, one a class name, got {len(self.category_ids)}"
            )


@dataclass(frozen=True)
class Checkpoint:
    """A trained detector, as read from its file.

    Attributes:
        path: the file.
        description: its parameters and classes.
        anchors: [A, 4] float32 yxyx.
        weights: every parameter of the network by name, moving statistics too.
    """

    path: Path
    description: Description
    anchors: np.ndarray
    weights: dict[str, np.ndarray]

    def require_categories(self, categories: list[dict[str, Any]]) -> None:
        """Make sure that the checkpoint was trained on these classes, unused labels apart.

        Args:
            categories: of a COCO file, in the order of the labels.

        Raises:
            ValueError: other ids or names.
        """
        pairs = zip(self.description.category_ids, self.description.class_names, strict=True)
        trained = [(category_id, name) for category_id, name in pairs if name != UNUSED]
        given = [(category["id"], category["name"]) for category in categories]
        if trained != given:
            raise ValueError(
                f"{self.path}: expected the data's {len(given)} classes ({_listed(given)}), "
                f"got a checkpoint of {len(trained)} ({_listed(trained)})"
            )


def build_network(description: Description) -> SSD:
    """The network that a description speaks of, with MindSpore's own first weights.

    Raises:
        ValueError: its anchors lie on other feature maps than the network has.
    """
    model = description.model
    require_map_cells(model.input_size, description.anchors.steps)
    return SSD(
        model.input_size,
        len(description.class_names),
        anchors_per_cell(description.anchors.ratios),
        model.width,
        model.batch_norm,
        model.heads,
        model.l2_norm,
    )


def save_checkpoint(path: Path, net: nn.Cell, anchors: np.ndarray, description: Description) -> None:
    """Write a checkpoint; the same contents give the same bytes, and an old file stays until the new one is whole."""
    tensors = {parameter.name: parameter.asnumpy() for parameter in net.get_parameters()}
    tensors[ANCHORS] = anchors
    told = dataclasses.asdict(description)
    # One key only: safetensors writes several in an order that changes from run to run.
    metadata = {"ssd": json.dumps({"format": FORMAT, "sha256": digest(told, tensors), **told})}
    write_bytes(path, safetensors.numpy.save(tensors, metadata=metadata))


def digest(told: dict[str, Any], tensors: dict[str, np.ndarray]) -> str:
    """The SHA-256 of all that a checkpoint holds: of a flipped bit nobody else could tell that it is no weight.

    Args:
        told: the description as JSON has it.
        tensors: by name.
    """
    found = hashlib.sha256(json.dumps(told).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        found.update(np.ascontiguousarray(tensor).data)
    return found.hexdigest()


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ValueError: no such file, damaged, or not one of ours.
    """
    try:
        with safe_open(path, framework="np") as file:
            told, expected_digest = _read_told(path, (file.metadata() or {}).get("ssd"))
            description = from_tree(Description, told, f"{path}")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise ValueError(f"{path}: no such checkpoint; run the train stage first") from None
    except SafetensorError as error:
        raise ValueError(
            f"{path}: expected a safetensors file, got a damaged or another one ({error})"
        ) from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None
    for name, tensor in weights.items():
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            got = tensor.dtype if tensor.dtype != np.float32 else "NaN or infinity"
            raise ValueError(f"{path}: {name}: expected finite float32, got {got}")
    got = digest(told, weights)
    anchors = weights.pop(ANCHORS, np.zeros(0))
    expected = _number_of_anchors(description)
    if anchors.shape != (expected, 4):
        raise ValueError(f"{path}: {ANCHORS}: expected [{expected}, 4], got {list(anchors.shape)}")
    if got != expected_digest:
        raise ValueError(
            f"{path}: expected contents of sha256 {expected_digest}, got {got}: changed since they were written; "
            "train again"
        )
    return Checkpoint(path, description, anchors, weights)


def _read_told(path: Path, told: str | None) -> tuple[dict[str, Any], str]:
    """The description as JSON has it, and the digest."""
    if told is None:
        raise ValueError(f"{path}: expected a checkpoint of this project, got another safetensors file")
    tree = parse_json(told.encode(), f"{path}: description")
    if not isinstance(tree, dict) or tree.pop("format", None) != FORMAT:
        raise ValueError(f"{path}: expected a checkpoint of format {FORMAT}, got another; train again")
    expected = tree.pop("sha256", None)
    if not isinstance(expected, str):
        raise ValueError(f"{path}: sha256: expected text, got {expected!r:.200}")
    return tree, expected


def _number_of_anchors(description: Description) -> int:
    cells = map_sizes(description.model.input_size, description.anchors.steps)
    per_cell = anchors_per_cell(description.anchors.ratios)
    return sum(side * side * count for side, count in zip(cells, per_cell, strict=True))


def load_network(checkpoint: Checkpoint) -> SSD:
    """The trained network of a checkpoint, not compiled yet.

    Raises:
        ValueError: the weights are not those of the described network; says which are missing, extra or misshapen.
    """
    net = build_network(checkpoint.description)
    expected = {parameter.name: parameter for parameter in net.get_parameters()}
    weights = checkpoint.weights
    told = misfit(
        {name: parameter.shape for name, parameter in expected.items()},
        {name: weight.shape for name, weight in weights.items()},
    )
    if told:
        raise ValueError(f"{checkpoint.path}: the weights do not fit the network it describes: {told}")
    for name, parameter in expected.items():
        parameter.set_data(ms.Tensor(weights[name]))
    return net


def load_anchors(path: Path) -> np.ndarray:
    """The anchors that stage anchors wrote, [A, 4] float32 yxyx.

    Raises:
        ValueError: no such file, or not such an array.
    """
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
            data = file.read()
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; run the anchors stage first") from None
    except (
        ValueError,
        SyntaxError,
        TypeError,
        tokenize.TokenError,
    ):  # the latter three are of a damaged header
        raise ValueError(f"{path}: expected a NumPy array, got a damaged or another file") from None
    if len(shape) != 2 or shape[1] != 4 or dtype != np.float32 or fortran_order:
        raise ValueError(f"{path}: expected [A, 4] float32, got {list(shape)} {dtype}")
    if len(data) != shape[0] * 16:
        raise ValueError(f"{path}: expected {shape[0] * 16} bytes of {list(shape)} float32, got {len(data)}")
    return np.frombuffer(data, np.float32).reshape(shape)


def require_recipe(anchors: np.ndarray, recipe: Anchors, input_size: int, path: Path) -> None:
    """Make sure that the anchors read from `path` are those of the recipe.

    Raises:
        ValueError: they are others.
    """
    expected = make_anchors(
        input_size, recipe.steps, recipe.sizes, recipe.ratios, recipe.large_square, recipe.clip
    )
    if not np.array_equal(anchors, expected):
        raise ValueError(
            f"{path}: expected the {len(expected)} anchors of params.yaml, got {len(anchors)} others; "
            "run the anchors stage again"
        )


def _listed(classes: list[tuple[int, str]]) -> str:
    names = [f"{name} {category_id}" for category_id, name in classes]
    return ", ".join(names[:5] + ["…"] * (len(names) > 5))
