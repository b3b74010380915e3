"""Stage report, from files to page."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stages import report

ROOT = Path(__file__).parents[2]
COCO_FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
FIGURES = (*COCO_FIGURES, "VOC07", "VOC10")
INPUTS = (
    "data/records/classes.json",
    "data/records/train.json",
    "data/records/val.json",
    "data/detections.json",
    "metrics/mindrecord.json",
    "metrics/classes.csv",
    "metrics/anchors.json",
    "metrics/train.csv",
    "metrics/train.json",
    "metrics/evaluate.json",
    "metrics/per_class.csv",
    "metrics/pr.csv",
    "metrics/thresholds.csv",
)


def encoded_photo(split: str, image_id: int) -> bytes:
    return cv2.imencode(".jpg", np.full((60, 80, 3), 20 * image_id, np.uint8))[1].tobytes()


def fill(folder: Path) -> None:
    """Write what the other stages leave behind, for four images with a dog each."""
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 80, "height": 60} for i in range(1, 5)]
    dogs = [
        {"id": i, "image_id": i, "category_id": 18, "bbox": [10, 10, 30, 30], "area": 900, "iscrowd": 0}
        for i in range(1, 5)
    ]
    truth = {"images": images, "annotations": dogs, "categories": [{"id": 18, "name": "dog"}]}
    split = {"images": 4, "objects": 4, "crowds": 0, "difficult": 0, "images_without_objects": 0}
    split |= {"small": 4, "medium": 0, "large": 0, "repairs": {}}
    sizes = ("all", "small", "medium", "large")
    trees: dict[str, Any] = {
        "data/records/classes.json": [{"label": 1, "category_id": 18, "name": "dog"}],
        "data/records/train.json": truth,
        "data/records/val.json": truth,
        "data/detections.json": [
            {"image_id": 1, "category_id": 18, "bbox": [10, 10, 30, 30], "score": 0.9}
        ],
        "metrics/mindrecord.json": {"classes": 1, "train": split, "val": split, "notes": []},
        "metrics/anchors.json": {
            "anchors": 8732,
            "matched_per_image": 3.5,
            "threshold": 0.5,
            "coverage": {"all": 1.0, "small": 1.0, "medium": None, "large": None},
            "objects": dict.fromkeys(sizes, 4),
            "classes": {"dog": {"objects": 4, "coverage": 1.0}},
            "suggested": None,
        },
        "metrics/train.json": {
            "epochs": 1, "steps": 1, "loss": 3.0, "loss_box": 1.0, "loss_class": 2.0, "lr": 0.1, "parameters": 7,
        },
        "metrics/evaluate.json": dict.fromkeys(FIGURES, 0.25) | {"images": 4, "objects": 4, "detections": 1},
    }  # fmt: skip
    tables = {
        "metrics/classes.csv": "class,train,val\ndog,4,4\n",
        "metrics/train.csv": "epoch,lr,loss,loss_box,loss_class\n1,0.1,3.0,1.0,2.0\n",
        "metrics/per_class.csv": "class,AP,AP50,AR100,VOC07,VOC10,objects\ndog,0.25,0.25,0.25,0.25,0.25,4\n",
        "metrics/pr.csv": "recall,AP50,AP75,AP\n0.0,1.0,1.0,1.0\n1.0,0.0,0.0,0.0\n",
        "metrics/thresholds.csv": "threshold,precision,recall,f1\n0.50,1.0,0.25,0.4\n0.95,,0.0,0.0\n",
    }
    for name, text in ({name: json.dumps(tree) for name, tree in trees.items()} | tables).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report, "open_photos", lambda records: encoded_photo)
    return tmp_path


def test_the_stage_writes_one_page_and_nothing_else(project: Path):
    report.main()
    assert [path.name for path in (project / "report").iterdir()] == ["index.html"]
    page = (project / "report/index.html").read_text(encoding="utf-8")
    assert "over 4 validation images with 4 objects." in page
    assert "found 1 of 1, none false" in page
    assert str(project) not in page


def git(*arguments: str) -> None:
    told = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", *arguments)
    subprocess.run(["git", *told], check=True, capture_output=True)


def measure(ap: float) -> None:
    tree = json.loads(Path("metrics/evaluate.json").read_text())
    Path("metrics/evaluate.json").write_text(json.dumps(tree | {"AP": ap}))


@pytest.fixture
def committed(project: Path) -> Path:
    """The project with its metrics under Git, and an AP of 0.25 in them."""
    git("init", "--quiet")
    git("add", "metrics")
    git("commit", "--quiet", "--message", "Train the <first> one")
    git("tag", "first")
    return project


def test_the_page_compares_with_the_last_commit(committed: Path):
    measure(0.375)
    report.main()
    page = (committed / "report/index.html").read_text(encoding="utf-8")
    assert "Against the last committed run, commit " in page
    assert "AP 0.250, AP50 0.250." in page
    assert '<span class="change up">+0.125</span>' in page
    assert "Train the &lt;first&gt; one" in page


def test_a_run_with_the_committed_figures_makes_the_page_that_it_makes_without_git(
    committed: Path, monkeypatch: pytest.MonkeyPatch
):
    report.main()
    page = (committed / "report/index.html").read_bytes()
    monkeypatch.setenv("PATH", "")
    report.main()
    assert (committed / "report/index.html").read_bytes() == page
    assert b"Against" not in page


def test_a_comparison_with_a_revision_or_a_folder_is_written_beside(committed: Path, tmp_path_factory):
    measure(0.125)
    report.compare("first")
    page = (committed / "work/against/index.html").read_text(encoding="utf-8")
    assert "Against first, commit " in page
    assert "−0.125" in page
    other = tmp_path_factory.mktemp("other")
    fill(other)
    report.compare(str(other))
    assert f"Against {other}: AP 0.250" in (committed / "work/against/index.html").read_text(encoding="utf-8")
    assert not (committed / "report").exists()


def test_a_run_that_does_not_exist_is_named(committed: Path):
    sentence = (
        "^second: expected a folder, a revision of Git or an experiment with metrics/evaluate.json, got none$"
    )
    with pytest.raises(ValueError, match=sentence):
        report.compare("second")


def test_a_second_run_writes_the_same_bytes(project: Path):
    report.main()
    first = (project / "report/index.html").read_bytes()
    report.main()
    assert (project / "report/index.html").read_bytes() == first


@pytest.mark.parametrize("name", INPUTS)
def test_a_missing_file_is_named_and_the_old_report_stays(project: Path, name: str):
    report.main()
    before = (project / "report/index.html").read_bytes()
    (project / name).unlink()
    with pytest.raises(ValueError, match=f"^{name}: no such file$"):
        report.main()
    assert (project / "report/index.html").read_bytes() == before


def test_a_page_is_built_without_mindspore(project: Path):
    code = (
        "import sys; from stages import report; from tests_photo import encoded_photo\n"
        "report.open_photos = lambda records: encoded_photo\n"
        "report.main()\n"
        "sys.exit('mindspore' in sys.modules)"
    )
    (project / "tests_photo.py").write_text(
        "import cv2, numpy as np\n"
        "def encoded_photo(split, image_id):\n"
        "    return cv2.imencode('.png', np.zeros((60, 80, 3), np.uint8))[1].tobytes()\n",
        encoding="utf-8",
    )
    environment = {"PYTHONPATH": f"{ROOT}:{project}", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (project / "report/index.html").exists()
