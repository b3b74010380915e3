import errno
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ssd.engine.graph_cache import KEPT, SWITCH, _keep, _unpack

PROCESS = Path(__file__).with_name("graph_process.py")
SOURCE = Path(__file__).resolve().parents[2] / "src"
FROM_FOLDER = "Use the compilation cache"  # MindSpore's words, as a warning


def trained(rate: float, folder: Path | None, width: int = 8, **environment: str) -> tuple[str, bool]:
    """The hash of what a process trains, and whether its graph came from the folder."""
    arguments = [str(rate), str(width)] + ([str(folder)] if folder else [])
    told = {**os.environ, "PYTHONPATH": str(SOURCE), "GLOG_v": "2", **environment}
    done = subprocess.run(
        [sys.executable, PROCESS, *arguments], env=told, capture_output=True, text=True, check=True
    )
    return done.stdout.strip(), FROM_FOLDER in done.stderr


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """A folder with the graph of one training."""
    folder = tmp_path_factory.mktemp("project") / "graphs"
    assert trained(0.1, folder)[1] is False
    return folder


def first_of(folder: Path) -> Path:
    """The graph of the module's first training."""
    return min(folder.iterdir(), key=lambda path: path.stat().st_ctime)


@pytest.fixture(scope="module")
def plain() -> str:
    """What a training comes to without a folder of graphs."""
    return trained(0.1, None)[0]


def test_a_training_with_a_kept_graph_gives_the_bytes_of_one_that_compiles(kept, plain):
    assert trained(0.1, kept) == (plain, True)


def test_a_kept_graph_runs_with_the_rates_of_the_training_that_takes_it(kept, plain):
    other, from_folder = trained(0.05, kept)
    assert from_folder
    assert other == trained(0.05, None)[0] != plain


def test_other_ingredients_do_not_get_the_graph(kept):
    assert trained(0.1, kept, width=16)[1] is False


def damaged(data: bytes, damage: str) -> bytes:
    """What is left of a kept graph."""
    middle = len(data) // 2
    if damage == "flipped":
        return data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1 :]
    if damage == "other names":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as target:
            target.writestr("../compile_cache_0.mindir", b"")
        return packed.getvalue()
    return data[: middle if damage == "cut" else 0]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other names"])
def test_a_damaged_graph_is_not_handed_to_mindspore(kept, tmp_path, damage):
    copy = tmp_path / "graph.zip"
    copy.write_bytes(damaged(first_of(kept).read_bytes(), damage))
    assert _unpack(copy, tmp_path / "place") == {}
    assert not (tmp_path / "place").exists()


def test_a_damaged_graph_is_compiled_anew_and_replaced(kept, plain, tmp_path):
    whole = first_of(kept)
    copy = tmp_path / whole.name
    copy.write_bytes(damaged(whole.read_bytes(), "flipped"))
    assert trained(0.1, tmp_path) == (plain, False)
    assert list(tmp_path.iterdir()) == [copy]
    assert len(_unpack(copy, tmp_path / "place")) == 2


def test_a_graph_for_which_there_is_no_room_is_as_good_as_none(kept, tmp_path, monkeypatch):
    place = tmp_path / "place"
    place.mkdir()
    write = Path.write_bytes

    def no_room(path: Path, data: bytes) -> int:
        write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_room)
    assert _unpack(first_of(kept), place) == {}
    assert not any(path.is_file() for path in place.rglob("*"))
    monkeypatch.undo()
    assert _unpack(first_of(kept), place)


def test_who_sets_mindspores_own_switch_is_left_alone(tmp_path):
    assert trained(0.1, tmp_path / "graphs", **{SWITCH: "0"})[1] is False
    assert not (tmp_path / "graphs").exists()


def test_a_graph_that_cannot_be_kept_stops_nothing(tmp_path, plain):
    (tmp_path / "graphs").write_text("a file where the folder should be")
    assert trained(0.1, tmp_path / "graphs") == (plain, False)


def test_the_graphs_last_used_are_kept_and_no_more(tmp_path):
    for number in range(KEPT + 3):
        path = tmp_path / f"{number:02d}.zip"
        _keep(path, {"graph": bytes([number])})
        os.utime(path, (number, number))
    _keep(tmp_path / "new.zip", {"graph": b"new"})
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [*(f"{number:02d}.zip" for number in range(4, KEPT + 3)), "new.zip"]
