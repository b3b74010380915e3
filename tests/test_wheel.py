"""What is installed by `pip install .`: the package with its data files, and the command."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built of a copy, so that nothing is left in the project; and without the network."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(
        ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    )
    command = [
        "-m",
        "pip",
        "wheel",
        ".",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        ".",
    ]
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    assert path.name == "ssd-0.1.0-py3-none-any.whl"
    return zipfile.ZipFile(path)


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel: zipfile.ZipFile) -> None:
    source = ROOT / "src" / "ssd"
    package = {
        f"ssd/{path.relative_to(source).as_posix()}"
        for path in source.rglob("*")
        if path.suffix in (".py", ".j2", ".css")
    }
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == package
    assert {"ssd/report/page.html.j2", "ssd/report/page.css", "ssd/commands/detect.py"} <= package


def test_the_wheel_installs_the_command_and_wants_what_the_package_imports(wheel: zipfile.ZipFile) -> None:
    told = {name.rpartition("/")[2]: name for name in wheel.namelist()}
    assert wheel.read(told["entry_points.txt"]).decode().splitlines() == [
        "[console_scripts]",
        "ssd = ssd.__main__:main",
    ]
    metadata = wheel.read(told["METADATA"]).decode()
    assert "Requires-Python: <3.13,>=3.10" in metadata
    assert "Requires-Dist: mindspore==2.10.0" in metadata
