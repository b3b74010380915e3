"""The formats of an export, and what each needs; without MindSpore, which takes seconds to import."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ssd.config import Evaluate

Format = Literal["onnx", "mindir"]

NEEDED: dict[Format, tuple[str, ...]] = {"onnx": ("onnx", "onnxruntime"), "mindir": ()}
"""Packages beyond the project's own, all of its extra `export`."""


@dataclass(frozen=True)
class Params:
    """What an export reads of params.yaml: by these rules both are measured, and a graph with NMS selects."""

    evaluate: Evaluate


def require_ready(out: Path, kind: Format) -> None:
    """Make sure, before anything is read, that the file can be written and what writes and checks it is there.

    Raises:
        ValueError: another suffix than the format's, or a package that is not installed.
    """
    if out.suffix != f".{kind}":
        raise ValueError(f"{out}: expected a name that ends in .{kind}, got {out.suffix!r}")
    missing = [name for name in NEEDED[kind] if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"export to {kind}: expected {' and '.join(NEEDED[kind])}, got no {missing[0]}: install the extra "
            "export, pip install -e '.[export]'"
        )
