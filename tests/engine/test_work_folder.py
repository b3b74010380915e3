import os
import subprocess
import sys
from pathlib import Path

import pytest

from ssd.engine.work_folder import locked_folder

HOLDER = """
import sys
from pathlib import Path
from ssd.engine.work_folder import locked_folder
with locked_folder(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_made_and_goes_when_nothing_is_left_in_it(tmp_path: Path) -> None:
    with locked_folder(tmp_path / "work" / "abc") as folder:
        assert folder.is_dir()
    assert not folder.exists()


def test_what_is_left_in_it_stays_and_it_can_be_locked_again(tmp_path: Path) -> None:
    for _ in range(2):
        with locked_folder(tmp_path / "abc") as folder:
            (folder / "state").write_text("here")
    assert (folder / "state").read_text() == "here"


def test_it_is_let_go_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked_folder(tmp_path / "abc"):
        raise ZeroDivisionError
    with locked_folder(tmp_path / "abc"):
        pass


def test_another_process_is_named_until_it_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "abc"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )
    try:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(ValueError) as raised, locked_folder(folder):
            pass
        assert str(raised.value) == (
            f"{folder}: expected to be alone, but process {holder.pid} is at the same training; "
            "wait for it, or stop it and start again"
        )
    finally:
        holder.kill()
        holder.communicate()
    with locked_folder(folder):
        pass
