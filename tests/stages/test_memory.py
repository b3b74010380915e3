"""Memory does not grow with the steps of a training, nor with the images of an evaluation.

`python -m pytest -m slow -s tests/stages/test_memory.py` measures and tells; it takes some minutes.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
from slim_project import CODE, SLIM, Project, copy_project

WARM_UP_STEPS, STEPS = 50, 500
WARM_UP_IMAGES, IMAGES = 200, 2000
TRAIN_IMAGES, BATCH = 40, 4
EPOCHS = (WARM_UP_STEPS + STEPS) * BATCH // TRAIN_IMAGES
ALLOWED_MB = 50
WINDOW = 50

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells a process' size"),
]

# What a child runs: a stage as it is, but that the size of its process is noted after each step or image.
NOTED = """
import json, os, sys
import {stage} as stage
noted = []

def note():
    with open("/proc/self/statm") as file:
        noted.append(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)

{wrap}
stage.main()
json.dump(noted, open(sys.argv[1], "w"))
"""
TRAINING = """
steps = stage.Training.steps
def noting(training):
    for step in steps(training):
        note()
        yield step
stage.Training.steps = noting
"""
# The detections are thrown away: the list of them may grow.
DETECTION = """
detect = stage.detect
def noting(*arguments):
    for detections in detect(*arguments):
        note()
        yield []
stage.detect = noting
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    overrides = (
        *SLIM,
        f"dataset.sample.train_images={TRAIN_IMAGES}",
        f"dataset.sample.val_images={IMAGES + WARM_UP_IMAGES}",
        f"train.batch_size={BATCH}",
        f"train.epochs={EPOCHS}",
        "train.checkpoint_every=20",
    )
    made = Project(
        copy_project(tmp_path_factory.mktemp("project"), CODE, overrides), tmp_path_factory.mktemp("settings")
    )
    for stage in ("download", "mindrecord", "anchors"):
        assert made.stage(stage).returncode == 0
    return made


def sizes_mb(project: Project, stage: str, wrap: str) -> list[float]:
    """Resident memory of a stage after each of its steps or images, in MB."""
    # a file: MindSpore, which keeps the compiled graph, looks for the program that asked for it
    (project / "noted.py").write_text(NOTED.format(stage=f"stages.{stage}", wrap=wrap))
    done = subprocess.run(
        [sys.executable, "noted.py", "sizes.json"],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((project / "sizes.json").read_text())


def growth_mb(what: str, sizes: list[float], warm_up: int) -> float:
    """The largest rise after the warm-up from the median of a window to that of a later one.

    Medians, since a single size is up to 50 MB off for a moment; and any two windows, since the memory of the compiler
    may come back later than growth begins.
    """
    later = sizes[warm_up:]
    medians = [median(later[start : start + WINDOW]) for start in range(0, len(later), WINDOW)]
    rise = max(end - min(medians[: number + 1]) for number, end in enumerate(medians))
    print(
        f"\n{len(later)} {what} after {warm_up}: {medians[0]:.0f} MB, at the end {medians[-1]:.0f} MB, "
        f"{max(later):.0f} MB for a moment; the largest rise {rise:.0f} MB"
    )
    return rise


def test_a_size_that_grows_by_an_eighth_of_a_megabyte_a_step_is_seen() -> None:
    assert growth_mb("steps", [900 + 0.125 * step for step in range(550)], 50) > ALLOWED_MB
    assert growth_mb("steps", [900 + (step % 5 == 0) * 60 - step for step in range(550)], 50) == 0
    assert (
        growth_mb("steps", [900 if step < 100 else 600 + 0.125 * step for step in range(600)], 50)
        > ALLOWED_MB
    )


def test_memory_does_not_grow_over_the_steps_and_epochs_of_a_training(project: Project) -> None:
    sizes = sizes_mb(project, "train", TRAINING)
    assert len(sizes) == WARM_UP_STEPS + STEPS
    assert growth_mb("training steps", sizes, WARM_UP_STEPS) < ALLOWED_MB


def test_memory_does_not_grow_over_the_images_of_an_evaluation(project: Project) -> None:
    if not (project / "models/ssd.safetensors").exists():
        assert project.stage("train").returncode == 0
    sizes = sizes_mb(project, "evaluate", DETECTION)
    assert len(sizes) == WARM_UP_IMAGES + IMAGES
    assert growth_mb("images detected", sizes, WARM_UP_IMAGES) < ALLOWED_MB
