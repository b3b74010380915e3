import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ssd.data.shards import open_shard
from ssd.data.sources.sample import draw_sample
from ssd.files import write_json
from stages.mindrecord import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A project's folder with parameters and drawn raw data."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    (folder / "data/raw").mkdir(parents=True)
    draw_sample(folder / "data/raw", 5, 3, seed=1)
    write_json(folder / "data/raw/layout.json", {"layout": "coco"})
    return folder


@pytest.fixture
def project(drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(drawn, tmp_path / "project"))
    return tmp_path / "project"


def snapshot():
    return {
        str(path): path.read_bytes()
        for top in ("data", "metrics")
        for path in Path(top).rglob("*")
        if path.is_file()
    }


def set_rules(**rules):
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["mindrecord"].update(rules)
    Path("params.yaml").write_text(yaml.safe_dump(params))


def spoil_a_box(split="train"):
    """Let the first box reach beyond its image; the id of its image and its own."""
    path = Path(f"data/raw/{split}.json")
    tree = json.loads(path.read_text())
    tree["annotations"][0]["bbox"] = [-10, 0, 50, 50]
    path.write_text(json.dumps(tree))
    return tree["annotations"][0]["image_id"], tree["annotations"][0]["id"]


def test_the_stage_writes_records_and_counts_that_agree_with_the_raw_annotations(project):
    main()
    raw = {split: json.loads(Path(f"data/raw/{split}.json").read_text()) for split in ("train", "val")}
    metrics = json.loads(Path("metrics/mindrecord.json").read_text())
    assert list(metrics) == ["classes", "train", "val", "notes"]
    assert (metrics["classes"], metrics["notes"]) == (5, [])
    for split, tree in raw.items():
        assert metrics[split]["images"] == len(tree["images"])
        assert metrics[split]["objects"] == len(tree["annotations"])
        assert sum(metrics[split][size] for size in ("small", "medium", "large")) == len(tree["annotations"])
        assert {kind: found["count"] for kind, found in metrics[split]["repairs"].items()} == {
            "box_beyond_image": 0,
            "box_without_area": 0,
            "unknown_category": 0,
            "unreadable_image": 0,
        }
    rows = list(csv.reader(Path("metrics/classes.csv").read_text().splitlines()))
    assert rows[0] == ["class", "train", "val"]
    assert [row[0] for row in rows[1:]] == ["circle", "square", "triangle", "star", "ring"]
    for column, split in enumerate(("train", "val"), start=1):
        assert sum(int(row[column]) for row in rows[1:]) == len(raw[split]["annotations"])
    assert sorted(path.name for path in Path("data/records").iterdir()) == [
        "checksums.json",
        "classes.json",
        "manifest.json",
        "train-00.mindrecord",
        "train-00.mindrecord.db",
        "train.json",
        "val-00.mindrecord",
        "val-00.mindrecord.db",
        "val.json",
    ]


def test_a_second_run_writes_the_same_bytes(project):
    main()
    first = snapshot()
    main()
    assert snapshot() == first


def test_a_failure_loses_nothing_and_names_the_annotation(project):
    main()
    before = snapshot()
    image_id, annotation_id = spoil_a_box("val")
    set_rules(box_beyond_image="error")
    with pytest.raises(
        ValueError, match=rf"^data/raw/val\.json: image {image_id} annotation {annotation_id}: "
    ):
        main()
    after = snapshot()
    assert {name: data for name, data in after.items() if "raw" not in name} == {
        name: data for name, data in before.items() if "raw" not in name
    }
    assert not Path("data/records.new").exists()


def test_a_repair_is_counted_and_named(project):
    image_id, annotation_id = spoil_a_box()
    set_rules(box_beyond_image="repair")
    main()
    repairs = json.loads(Path("metrics/mindrecord.json").read_text())["train"]["repairs"]
    assert repairs["box_beyond_image"] == {
        "count": 1,
        "first": [f"image {image_id} annotation {annotation_id}"],
    }


def test_files_of_an_earlier_run_do_not_stay(project):
    set_rules(images_per_file=1)
    main()
    assert Path("data/records/train-04.mindrecord").exists()
    set_rules(images_per_file=5000)
    main()
    assert len(list(Path("data/records").glob("*.mindrecord"))) == 2


def test_bad_input_ends_the_command_with_one_sentence(tmp_path):
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    run = subprocess.run(
        [sys.executable, "-m", "stages.mindrecord"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "error: data/raw/layout.json: no such file\n"


def check(*paths, cwd):
    return subprocess.run(
        [sys.executable, "-m", "stages.mindrecord", "--check", *map(str, paths)],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_check_of_sound_records_ends_with_one_sentence_and_writes_nothing(project):
    main()
    before = snapshot()
    done = check("data/records", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("checked 8 records in 2 MindRecord files: ")
    assert done.stdout.endswith(": no fault\n")
    assert snapshot() == before


def test_the_check_lists_every_fault_and_ends_with_exit_code_1(project):
    main()
    for name in ("train-00.mindrecord", "val-00.mindrecord"):
        path = Path("data/records") / name
        shard = open_shard(path)
        content = bytearray(path.read_bytes())
        for start, end in shard.spans[:2]:
            content[(start + end) // 2] ^= 4  # in the photo, which is nearly all of a row
        path.write_bytes(content)
    done = check("data/records", cwd=project)
    assert done.returncode == 1
    assert [line.partition(": expected")[0] for line in done.stdout.splitlines()] == [
        "data/records/train-00.mindrecord: row 0: image 1",
        "data/records/train-00.mindrecord: row 1: image 2",
        "data/records/train-00.mindrecord",
        "data/records/val-00.mindrecord: row 0: image 1",
        "data/records/val-00.mindrecord: row 1: image 2",
        "data/records/val-00.mindrecord",
    ]
    assert done.stderr == "error: 6 faults found by checking 8 records in 2 MindRecord files\n"


def test_the_check_needs_neither_parameters_nor_mindspore(tmp_path):
    done = check(tmp_path / "none", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == f"{tmp_path}/none: no such file; its records were not read\n"
    assert done.stderr == "error: 1 fault found by checking 0 records in 1 MindRecord file\n"


def test_the_check_of_no_file_is_refused(tmp_path):
    done = check(cwd=tmp_path)
    assert done.returncode == 2
    assert "argument --check: expected at least one argument" in done.stderr
