"""The arrows of the house, and the wiring of dvc.yaml, held against the imports of the code."""

import ast
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
STAGES = ("download", "mindrecord", "anchors", "train", "evaluate", "report")

# Who may import whom: a room, and the rooms below it that it may use.
BELOW = {
    "runtime": set(),
    "files": set(),
    "config": set(),
    "telling": {"runtime"},
    "geometry": {"config"},
    "data": {"telling", "geometry", "config", "files", "runtime"},
    "model": {"telling", "geometry", "config", "files", "runtime"},
    "engine": {"telling", "data", "model", "geometry", "config", "files", "runtime"},
    "analysis": {"data", "geometry", "config", "files"},
    "report": {"telling", "analysis", "data", "geometry", "config", "files"},
    "export": {"telling", "engine", "data", "model", "geometry", "config", "files", "runtime"},
    "detect": {"telling", "engine", "report", "data", "geometry", "config", "files", "runtime"},
    "commands": {"telling", "detect", "export", "engine", "data", "config"},
    "__main__": {"telling", "commands", "files", "runtime"},
}


@cache
def imported_modules(path: Path) -> frozenset[str]:
    """Dotted names of what a file imports, wherever in the file it does so."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def files_of(module: str) -> set[Path]:
    """The project's files that importing a dotted name runs: the module and the packages above it."""
    base = SOURCE if module.split(".")[0] == "ssd" else ROOT
    parts = module.split(".")
    found = set()
    for end in range(1, len(parts) + 1):
        place = base.joinpath(*parts[:end])
        found.update(path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file())
    return found


def closure(stage: str) -> set[str]:
    """Every file of the project that a stage can run, relative to the root; templates of a room with its modules."""
    pending, seen = [ROOT / "stages" / f"{stage}.py"], set()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        for module in imported_modules(path):
            if module.split(".")[0] in ("ssd", "stages"):
                pending.extend(files_of(module))
    rooms = {path.parent for path in seen if path.is_relative_to(SOURCE)}
    seen.update(path for room in rooms for path in room.iterdir() if path.suffix in (".j2", ".css"))
    return {path.relative_to(ROOT).as_posix() for path in seen}


def package_files() -> list[Path]:
    return sorted((SOURCE / "ssd").rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE / "ssd").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", package_files(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_a_room_imports_only_from_itself_and_from_the_rooms_below_it(path):
    room = room_of(path)
    if room == "__init__":
        assert not imported_modules(path), "what the package imports, every stage would depend on"
        return
    used = {module.split(".")[1] for module in imported_modules(path) if module.startswith("ssd.")}
    assert used <= BELOW[room] | {room}


@pytest.mark.parametrize("path", package_files(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_the_package_imports_neither_dvc_nor_the_stages(path):
    assert not {module.split(".")[0] for module in imported_modules(path)} & {"dvc", "dvclive", "stages"}


def test_geometry_is_numpy_only():
    for path in (SOURCE / "ssd" / "geometry").glob("*.py"):
        foreign = {module.split(".")[0] for module in imported_modules(path)}
        assert foreign <= {"numpy", "ssd", "math", "heapq", "collections", "typing"}, path


@pytest.mark.parametrize("stage", STAGES)
def test_dvc_yaml_lists_every_file_of_code_that_a_stage_can_run_and_no_other(stage):
    listed = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage]["deps"]
    assert {path for path in listed if path.startswith(("src/", "stages/"))} == closure(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_in_dvc_yaml_the_sections_that_it_reads(stage):
    tree = ast.parse((ROOT / "stages" / f"{stage}.py").read_text())
    (declared,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Params")
    fields = [node.target.id for node in declared.body if isinstance(node, ast.AnnAssign)]
    assert yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage]["params"] == fields


def test_the_six_stages_are_one_name_in_every_place():
    assert tuple(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]) == STAGES
    assert {path.stem for path in (ROOT / "stages").glob("*.py")} == {*STAGES, "__init__"}


@pytest.mark.parametrize("stage", ["download", "anchors", "report"])
def test_stages_that_need_no_network_do_not_pay_for_importing_mindspore(stage):
    for name in closure(stage):
        tree = ast.parse((ROOT / name).read_text()) if name.endswith(".py") else ast.Module([], [])
        at_import = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert "mindspore" not in " ".join(ast.unparse(node) for node in at_import), name
