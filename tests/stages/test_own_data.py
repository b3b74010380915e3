"""docs/own-data.md, followed as it is written: its outputs are those of the stages."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from slim_project import copy_project
from tiny_raw import NO_SHARED, SHARED

from ssd.config import load_params
from ssd.data.sources.sample import CATEGORIES
from ssd.data.summary import told
from ssd.files import folder_told
from stages import anchors, download, mindrecord

PAGE = Path(__file__).resolve().parents[2] / "docs/own-data.md"

pytestmark = pytest.mark.skipif(not (SHARED / "coco_tiny").is_dir(), reason=NO_SHARED)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def overrides() -> list[str]:
    """The page's three lines as DVC takes them."""
    block, _ = blocks("yaml")
    dataset = yaml.safe_load(block.replace("  ...\n", ""))["dataset"]
    named = {"source": dataset["source"], **{f"coco.{key}": value for key, value in dataset["coco"].items()}}
    return [f"dataset.{key}={value}" for key, value in named.items()]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's project after download and mindrecord."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "coco_tiny").symlink_to(SHARED / "coco_tiny")
    assert len(overrides()) == 3
    copy_project(folder, ("params.yaml",), ("model.width=0.03125", *overrides()))
    code, _ = blocks("python")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(code, str(PAGE), "exec"), {})
        download.main()
        mindrecord.main()
    return folder


def test_the_records_are_those_that_the_page_speaks_of(project: Path) -> None:
    assert sorted(path.name for path in (project / "street").iterdir()) == ["images", "labels.json"]
    metrics = json.loads((project / "metrics/mindrecord.json").read_text())
    assert [f"> {note}" for note in metrics["notes"]] == re.findall(
        r"^> val: .*", PAGE.read_text(), re.MULTILINE
    )
    assert (metrics["train"]["images"], metrics["val"]["images"]) == (133, 27)
    outputs = "".join(blocks("console"))
    assert f"\ndata/raw: source coco, {folder_told(project / 'data/raw')}\n" in outputs
    assert f"\ndata/records: {told(metrics)}\n" in outputs
    assert [(project / "metrics/classes.csv").read_text()] == blocks("csv")


def test_the_anchors_cover_what_the_page_says_before_and_after_its_suggestion(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(project)
    told = re.findall(r"^the anchors cover .*\n", PAGE.read_text(), re.MULTILINE)
    assert len(told) == 2
    before = (project / "params.yaml").read_text()
    anchors.main()
    assert capsys.readouterr().out == told[0]
    suggested = told[0].partition("anchors.sizes ")[2].partition("]")[0].replace(" ", "") + "]"
    apply_overrides(project / "params.yaml", [f"anchors.sizes={suggested}"])
    anchors.main()
    assert capsys.readouterr().out == told[1]
    coverage = json.loads((project / "metrics/anchors.json").read_text())["coverage"]
    assert (round(coverage["large"], 2), round(coverage["small"], 2)) == (0.98, 0.39)
    (project / "params.yaml").write_text(before)


def test_the_few_photos_become_the_records_that_the_page_tells(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, lines = blocks("yaml")
    _, code = blocks("python")
    named = yaml.safe_load(lines)
    assert list(named) == ["train_images", "train_annotations", "val_images", "val_annotations"]
    few = (f"dataset.coco.{key}={value}" for key, value in named.items())
    copy_project(tmp_path, ("params.yaml",), ("dataset.source=coco", *few))
    (tmp_path / "street").symlink_to(project / "street")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(PAGE), "exec"), {})
    download.main()
    mindrecord.main()
    metrics = json.loads(Path("metrics/mindrecord.json").read_text())
    assert metrics["train"]["images"] == 8
    assert f"\ndata/records: {told(metrics)}\n" in "".join(blocks("console"))


def test_a_checkpoint_of_other_classes_is_refused_by_the_stage_as_the_page_says(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ssd.engine.checkpoint import build_network, load_anchors, save_checkpoint
    from stages import evaluate, train

    monkeypatch.chdir(project)
    anchors.main()
    of_own = train.describe(load_params("params.yaml", train.Params))
    description = replace(of_own, class_names=tuple(CATEGORIES), category_ids=tuple(CATEGORIES.values()))
    path = Path("models/ssd.safetensors")
    path.parent.mkdir()
    save_checkpoint(path, build_network(description), load_anchors(Path("data/anchors.npy")), description)
    with pytest.raises(ValueError) as caught:
        evaluate.main()
    assert f"\nerror: {caught.value}\n" in PAGE.read_text()
    assert not (project / "data/detections.json").exists()
