import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from ssd.data.records import CHECKSUMS, make_manifest
from ssd.geometry.anchors import make_anchors
from stages.anchors import main

ROOT = Path(__file__).parents[2]
CLASSES = [{"label": 1, "category_id": 3, "name": "circle"}, {"label": 2, "category_id": 7, "name": "star"}]
RECIPE = make_anchors(
    300,
    (8, 16, 32, 64, 100, 300),
    (0.08, 0.18, 0.34, 0.5, 0.66, 0.85, 1.0),
    ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)),
    "last",
)


def annotation(number: int, image_id: int, category_id: int, bbox: list[float], iscrowd: int = 0) -> dict:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": bbox,
        "area": bbox[2] * bbox[3],
        "iscrowd": iscrowd,
    }


def ground_truth(annotations: list[dict]) -> dict:
    """Two photos: 600 wide and 300 high, 300 wide and 600 high."""
    return {
        "images": [
            {"id": 5, "file_name": "5.png", "width": 600, "height": 300},
            {"id": 9, "file_name": "9.png", "width": 300, "height": 600},
        ],
        "annotations": annotations,
        "categories": [{"id": each["category_id"], "name": each["name"]} for each in CLASSES],
    }


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with records of two photos without objects."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/records").mkdir(parents=True)
    write_records(tmp_path, [])
    return tmp_path


def write_records(project: Path, annotations: list[dict]) -> None:
    (project / "data/records/classes.json").write_text(json.dumps(CLASSES))
    write_truth(project, ground_truth(annotations))


def write_truth(project: Path, truth: dict) -> None:
    """Write a ground truth of training photos, and the manifest for it."""
    folder = project / "data/records"
    (folder / "train.json").write_text(json.dumps(truth))
    (folder / "val.json").write_text(json.dumps(truth))
    (folder / CHECKSUMS).write_text("{}")
    none = {"train": [], "val": []}
    (folder / "manifest.json").write_text(json.dumps(make_manifest(folder, none, {"train": 0, "val": 0})))


def metrics(project: Path) -> dict:
    return json.loads((project / "metrics/anchors.json").read_text())


def test_the_anchors_of_the_recipe_are_written(project: Path) -> None:
    main()
    anchors = np.load(project / "data/anchors.npy")
    assert anchors.dtype == np.float32
    np.testing.assert_array_equal(anchors, RECIPE)
    assert metrics(project)["anchors"] == 8732
    assert metrics(project)["threshold"] == 0.5


def test_coverage_is_counted_by_size_and_class(project: Path) -> None:
    # the network sees both photos as squares: an object that fills its photo meets the largest square, 0.922
    wide, high = [0, 0, 600, 300], [0, 0, 300, 600]
    # 2 by 2 pixels: far from 24 by 24 of the smallest anchor
    speck = [100, 100, 2, 2]
    write_records(
        project,
        [annotation(1, 9, 3, high), annotation(2, 5, 7, wide), annotation(3, 9, 7, speck)],
    )
    main()
    written = metrics(project)
    assert written["objects"] == {"all": 3, "small": 1, "medium": 0, "large": 2}
    assert written["coverage"] == {"all": 0.6667, "small": 0.0, "medium": None, "large": 1.0}
    assert written["classes"] == {
        "circle": {"objects": 1, "coverage": 1.0},
        "star": {"objects": 2, "coverage": 0.5},
    }


def test_an_uncovered_object_still_has_one_anchor(project: Path) -> None:
    write_records(project, [annotation(1, 5, 3, [100, 100, 2, 2])])
    main()
    assert metrics(project)["matched_per_image"] == 0.5


def test_sizes_that_would_cover_more_are_suggested_and_adopting_them_gives_what_was_said(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 18 by 9 pixels of 600 by 300: in the network's square 0.03 by 0.03, the smallest anchor is 0.1
    small = [annotation(number, 5, 3, [40 * number, 60, 18, 9]) for number in range(1, 13)]
    write_records(project, [*small, annotation(20, 9, 7, [0, 0, 300, 600])])
    main()
    now, suggested = metrics(project)["coverage"], metrics(project)["suggested"]
    assert now == {"all": 0.0769, "small": 0.0, "medium": None, "large": 1.0}
    assert len(suggested["sizes"]) == 7
    assert suggested["coverage"]["small"] >= 0.5 and suggested["coverage"]["large"] == 1
    said = capsys.readouterr().out
    assert said.startswith("the anchors cover 7.69% of 13 training objects; with anchors.sizes [0.0")
    assert said.endswith(f"it would be {suggested['coverage']['all']:.2%}\n")

    tree = yaml.safe_load((project / "params.yaml").read_text())
    tree["anchors"]["sizes"] = suggested["sizes"]
    (project / "params.yaml").write_text(yaml.safe_dump(tree))
    main()
    assert metrics(project)["coverage"] == suggested["coverage"]


def test_where_all_is_covered_nothing_is_suggested(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_records(project, [annotation(1, 9, 7, [0, 0, 300, 600])])
    main()
    assert metrics(project)["coverage"]["all"] == 1
    assert metrics(project)["suggested"] is None
    assert capsys.readouterr().out == (
        "the anchors cover 100.00% of 1 training objects; no other anchors.sizes were found that cover more\n"
    )


def test_without_objects_nothing_is_suggested(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main()
    assert metrics(project)["suggested"] is None
    assert capsys.readouterr().out == "8732 anchors, and no training objects to hold them against\n"


def test_crowds_are_no_objects(project: Path) -> None:
    write_records(project, [annotation(1, 5, 3, [66, 33, 468, 234], iscrowd=1)])
    main()
    assert metrics(project)["objects"]["all"] == 0
    assert metrics(project)["matched_per_image"] == 0.0


def test_records_without_objects_have_no_coverage(project: Path) -> None:
    main()
    assert metrics(project)["coverage"] == {"all": None, "small": None, "medium": None, "large": None}
    assert metrics(project)["classes"]["star"] == {"objects": 0, "coverage": None}


def test_records_without_images_have_no_mean(project: Path) -> None:
    write_truth(project, ground_truth([]) | {"images": [], "annotations": []})
    main()
    assert metrics(project)["matched_per_image"] is None


def test_the_same_records_give_the_same_bytes(project: Path) -> None:
    write_records(project, [annotation(1, 9, 3, [33, 66, 234, 468])])
    main()
    files = [project / "data/anchors.npy", project / "metrics/anchors.json"]
    first = [file.read_bytes() for file in files]
    main()
    assert [file.read_bytes() for file in files] == first


@pytest.mark.parametrize(
    ("section", "key", "value", "maps", "got"),
    [
        (
            *("anchors", "steps", [8, 16, 32, 64, 100, 150]),
            "SSD300's 6 feature maps, [38, 19, 10, 5, 3, 1]",
            "[38, 19, 10, 5, 3, 2]",
        ),
        (
            *("model", "input_size", 512),
            "SSD512's 7 feature maps, [64, 32, 16, 8, 4, 2, 1]",
            "[64, 32, 16, 8, 6, 2]",
        ),
    ],
)
def test_anchors_on_maps_that_the_network_does_not_have_are_refused(
    project: Path, section: str, key: str, value: object, maps: str, got: str
) -> None:
    tree = yaml.safe_load((project / "params.yaml").read_text())
    tree[section][key] = value
    (project / "params.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(ValueError) as raised:
        main()
    assert str(raised.value) == f"anchors.steps: expected those of {maps} cells a side, got {got}"
    assert not (project / "data/anchors.npy").exists()
    assert not (project / "metrics").exists()


def test_missing_records_are_named_and_nothing_is_written(project: Path) -> None:
    (project / "data/records/train.json").unlink()
    with pytest.raises(ValueError, match=r"data/records/train\.json: missing beside manifest\.json"):
        main()
    assert not (project / "data/anchors.npy").exists()
    assert not (project / "metrics").exists()


@pytest.mark.parametrize("name", ["classes.json", "train.json"])
def test_a_changed_file_of_the_records_is_refused_and_the_old_outputs_stay(project: Path, name: str) -> None:
    main()
    files = [project / "data/anchors.npy", project / "metrics/anchors.json"]
    before = [file.read_bytes() for file in files]
    path = project / "data/records" / name
    path.write_text(path.read_text().replace('"id"', '"ID"').replace('"name"', '"NAME"'))
    with pytest.raises(ValueError, match=f"data/records/{name}: expected sha256 "):
        main()
    assert [file.read_bytes() for file in files] == before


def test_the_anchors_are_made_without_mindspore_or_what_else_takes_long_to_import(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "stages.anchors"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "numpy" in imported
    assert not imported & {"mindspore", "cv2", "pycocotools", "scipy"}
    assert (project / "data/anchors.npy").exists()
