"""What a training is made of, in one hash: only a training of the same ingredients may be gone on with."""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ssd.files import sha256
from ssd.runtime import threads

PACKAGES = ("mindspore", "numpy", "opencv-python-headless")
"""Whose versions decide what a training computes."""


def fingerprint(params: Any, inputs: Iterable[Path]) -> str:
    """The SHA-256 of parameters, input files, code and versions, in hexadecimal.

    The code is what is imported of `ssd` and `stages` when this is called.

    Args:
        params: a dataclass of parameters.
        inputs: files that the training reads.
    """
    code = {name: sha256(path) for name, path in _own_modules()}
    ingredients = {
        "params": dataclasses.asdict(params),
        "inputs": [sha256(path) for path in inputs],
        "code": code,
        "versions": versions(),
    }
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """The versions of `PACKAGES` that are installed."""
    return {name: version(name) for name in PACKAGES}


def made_by(processes: int) -> str:
    """What a training was made by: where one is another, the last digits may be.

    Versions, the widest instructions of this processor, and the threads of each of the processes.
    """
    show_config: Callable[..., Any] = np.show_config  # NumPy 1's types do not know its mode
    found = show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    widest = found[-1] if found else "no extension that NumPy knows"
    told = [f"{name} {of}" for name, of in versions().items()]
    return ", ".join([*told, f"processor with {widest}", f"processes {processes}", f"threads {threads()}"])


def _own_modules() -> list[tuple[str, Path]]:
    """Names and files of the imported modules of this project, the one that is run (`__main__`) among them."""
    own = []
    for module in sys.modules.values():
        spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
        if spec and file and spec.name.split(".")[0] in ("ssd", "stages"):
            own.append((spec.name, Path(file)))
    return own
