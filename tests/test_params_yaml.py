"""Parameter files are written as DVC writes them, so that `-S` changes its one line and no other."""

import difflib
import json
import shutil
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from ssd.config import Params, load_params

ROOT = Path(__file__).resolve().parents[1]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "recipes").glob("*.yaml"))]
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())


def leaves(tree: object, path: str = "") -> dict[str, object]:
    """Every value of a tree by its path, with dots, as `-S` takes it."""
    if not isinstance(tree, (dict, list)):
        return {path: tree}
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found: dict[str, object] = {}
    for key, value in entries:
        found |= leaves(value, f"{path}.{key}" if path else str(key))
    return found


def changed_lines(old: str, new: str) -> list[str]:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[0] in "+-" and not line.startswith(("---", "+++"))]


def other_value(value: object) -> str:
    """Something else of the same kind, as `-S` takes it."""
    if isinstance(value, bool):
        return str(not value).lower()
    if isinstance(value, (int, float)):
        return str(value + 1)
    return "another"


@every_file
def test_one_override_changes_one_line(tmp_path, file):
    copy = tmp_path / "params.yaml"
    shutil.copy(file, copy)
    apply_overrides(copy, ["train.lr_max=0.0123"])
    removed, added = changed_lines(file.read_text(), copy.read_text())
    assert removed.startswith("-  lr_max: ")
    assert added == "+  lr_max: 0.0123"


@every_file
def test_an_override_of_any_value_changes_its_line_alone(tmp_path, file):
    copy = tmp_path / "params.yaml"
    for path, value in leaves(yaml.safe_load(file.read_text())).items():
        if path == "dataset.archive.url":
            continue  # too long for one of DVC's lines; the shorter one it becomes fits on its key's
        shutil.copy(file, copy)
        apply_overrides(copy, [f"{path}={other_value(value)}"])
        changed = changed_lines(file.read_text(), copy.read_text())
        assert len(changed) == 2, (path, changed)
        assert changed[1].split("#")[0].rstrip().endswith(f" {other_value(value)}")


@every_file
def test_an_override_and_its_opposite_leave_the_file_as_it_was(tmp_path, file):
    copy = tmp_path / "params.yaml"
    shutil.copy(file, copy)
    lr_max = load_params(file, Params).train.lr_max
    apply_overrides(copy, ["train.lr_max=0.0123"])
    apply_overrides(copy, [f"train.lr_max={lr_max}"])
    assert load_params(copy, Params) == load_params(file, Params)
    assert len(changed_lines(file.read_text(), copy.read_text())) in (0, 2)  # 2 where it was written 3e-2


@pytest.mark.parametrize("given", ["1e-5", "0.00001", "1e-05"])
def test_a_small_number_given_to_dvc_is_read_as_that_number(tmp_path, given):
    copy = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", copy)
    apply_overrides(copy, [f"train.weight_decay={given}"])
    assert "  weight_decay: 1e-05\n" in copy.read_text()
    assert load_params(copy, Params).train.weight_decay == 1e-05


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train=fast", "train: expected a section with the keys seed, "),
        ("train.lr_max=abc", "train.lr_max: expected a number > 0, got 'abc'"),
        ("train.lr_max=", "train.lr_max: expected a number > 0, got ''"),
        ("train.epochs=1e2", "train.epochs: expected a whole number >= 1, got 100.0"),
        ("train.epochs=null", "train.epochs: expected a whole number >= 1, got nothing"),
        ("+train.newkey=3", "train: unknown key newkey; known: batch_size, "),
        ("~train.momentum", "train: missing key momentum; expected: batch_size, "),
        ("anchors.steps=[8,16]", "anchors.ratios: expected 2 lists, one a step, got 6"),
    ],
)
def test_what_dvc_takes_and_we_do_not_is_one_sentence(tmp_path, monkeypatch, override, sentence):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    apply_overrides("params.yaml", [override])
    with pytest.raises(ValueError) as caught:
        load_params("params.yaml", Params)
    assert str(caught.value).startswith(f"params.yaml: {sentence}")


@every_file
def test_a_recipe_is_a_whole_parameter_file(file):
    assert load_params(file, Params)


def test_the_projects_own_parameters_are_the_sample_recipe():
    assert (ROOT / "recipes" / "sample.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


@every_file
def test_a_recipe_begins_by_saying_what_it_is(file):
    assert file.read_text().startswith("# ")


@every_file
def test_a_list_can_be_filled_and_emptied_again(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "params.yaml"
    copy.write_bytes(file.read_bytes())
    for milestones in ("[3,5]", "[]", "[2]", "[]"):
        schedule = "cosine" if milestones == "[]" else "steps"
        apply_overrides(
            copy, [f"train.milestones={milestones}", f"train.schedule={schedule}", "train.epochs=9"]
        )
        assert list(load_params(copy, Params).train.milestones) == json.loads(milestones)
