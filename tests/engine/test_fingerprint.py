import dataclasses
import importlib
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from ssd.engine.fingerprint import PACKAGES, fingerprint, made_by, versions


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float


@dataclasses.dataclass(frozen=True)
class Params:
    inner: Inner
    epochs: int


PARAMS = Params(Inner(0.1), 3)


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    for name in ("manifest.json", "anchors.npy"):
        (tmp_path / name).write_text(name)
    return [tmp_path / "manifest.json", tmp_path / "anchors.npy"]


def test_it_is_the_same_for_the_same_wherever_the_files_are(tmp_path: Path, inputs: list[Path]) -> None:
    moved = [tmp_path / "elsewhere" / path.name for path in inputs]
    moved[0].parent.mkdir()
    for path, there in zip(inputs, moved, strict=True):
        there.write_bytes(path.read_bytes())
    assert fingerprint(PARAMS, inputs) == fingerprint(PARAMS, moved)
    assert len(fingerprint(PARAMS, inputs)) == 64


def test_a_parameter_changes_it(inputs: list[Path]) -> None:
    other = dataclasses.replace(PARAMS, inner=Inner(0.10000001))
    assert fingerprint(other, inputs) != fingerprint(PARAMS, inputs)


def test_an_input_changes_it(inputs: list[Path]) -> None:
    before = fingerprint(PARAMS, inputs)
    inputs[1].write_text("anchors.npz")
    assert fingerprint(PARAMS, inputs) != before


def test_code_changes_it(inputs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("ssd.engine.fingerprint")
    before = fingerprint(PARAMS, inputs)
    changed = tmp_path / "schedule.py"
    changed.write_text("# other code\n")
    monkeypatch.setattr(module, "__file__", str(changed))
    assert fingerprint(PARAMS, inputs) != before


def test_code_of_the_stage_that_is_run_changes_it(
    inputs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(PARAMS, inputs)
    stage = types.ModuleType("__main__")
    stage.__file__ = str(tmp_path / "another.py")
    stage.__spec__ = ModuleSpec("stages.another", None)
    monkeypatch.setitem(sys.modules, "__main__", stage)
    made = []
    for code in ("# one stage\n", "# another\n"):
        (tmp_path / "another.py").write_text(code)
        made.append(fingerprint(PARAMS, inputs))
    assert len({before, *made}) == 3


def test_another_version_changes_it(inputs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(PARAMS, inputs)
    monkeypatch.setattr("ssd.engine.fingerprint.version", lambda name: "0")
    assert fingerprint(PARAMS, inputs) != before


def test_code_of_others_does_not_matter(inputs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(PARAMS, inputs)
    monkeypatch.setitem(sys.modules, "ssdlike", sys.modules["json"])
    assert fingerprint(PARAMS, inputs) == before


def test_a_run_tells_its_versions_its_processor_and_how_it_used_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssd.runtime.processors", lambda: 6)
    assert made_by(1).endswith("processes 1, threads 6")
    monkeypatch.setenv("MS_WORKER_NUM", "2")
    told = made_by(2)
    assert told.endswith("processes 2, threads 3")
    assert all(f"{name} {versions()[name]}" in told for name in PACKAGES)
    assert "processor with " in told
