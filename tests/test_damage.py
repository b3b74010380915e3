"""Damaged files, in a short form of one seed and a long one (`-m slow`): see `damage`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import damage
import pytest
from damage import ROOT, Outcome, Try, survived, table, tries
from mutations import KINDS, mutated

SEEDS = 5
"""Of the long form: 6 kinds of damage to 21 files, 630 tries."""

SHORT = (
    *("tutorial's zip", "tutorial's MindRecord, in its zip", "records", "records, .db", "annotation JSON"),
    *("VOC XML", "image", "checkpoint", "anchors file", "params.yaml", "detections.json"),
)
"""What the short form damages: 66 tries."""

SEED = 2
"""Of the damage to what the stages read; all that it makes is to be refused."""

# What each stage reads.
READ_BY = {
    "download": "work/downloads/ssd_datasets.zip",
    "mindrecord": "data/raw/datasets/MindRecord_COCO/ssd.mindrecord0",
    "anchors": "data/records/train.json",
    "train": "data/anchors.npy",
    "evaluate": "models/ssd.safetensors",
    "report": "data/detections.json",
}


def require_survival(outcomes: dict[Try, Outcome]) -> None:
    print(table(outcomes, "target"), table(outcomes, "kind"), sep="\n\n")
    assert [(each, outcome) for each, outcome in outcomes.items() if not survived(outcome)] == []
    assert any(outcome.what == "refused" for outcome in outcomes.values())


def test_no_damage_gives_a_traceback_a_crash_a_wrong_result_or_takes_earlier_outputs(tmp_path):
    outcomes = damage.run(tries(SHORT, KINDS, 1), tmp_path)
    assert len(outcomes) == 66
    require_survival(outcomes)


@pytest.mark.slow
def test_no_damage_of_many_gives_a_traceback_a_crash_a_wrong_result_or_takes_earlier_outputs(tmp_path):
    outcomes = damage.run(tries(damage.targets(), KINDS, SEEDS), tmp_path)
    assert len(outcomes) == 630
    require_survival(outcomes)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A project of the tutorial's form with the outputs of all stages, as `damage` makes it."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "work").mkdir()
    code = (
        "import sys; from pathlib import Path; import damage; damage.prepare_imports(); "
        "damage.sound_projects(Path(sys.argv[1]), {'archive'})"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}"}
    subprocess.run([sys.executable, "-c", code, str(folder / "work")], env=environment, check=True)
    return folder / "work/sound/archive"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", READ_BY)
def test_the_stage_itself_ends_with_one_sentence_and_leaves_every_file(sound, tmp_path, stage, kind):
    project = Path(shutil.copytree(sound, tmp_path / "project"))
    path = project / READ_BY[stage]
    path.write_bytes(mutated(kind, path.name, path.read_bytes(), SEED))
    before = damage.snapshot(project)
    done = subprocess.run(
        [sys.executable, "-m", f"stages.{stage}"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert path.name in done.stderr
    assert damage.snapshot(project) == before


# The harness itself


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_makes_the_same_damage_and_another_one_another(kind):
    data = bytes(range(256)) * 8
    assert mutated(kind, "a.bin", data, 1) == mutated(kind, "a.bin", data, 1)
    assert len({mutated(kind, "a.bin", data, seed) for seed in range(8)}) > (1 if kind != "empty" else 0)
    assert all(mutated(kind, "a.bin", data, seed) != data for seed in range(50))


def test_a_worker_that_dies_is_told_and_the_next_one_goes_on(tmp_path):
    plan = [Try("a", "flip", seed) for seed in range(3)]
    script = tmp_path / "worker.py"
    script.write_text(
        "import json, os, sys\n"
        "for each in json.load(sys.stdin):\n"
        "    print(json.dumps({'begun': each}), flush=True)\n"
        "    if each[2] == 1: os.abort()\n"
        "    print(json.dumps({'try': each, 'outcome': ['right', '']}), flush=True)\n"
    )
    outcomes = damage.run(plan, tmp_path / "folder", [sys.executable, str(script)])
    assert [outcomes[each].what for each in plan] == ["right", "crash", "right"]


def test_a_worker_that_hangs_is_ended_and_told(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(
        "import json, sys, time\n"
        "for each in json.load(sys.stdin):\n"
        "    print(json.dumps({'begun': each}), flush=True)\n"
        "    time.sleep(60 if each[2] == 0 else 0)\n"
        "    print(json.dumps({'try': each, 'outcome': ['right', '']}), flush=True)\n"
    )
    plan = [Try("a", "flip", seed) for seed in range(2)]
    outcomes = damage.run(plan, tmp_path / "folder", [sys.executable, str(script)], limit=1.0)
    assert [outcomes[each].what for each in plan] == ["hang", "right"]
