"""One safetensors file that carries all that detection needs: weights, anchors, and a description in JSON."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mindspore as ms
import mindspore.nn as nn
import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from ssd.config import Anchors, Model, from_tree
from ssd.files import write_bytes
from ssd.geometry.anchors import anchors_per_cell
from ssd.model.detector import SSD

FORMAT = 1
ANCHORS = "anchors"


@dataclass(frozen=True)
class Description:
    """What a checkpoint says of itself.

    Attributes:
        model: the network's parameters.
        anchors: the recipe of the anchors.
        variances: divisors of encoded centres and sizes.
        class_names, category_ids: of labels 1, 2, … in this order.
    """

    model: Model
    anchors: Anchors
    variances: tuple[float, float]
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]


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
        """Make sure that the checkpoint was trained on these classes.

        Args:
            categories: of a COCO file, in the order of the labels.

        Raises:
            ValueError: other ids or names.
        """
        trained = list(zip(self.description.category_ids, self.description.class_names, strict=True))
        given = [(category["id"], category["name"]) for category in categories]
        if trained != given:
            raise ValueError(
                f"{self.path}: expected the data's {len(given)} classes ({_listed(given)}), "
                f"got a checkpoint of {len(trained)} ({_listed(trained)})"
            )


def build_network(description: Description) -> SSD:
    """The network that a description speaks of, with MindSpore's own first weights."""
    model = description.model
    return SSD(
        len(description.class_names),
        anchors_per_cell(description.anchors.ratios),
        model.width,
        model.batch_norm,
        model.heads,
    )


def save_checkpoint(path: Path, net: nn.Cell, anchors: np.ndarray, description: Description) -> None:
    """Write a checkpoint; the same contents give the same bytes, and an old file stays until the new one is whole."""
    tensors = {parameter.name: parameter.asnumpy() for parameter in net.get_parameters()}
    tensors[ANCHORS] = anchors
    # One key only: safetensors writes several in an order that changes from run to run.
    told = json.dumps({"format": FORMAT, **dataclasses.asdict(description)})
    write_bytes(path, safetensors.numpy.save(tensors, metadata={"ssd": told}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ValueError: no such file, damaged, or not one of ours.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise ValueError(f"{path}: no such checkpoint; run the train stage first") from None
    except SafetensorError as error:
        raise ValueError(
            f"{path}: expected a safetensors file, got a damaged or another one ({error})"
        ) from None
    if "ssd" not in metadata or ANCHORS not in weights:
        raise ValueError(f"{path}: expected a checkpoint of this project, got another safetensors file")
    told = json.loads(metadata["ssd"])
    if told.pop("format", None) != FORMAT:
        raise ValueError(f"{path}: expected a checkpoint of format {FORMAT}, got another; train again")
    return Checkpoint(path, from_tree(Description, told, f"{path}"), weights.pop(ANCHORS), weights)


def load_network(checkpoint: Checkpoint) -> SSD:
    """The trained network of a checkpoint, not compiled yet.

    Raises:
        ValueError: the weights are not those of the described network; says which are missing, extra or misshapen.
    """
    net = build_network(checkpoint.description)
    expected = {parameter.name: parameter for parameter in net.get_parameters()}
    weights = checkpoint.weights
    faults = {
        "missing": sorted(expected.keys() - weights.keys()),
        "extra": sorted(weights.keys() - expected.keys()),
        "misshapen": sorted(
            f"{name} {weights[name].shape}, expected {expected[name].shape}"
            for name in expected.keys() & weights.keys()
            if weights[name].shape != expected[name].shape
        ),
    }
    if any(faults.values()):
        told = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in faults.items() if names)
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
        anchors = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; run the anchors stage first") from None
    except (ValueError, EOFError):
        raise ValueError(f"{path}: expected a NumPy array, got a damaged or another file") from None
    if anchors.ndim != 2 or anchors.shape[1] != 4 or anchors.dtype != np.float32:
        raise ValueError(f"{path}: expected [A, 4] float32, got {list(anchors.shape)} {anchors.dtype}")
    return anchors


def _listed(classes: list[tuple[int, str]]) -> str:
    names = [f"{name} {category_id}" for category_id, name in classes]
    return ", ".join(names[:5] + ["…"] * (len(names) > 5))
