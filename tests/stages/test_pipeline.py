"""All six stages together on a tiny data set: through DVC, and by hand without it."""

import contextlib
import csv
import io
import json
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from slim_project import CODE, OUTPUTS, STAGES, WIRING, Project, copy_project

from ssd.config import load_params
from ssd.data.records import open_records
from ssd.engine.checkpoint import load_anchors
from ssd.engine.processes import Processes
from stages import train

UP_TO_DATE = "Data and pipelines are up to date."


def stages_run(told: str) -> list[str]:
    return re.findall(r"^Running stage '(\w+)':", told, re.MULTILINE)


def stages_restored(told: str) -> list[str]:
    return re.findall(r"^Stage '(\w+)' is cached - skipping run", told, re.MULTILINE)


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory) -> Iterator[tuple[Project, str, str]]:
    """The pipeline after `dvc repro` in a fresh clone: the project, what DVC told, what Git sees of it."""
    project = Project(
        copy_project(tmp_path_factory.mktemp("clone"), CODE + WIRING), tmp_path_factory.mktemp("settings")
    )
    project.commit()
    told = project.dvc("repro")
    seen = project.git("status", "--porcelain", "--untracked-files=all")
    project.commit()
    yield project, told, seen


@pytest.fixture
def project(reproduced) -> Iterator[Project]:
    """The pipeline as it was after its run; what a test changes is put back."""
    project = reproduced[0]
    yield project
    if project.git("status", "--porcelain"):
        project.git("checkout", "--quiet", ".")
        project.git("clean", "--quiet", "-d", "--force")
        project.dvc("checkout", "--quiet", "--force")


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory) -> Project:
    """The six stages run one after the other in a folder that knows nothing of DVC and Git."""
    project = Project(
        copy_project(tmp_path_factory.mktemp("by hand"), CODE), tmp_path_factory.mktemp("settings")
    )
    for stage in STAGES:
        done = project.stage(stage)
        assert done.returncode == 0, f"{stage}: {done.stderr}"
    return project


# One run


def test_repro_runs_all_six_stages_in_their_order(reproduced):
    assert tuple(stages_run(reproduced[1])) == STAGES


def test_every_output_is_there_and_git_sees_the_figures_and_nothing_else(reproduced):
    project, _, seen = reproduced
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"].values()
    kept_by_dvc = [out for stage in stages for out in stage.get("outs", [])]
    kept_by_git = [
        path
        for stage in stages
        for kind in ("metrics", "plots")
        for out in stage.get(kind, [])
        for path in out
    ]
    assert all((project / out).exists() for out in kept_by_dvc + kept_by_git)
    assert sorted(seen.splitlines()) == sorted(f"?? {path}" for path in ["dvc.lock", *kept_by_git])


def test_nothing_is_left_over_beside_the_outputs(reproduced):
    project = reproduced[0]
    assert {path.name for path in (project / "data").iterdir()} == {
        "anchors.npy", "detections.json", "raw", "records"
    }  # fmt: skip
    assert {path.name for path in (project / "models").iterdir()} == {"ssd.safetensors"}
    assert {path.name for path in (project / "report").iterdir()} == {"index.html"}


def test_a_second_repro_runs_nothing(project):
    before = {path: (project / path).stat().st_mtime_ns for path in project.digests()}
    told = project.dvc("repro")
    assert stages_run(told) == stages_restored(told) == []
    assert told.rstrip().endswith(UP_TO_DATE)
    assert project.dvc("status").strip() == UP_TO_DATE
    assert {path: (project / path).stat().st_mtime_ns for path in project.digests()} == before
    assert project.git("status", "--porcelain") == ""


def test_stages_by_hand_in_another_folder_write_the_same_bytes(by_hand, project):
    assert by_hand.digests() == project.digests()
    assert {path.name for path in by_hand.folder.iterdir()} <= {*CODE, *OUTPUTS, "work"}


def test_no_output_tells_of_the_machine(project):
    for path in project.digests():
        data = (project / path).read_bytes()
        assert str(project.folder).encode() not in data, path


# Figures


def test_pycocotools_run_by_hand_gives_the_very_figures(project):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(project / "data/records/val.json"))
        coco = COCOeval(truth, truth.loadRes(str(project / "data/detections.json")), "bbox")
        coco.evaluate()
        coco.accumulate()
        coco.summarize()
    names = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
    figures = json.loads((project / "metrics/evaluate.json").read_text())
    assert {name: figures[name] for name in names} == {
        name: None if value == -1 else round(value, 4)
        for name, value in zip(names, coco.stats.tolist(), strict=True)
    }
    assert figures["AR100"] > 0, "nothing was found, so that nothing was compared"


def test_every_image_counts(project):
    truth = json.loads((project / "data/records/val.json").read_text())
    detections = json.loads((project / "data/detections.json").read_text())
    figures = json.loads((project / "metrics/evaluate.json").read_text())
    told = json.loads((project / "metrics/mindrecord.json").read_text())
    assert figures["images"] == len(truth["images"]) == told["val"]["images"] == 4
    assert figures["objects"] == len(truth["annotations"]) == told["val"]["objects"]
    assert figures["detections"] == len(detections)
    assert {each["image_id"] for each in detections} <= {image["id"] for image in truth["images"]}


def test_training_tells_every_epoch_and_step(project):
    (row,) = csv.DictReader((project / "metrics/train.csv").open())
    figures = json.loads((project / "metrics/train.json").read_text())
    assert row["epoch"] == "1"
    assert (figures["epochs"], figures["steps"]) == (1, 2)
    assert figures["loss"] == float(row["loss"]) > 0


# One change


@pytest.fixture(scope="module")
def experiment(reproduced) -> dict[str, str]:
    """What DVC tells of an experiment with another evaluation, and of going back."""
    project = reproduced[0]
    before = project.digests()
    told = {
        "run": project.dvc("exp", "run", "--name", "strict", "--set-param", "evaluate.detections_per_image=7")
    }
    told["parameters"] = (project / "params.yaml").read_text()
    told["metrics diff"] = project.dvc("metrics", "diff", "--json")
    told["params diff"] = project.dvc("params", "diff", "--json")
    told["exp show"] = project.dvc("exp", "show", "--csv")
    told["plots diff"] = project.dvc("plots", "diff", "--json", "HEAD")
    project.git("checkout", "--quiet", "params.yaml")
    told["back"] = project.dvc("repro")
    told["status"] = project.git("status", "--porcelain")
    assert project.digests() == before
    return told


def test_another_evaluation_runs_evaluate_and_report_only(experiment):
    assert stages_run(experiment["run"]) == ["evaluate", "report"]
    assert "\n  detections_per_image: 7\n" in experiment["parameters"]


def test_going_back_takes_the_results_from_the_run_cache(experiment):
    assert stages_run(experiment["back"]) == []
    assert stages_restored(experiment["back"]) == ["evaluate", "report"]
    assert experiment["status"] == ""


def test_an_experiment_is_compared_with_dvc(experiment):
    changed = json.loads(experiment["params diff"])["params.yaml"]
    assert list(changed) == ["evaluate.detections_per_image"]
    limit = changed["evaluate.detections_per_image"]
    assert (limit["old"], limit["new"]) == (100, 7)
    figures = json.loads(experiment["metrics diff"])
    assert set(figures) == {"metrics/evaluate.json"}
    detections = figures["metrics/evaluate.json"]["detections"]
    assert detections["new"] < detections["old"]
    rows = {
        row["Experiment"] or row["rev"]: row for row in csv.DictReader(io.StringIO(experiment["exp show"]))
    }
    assert rows["strict"]["evaluate.detections_per_image"] == "7"
    assert float(rows["strict"]["detections"]) == detections["new"]
    assert set(json.loads(experiment["plots diff"])["data"]) >= {"metrics/pr.csv", "metrics/train.csv"}


def test_the_plots_are_drawn_with_their_templates(project, tmp_path):
    plots = json.loads(project.dvc("plots", "show", "--json", "--split"))
    assert plots.get("errors", []) == []
    drawn = {name: json.dumps(plots["data"][name]) for name in plots["data"]}
    assert set(drawn) == {
        f"metrics/{name}.csv" for name in ("classes", "train", "per_class", "pr", "thresholds", "confusion")
    }
    assert all("workspace" in text for text in drawn.values())
    assert '"fold"' in drawn["metrics/train.csv"].replace("\\", "")
    page = project.dvc("plots", "show", "--out", str(tmp_path / "plots")).strip()
    assert page.endswith("index.html")
    assert (tmp_path / "plots" / "index.html").stat().st_size > 0


def test_another_title_runs_report_only(project):
    apply_overrides(project / "params.yaml", ["report.title=Another title"])
    assert stages_run(project.dvc("repro")) == ["report"]
    assert "Another title" in (project / "report/index.html").read_text()


@pytest.mark.parametrize(
    ("path", "stages"),
    [
        ("src/ssd/model/loss.py", {"train"}),
        ("src/ssd/report/words.py", {"report"}),
        ("src/ssd/analysis/judging.py", {"evaluate", "report"}),
        ("src/ssd/geometry/nms.py", {"evaluate"}),
        ("src/ssd/data/sources/sample.py", {"download"}),
        ("stages/anchors.py", {"anchors"}),
        ("src/ssd/config.py", set(STAGES)),
    ],
)
def test_a_change_of_code_makes_exactly_the_stages_stale_that_run_it(project, path, stages):
    with (project / path).open("a") as file:
        file.write("\n# a remark\n")
    assert set(json.loads(project.dvc("status", "--json"))) == stages


def test_an_experiment_in_a_folder_of_its_own_runs_its_own_code_and_leaves_the_workspace(project):
    words = project / "src/ssd/report/page.py"
    words.write_text(words.read_text() + "\nprint('the code of the experiment')\n")
    before = project.digests()
    told = project.dvc("exp", "run", "--temp", "--name", "aside", "--set-param", "report.title=Aside")
    assert "the code of the experiment" in told
    assert stages_run(told) == ["report"]
    assert project.digests() == before


# Weights that do not learn to the end


@pytest.mark.parametrize(("blocks", "frozen"), [(0, ()), (2, ("backbone.block1.", "backbone.block2."))])
def test_the_blocks_of_the_recipe_are_frozen_after_its_epochs(by_hand, monkeypatch, blocks, frozen):
    monkeypatch.chdir(by_hand.folder)
    params = load_params("params.yaml", train.Params)
    rules = replace(params.train, freeze=blocks, freeze_after_epochs=0.5)  # of two steps each
    made = train.prepare(
        replace(params, train=rules),
        Processes(),
        open_records(train.RECORDS, "train"),
        load_anchors(train.ANCHORS),
        train.describe(params),
        None,
    )
    everything = {each.name for each in made.net.trainable_params()}
    for _ in made.steps():
        names = {each.name for each in made.taking_step.optimizer.parameters}
        assert names == {name for name in everything if made.step < 2 or not name.startswith(frozen)}
    assert made.step == 2 and any(name.startswith("backbone.block1.") for name in everything)


# Ctrl-C and bad input


def test_ctrl_c_ends_a_training_with_a_word_and_leaves_the_old_checkpoint(by_hand):
    before = {path: (by_hand / path).read_bytes() for path in by_hand.digests()}
    parameters = (by_hand / "params.yaml").read_text()
    apply_overrides(by_hand / "params.yaml", ["train.epochs=1000"])
    process = by_hand.start(sys.executable, "-m", "stages.train")
    try:
        assert process.stdout.readline().startswith("epoch 1/1000: ")
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)
        written = {path for path, data in before.items() if (by_hand / path).read_bytes() != data}
        # what was being written aside at that moment stays until the next run
        assert {name for name in by_hand.digests() if not name.endswith(".new")} == before.keys()
    finally:
        process.kill()
        (by_hand / "params.yaml").write_text(parameters)
        for path, data in before.items():
            (by_hand / path).write_bytes(data)
    assert process.returncode == 130
    assert told.splitlines()[-1] == "stopped"
    assert all(line.startswith("epoch ") for line in told.splitlines()[:-1])
    assert written <= {"metrics/train.csv", "metrics/train.json"}


def test_a_bad_parameter_under_dvc_says_its_sentence_and_costs_nothing(project):
    before = project.digests()
    good = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(re.sub("lr_max: .*", "lr_max: abc", good))
    done = project.run(sys.executable, "-m", "dvc", "repro", ok=False)
    assert done.returncode != 0
    assert "error: params.yaml: train.lr_max: expected a number > 0, got 'abc'\n" in done.stderr
    (project / "params.yaml").write_text(good)
    told = project.dvc("repro")
    assert stages_run(told) == []
    assert project.digests() == before
    assert project.git("status", "--porcelain") == ""


DAMAGES = {
    "missing": lambda data: None,
    "cut off": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "garbage": lambda data: b"garbage" * 100,
    "changed": lambda data: data[:-2000] + bytes([data[-2000] ^ 1]) + data[-1999:],
}


@pytest.mark.parametrize(
    ("stage", "path", "damage"),
    [
        ("mindrecord", "data/raw/train.zip", "cut off"),
        ("mindrecord", "data/raw/layout.json", "garbage"),
        ("anchors", "data/records/train.json", "cut off"),
        ("train", "data/records/train-00.mindrecord.db", "missing"),
        ("train", "data/records/train-00.mindrecord", "cut off"),
        ("train", "data/records/train-00.mindrecord", "changed"),
        ("train", "data/anchors.npy", "garbage"),
        ("train", "data/anchors.npy", "missing"),
        ("evaluate", "models/ssd.safetensors", "cut off"),
        ("evaluate", "models/ssd.safetensors", "empty"),
        ("evaluate", "data/records/val.json", "changed"),
        ("report", "data/records/val-00.mindrecord", "missing"),
        ("report", "data/detections.json", "cut off"),
        ("report", "metrics/evaluate.json", "garbage"),
        ("report", "metrics/train.csv", "empty"),
    ],
)
def test_a_damaged_file_ends_a_stage_with_one_sentence_and_nothing_is_lost(by_hand, stage, path, damage):
    whole = (by_hand / path).read_bytes()
    data = DAMAGES[damage](whole)
    if data is None:
        (by_hand / path).unlink()
    else:
        (by_hand / path).write_bytes(data)
    before = by_hand.digests()
    try:
        done = by_hand.stage(stage)
        assert by_hand.digests() == before
    finally:
        (by_hand / path).write_bytes(whole)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {path}: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
