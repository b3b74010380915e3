"""The state of a training that was stopped: all that the steps to come depend on, in files that are whole or not there.

A file's name says its step and the first digits of its SHA-256, so that damage is seen when it is read; the two latest
are kept, so that there is one to fall back to.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from ssd.engine.history import EpochLosses
from ssd.files import sha256, write_bytes
from ssd.telling import LOG

KEPT = 2
DIGITS = 16
_PATTERN = "step-*.safetensors"


@dataclass(frozen=True)
class State:
    """A training after some of its steps.

    Attributes:
        step: how many were taken.
        history: the losses of the epochs that are over.
        losses: total, box part and class part of each step of the epoch that is not.
        tensors: weights, moving statistics, and what the optimizer remembers, by name.
    """

    step: int
    history: tuple[EpochLosses, ...]
    losses: tuple[tuple[float, float, float], ...]
    tensors: dict[str, np.ndarray]


def save_state(folder: Path, state: State) -> None:
    """Write a state into `folder`, and remove all older ones but the one before.

    Raises:
        OSError: it cannot be written; the older ones are untouched.
    """
    told = json.dumps(
        {
            "step": state.step,
            "history": [dataclasses.asdict(each) for each in state.history],
            "losses": state.losses,
        }
    )
    # One key only: safetensors writes several in an order that changes from run to run.
    data = safetensors.numpy.save(state.tensors, metadata={"state": told})
    digest = hashlib.sha256(data).hexdigest()[:DIGITS]
    older = _files(folder)
    for path in folder.glob(f"{_PATTERN}.new"):  # of a process that was killed; takes room
        path.unlink()
    write_bytes(folder / f"step-{state.step:09d}-{digest}.safetensors", data)
    for path in older[: len(older) + 1 - KEPT]:
        path.unlink(missing_ok=True)


def load_state(folder: Path) -> State | None:
    """The latest state in `folder` that is whole; None where there is none. A damaged one is told of."""
    for path in reversed(_files(folder)):
        if sha256(path)[:DIGITS] == path.stem.rpartition("-")[2]:
            return _read(path)
        LOG.warning("%s: damaged; going back to the state before it", path)
    return None


def remove_states(folder: Path) -> None:
    """Remove every state in `folder`, and what was left half written."""
    for path in folder.glob("step-*"):
        path.unlink(missing_ok=True)


def _files(folder: Path) -> list[Path]:
    """The files of states, the earliest first."""
    return sorted(folder.glob(_PATTERN))


def _read(path: Path) -> State:
    """The state in a file whose checksum was found to be right."""
    data = path.read_bytes()
    header: dict[str, Any] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    told = json.loads(header["__metadata__"]["state"])
    return State(
        told["step"],
        tuple(EpochLosses(**each) for each in told["history"]),
        tuple((total, box, classes) for total, box, classes in told["losses"]),
        safetensors.numpy.load(data),
    )
