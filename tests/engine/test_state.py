import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ssd.engine.history import EpochLosses
from ssd.engine.state import State, load_state, remove_states, save_state

STATE = State(
    step=7,
    history=(EpochLosses(1, 0.1, 1 / 3, 0.1 + 0.2, 1e-300),),
    losses=((0.7, 0.3, 0.4), (1 / 7, 0.0, 1 / 7)),
    tensors={"kernel": np.array([[1.5, -0.0]], np.float32), "global_step": np.array([7], np.int32)},
)


def at(step: int) -> State:
    return dataclasses.replace(STATE, step=step)


def require_same(one: State, other: State) -> None:
    assert dataclasses.replace(one, tensors={}) == dataclasses.replace(other, tensors={})
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        assert tensor.dtype == other.tensors[name].dtype and tensor.shape == other.tensors[name].shape
        assert tensor.tobytes() == other.tensors[name].tobytes()


def test_a_state_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    save_state(tmp_path, STATE)
    require_same(load_state(tmp_path), STATE)


def test_there_is_none_in_an_empty_folder_or_in_no_folder(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None
    assert load_state(tmp_path / "none") is None


def test_the_latest_counts_and_the_one_before_it_is_kept(tmp_path: Path) -> None:
    for step in (9, 10, 100, 1000):
        save_state(tmp_path, at(step))
    assert [path.name.split("-")[1] for path in sorted(tmp_path.iterdir())] == ["000000100", "000001000"]
    assert load_state(tmp_path).step == 1000


def test_the_same_state_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        save_state(tmp_path / name, STATE)
    (one,), (other,) = ((tmp_path / name).iterdir() for name in ("one", "other"))
    assert one.name == other.name and one.read_bytes() == other.read_bytes()


def damaged(data: bytes, how: str) -> bytes:
    middle = len(data) // 2
    return {
        "cut": data[:middle],
        "empty": b"",
        "longer": data + b"\0",
        "a flipped bit": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "a flipped bit of a weight": data[:-1] + bytes([data[-1] ^ 1]),
        "another file": b"{}",
    }[how]


@pytest.mark.parametrize(
    "how", ["cut", "empty", "longer", "a flipped bit", "a flipped bit of a weight", "another file"]
)
def test_a_damaged_state_is_told_of_and_the_one_before_it_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    for step in (10, 20):
        save_state(tmp_path, at(step))
    latest = max(tmp_path.iterdir())
    latest.write_bytes(damaged(latest.read_bytes(), how))
    require_same(load_state(tmp_path), at(10))
    assert capsys.readouterr().err == f"{latest}: damaged; going back to the state before it\n"


def test_a_training_begins_anew_where_every_state_is_damaged(tmp_path: Path) -> None:
    for step in (10, 20):
        save_state(tmp_path, at(step))
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    assert load_state(tmp_path) is None


def test_a_state_replaces_a_damaged_one_of_the_same_step(tmp_path: Path) -> None:
    save_state(tmp_path, at(10))
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"")
    save_state(tmp_path, at(10))
    require_same(load_state(tmp_path), at(10))


def test_what_was_half_written_is_no_state_and_is_removed_with_the_states(tmp_path: Path) -> None:
    save_state(tmp_path, STATE)
    half = tmp_path / "step-000000008-0123456789abcdef.safetensors.new"
    half.write_bytes(b"half")
    assert load_state(tmp_path).step == 7
    other = tmp_path / "lock"
    other.touch()
    remove_states(tmp_path)
    assert list(tmp_path.iterdir()) == [other]


def test_what_a_killed_process_left_half_written_makes_room_for_the_next_state(tmp_path: Path) -> None:
    (tmp_path / "step-000000003-0123456789abcdef.safetensors.new").write_bytes(b"half")
    save_state(tmp_path, STATE)
    (kept,) = tmp_path.iterdir()
    assert kept.name.startswith("step-000000007-")
