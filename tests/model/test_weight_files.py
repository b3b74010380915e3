"""Files of tensors, whole, damaged and of other kinds."""

import importlib.util
import json
import struct
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
import safetensors.numpy
from mindspore import Tensor
from mindspore.train.checkpoint_pb2 import Checkpoint

from ssd.model.weight_files import read_tensors

TENSORS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a.bias": np.array([7.5, -1], np.float32),
}


def write_safetensors(path: Path) -> None:
    safetensors.numpy.save_file(TENSORS, path)


def write_npz(path: Path) -> None:
    np.savez(path, **TENSORS)


def write_ckpt(path: Path) -> None:
    ms.save_checkpoint([{"name": name, "data": Tensor(each)} for name, each in TENSORS.items()], str(path))
    path.chmod(0o600)


def write_pth(path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.save({name: torch.from_numpy(each) for name, each in TENSORS.items()}, path)


def write_h5(path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(path, "w") as file:
        for name, each in TENSORS.items():
            file[name] = each


WRITERS = {
    ".safetensors": write_safetensors,
    ".npz": write_npz,
    ".ckpt": write_ckpt,
    ".pth": write_pth,
    ".h5": write_h5,
}
every_format = pytest.mark.parametrize(("ending", "write"), WRITERS.items(), ids=WRITERS)


@every_format
def test_what_was_written_comes_back(tmp_path: Path, ending: str, write: Callable[[Path], None]) -> None:
    path = tmp_path / f"weights{ending}"
    write(path)
    found = read_tensors(path)
    assert found.keys() == TENSORS.keys()
    for name, each in TENSORS.items():
        np.testing.assert_array_equal(found[name], each)
        assert found[name].dtype == np.float32


@every_format
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_one_sentence(
    tmp_path: Path, ending: str, write: Callable[[Path], None], share: float
) -> None:
    path = tmp_path / f"weights{ending}"
    write(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"weights.*: expected .*, got ") as raised:
        read_tensors(path)
    assert "\n" not in str(raised.value)


@every_format
@pytest.mark.parametrize("content", [b"hello\n", b"\xff" * 999, b"\x00" * 999, b"PK\x03\x04" * 99])
def test_a_file_of_another_kind_is_one_sentence(
    tmp_path: Path, ending: str, write: Callable[[Path], None], content: bytes
) -> None:
    write(tmp_path / f"other{ending}")  # skips where the library is missing
    path = tmp_path / f"weights{ending}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"expected .*, got ") as raised:
        read_tensors(path)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.npz: no such file$"):
        read_tensors(tmp_path / "none.npz")


@pytest.mark.parametrize("name", ["weights.onnx", "weights"])
def test_an_unknown_ending_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"expected a file that ends in \.safetensors, \.npz, .*got '(\.onnx)?'$"
    ):
        read_tensors(Path(name))


@pytest.mark.parametrize(("ending", "library"), [(".pth", "torch"), (".pt", "torch"), (".h5", "h5py")])
def test_a_library_that_is_not_installed_is_named_with_how_to_install_it(
    tmp_path: Path, ending: str, library: str
) -> None:
    if importlib.util.find_spec(library):
        pytest.skip(f"{library} is installed")
    path = tmp_path / f"weights{ending}"
    path.touch()
    with pytest.raises(ValueError) as raised:
        read_tensors(path)
    assert str(raised.value) == (
        f"{path}: reading {ending} needs {library}, which is not installed; run: pip install -e '.[convert]'"
    )


@pytest.mark.parametrize("dims", [(2, 4), (2, 2), (-1, -5), (2**40, 2**40), ()])
def test_a_ckpt_whose_content_has_not_the_length_of_its_shape_is_refused(
    tmp_path: Path, dims: tuple[int, ...]
) -> None:
    checkpoint = Checkpoint()
    entry = checkpoint.value.add()
    entry.tag, entry.tensor.tensor_type = "a.weight", "Float32"
    entry.tensor.dims.extend(dims)
    entry.tensor.tensor_content = struct.pack("<5f", *range(5))
    path = tmp_path / "weights.ckpt"
    path.write_bytes(checkpoint.SerializeToString())
    with pytest.raises(ValueError, match=r"a\.weight: expected the bytes of \(.*\), got 20"):
        read_tensors(path)


def test_slices_of_a_large_tensor_in_a_ckpt_are_put_together(tmp_path: Path) -> None:
    checkpoint = Checkpoint()
    content = TENSORS["a.weight"].tobytes()
    for part in (content[:8], content[8:]):
        entry = checkpoint.value.add()
        entry.tag, entry.tensor.tensor_type, entry.tensor.tensor_content = "a.weight", "Float32", part
        entry.tensor.dims.extend((2, 3))
    path = tmp_path / "weights.ckpt"
    path.write_bytes(checkpoint.SerializeToString())
    np.testing.assert_array_equal(read_tensors(path)["a.weight"], TENSORS["a.weight"])


def test_a_type_that_numpy_has_not_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    header = json.dumps({"a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(2))
    with pytest.raises(ValueError, match="expected a safetensors file, got a damaged or another file"):
        read_tensors(path)


def test_text_among_the_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, a=np.array(["text"]))
    with pytest.raises(ValueError, match=r"weights\.npz: a: expected numbers, got <U4"):
        read_tensors(path)


def test_one_array_is_not_arrays_by_name(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    with path.open("wb") as file:
        np.save(file, TENSORS["a.bias"])
    with pytest.raises(ValueError, match="expected NumPy arrays, got a damaged or another file"):
        read_tensors(path)


@pytest.mark.parametrize("what", ["list", "nested", "code"])
def test_a_pth_of_something_else_is_refused_and_runs_no_code(tmp_path: Path, what: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    zeros, path, trace = torch.zeros(3), tmp_path / "weights.pth", tmp_path / "ran"
    torch.save({"list": [zeros], "nested": {"model": {"a": zeros}}, "code": {"a": Code(trace)}}[what], path)
    with pytest.raises(ValueError, match="expected a state dict of torch"):
        read_tensors(path)
    assert not trace.exists()


class Code:
    """What, unpickled as pickle does it, makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return Path.touch, (self.trace,)


def test_arrays_of_objects_are_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, a=np.array([{}], object))
    with pytest.raises(ValueError, match="expected NumPy arrays, got a damaged or another file"):
        read_tensors(path)
