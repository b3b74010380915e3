"""The tensors of a file of weights, by name, whatever library wrote it.

A `.ckpt` is read as the protocol buffer that it is and every length is held against its shape: MindSpore's own loader
copies a tensor without looking, and a damaged file can crash it. A `.pth` is read with torch's `weights_only`, which
runs no code of the file.
"""

import importlib
import math
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import safetensors.numpy
from google.protobuf.message import DecodeError
from mindspore.train.checkpoint_pb2 import Checkpoint
from safetensors import SafetensorError

Tensors = dict[str, np.ndarray]

# MindSpore's names of the types that weights have.
CKPT_TYPES = {"Float16": np.float16, "Float32": np.float32, "Float64": np.float64, "Int32": np.int32}


def read_tensors(path: Path) -> Tensors:
    """Every tensor of a file by its name there; groups of an `.h5` joined by slashes.

    Args:
        path: `.safetensors`, `.npz`, `.ckpt` (MindSpore), `.pth` or `.pt` (torch), `.h5` (Keras).

    Raises:
        ValueError: no such file, an unknown ending, a damaged file, or a library that is not installed.
    """
    read = READERS.get(path.suffix)
    if read is None:
        raise ValueError(f"{path}: expected a file that ends in {', '.join(READERS)}, got {path.suffix!r}")
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    tensors = read(path)
    if not tensors:
        raise ValueError(f"{path}: expected tensors, got a file without any")
    for name, tensor in tensors.items():
        if tensor.dtype.kind in "OSU":
            raise ValueError(f"{path}: {name}: expected numbers, got {tensor.dtype}")
    return tensors


def _read_safetensors(path: Path) -> Tensors:
    try:
        return safetensors.numpy.load_file(path)
    except (SafetensorError, AttributeError, KeyError) as error:  # the latter: a type that NumPy has not
        raise _damaged(path, "a safetensors file", error) from None


def _read_npz(path: Path) -> Tensors:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (
        ValueError,
        AttributeError,  # a bare .npy, which is no context: so Python 3.10 says
        TypeError,  # and so do later ones
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise _damaged(path, "NumPy arrays", error) from None


def _read_ckpt(path: Path) -> Tensors:
    checkpoint = Checkpoint()
    try:
        checkpoint.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise _damaged(path, "a MindSpore checkpoint", error) from None
    contents: dict[str, bytes] = {}
    for entry in checkpoint.value:  # a large tensor comes in slices
        contents[entry.tag] = contents.get(entry.tag, b"") + entry.tensor.tensor_content
    tensors = {}
    for entry in checkpoint.value:
        kind, shape = CKPT_TYPES.get(entry.tensor.tensor_type), tuple(entry.tensor.dims)
        content = contents[entry.tag]
        if kind is None:
            raise ValueError(f"{path}: {entry.tag}: expected numbers, got {entry.tensor.tensor_type}")
        if min(shape, default=0) < 0 or len(content) != math.prod(shape) * np.dtype(kind).itemsize:
            raise ValueError(f"{path}: {entry.tag}: expected the bytes of {shape}, got {len(content)}")
        tensors[entry.tag] = np.frombuffer(content, kind).reshape(shape)
    return tensors


def _read_pth(path: Path) -> Tensors:
    torch = _import("torch", path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise _damaged(path, "a state dict of torch", error) from None
    if not isinstance(state, dict) or not all(isinstance(each, torch.Tensor) for each in state.values()):
        raise ValueError(f"{path}: expected a state dict of torch, tensors by name, got something else")
    return {name: tensor.float().numpy() for name, tensor in state.items()}


def _read_h5(path: Path) -> Tensors:
    h5py = _import("h5py", path)
    tensors = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            tensors[name] = np.asarray(item)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(keep)
    except (OSError, RuntimeError, KeyError) as error:
        raise _damaged(path, "an HDF5 file", error) from None
    return tensors


READERS: dict[str, Callable[[Path], Tensors]] = {
    ".safetensors": _read_safetensors,
    ".npz": _read_npz,
    ".ckpt": _read_ckpt,
    ".pth": _read_pth,
    ".pt": _read_pth,
    ".h5": _read_h5,
}


def _import(library: str, path: Path) -> ModuleType:
    """A library that only reading such files needs."""
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError:
        raise ValueError(
            f"{path}: reading {path.suffix} needs {library}, which is not installed; "
            "run: pip install -e '.[convert]'"
        ) from None


def _damaged(path: Path, expected: str, error: Exception) -> ValueError:
    told = str(error).strip().splitlines() or [type(error).__name__]
    return ValueError(f"{path}: expected {expected}, got a damaged or another file ({told[0]:.120})")
