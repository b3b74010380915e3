"""A training in two processes is that of one process with the same batch, and ends whole or not at all."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dvc.utils.hydra import apply_overrides
from safetensors.numpy import load, load_file
from slim_project import CODE, SLIM, WIRING, Project, copy_project

PAPER = (
    *SLIM,
    "dataset.sample.train_images=20",
    "model.batch_norm=false",
    "model.heads=conv",
    "model.l2_norm=true",
    "model.dropout=0.5",
    "loss.kind=softmax",
    "train.optimizer=momentum",
    "train.lr_start=0.01",
    "train.lr_max=0.01",
    "train.lr_end=0.01",
    "train.clip_norm=5.0",
    "train.checkpoint_every=2",
)
STEPS = 5
TRAIN = (sys.executable, "-m", "stages.train")
MODEL = "models/ssd.safetensors"
PATIENCE = 240


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = copy_project(tmp_path_factory.mktemp("project"), CODE + WIRING, PAPER)
    project = Project(folder, tmp_path_factory.mktemp("settings"))
    for stage in ("download", "mindrecord", "anchors"):
        assert project.stage(stage).returncode == 0
    return project


@pytest.fixture
def settings(project: Project) -> Iterator[Path]:
    """params.yaml, as it was again afterwards."""
    path = project / "params.yaml"
    before = path.read_text()
    yield path
    path.write_text(before)


def trained(project: Project, *overrides: str) -> dict[str, np.ndarray]:
    """The weights that the stage gives under these parameters."""
    apply_overrides(project / "params.yaml", list(overrides))
    done = project.stage("train")
    assert done.returncode == 0, done.stderr
    assert "Event base" not in done.stderr
    assert not list((project / "work/train").iterdir())
    return load_file(project / MODEL)


def ranks(launcher: int) -> list[int]:
    """Process ids of the workers that a process has started, in the order of their ranks."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            told = (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == launcher and b"MS_ROLE=MS_WORKER" in told:
            found[next(each for each in told if each.startswith(b"RANK_ID="))] = int(path.name)
    return [found[rank] for rank in sorted(found)]


def wait_for_state(project: Project, process) -> None:
    deadline = time.monotonic() + PATIENCE
    while not list((project / "work").glob("train/*/step-*.safetensors")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "no state was written"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(project: Project) -> bytes:
    """The checkpoint of two processes that nobody disturbed."""
    trained(project, "train.processes=2")
    return (project / MODEL).read_bytes()


def test_two_processes_come_to_the_weights_of_one_after_five_steps(
    project: Project, whole: bytes, settings: Path
) -> None:
    two, of_two = load(whole), json.loads((project / "metrics/train.json").read_text())
    one = trained(project, "train.processes=1")
    of_one = json.loads((project / "metrics/train.json").read_text())
    largest = max(np.abs(weights).max() for name, weights in one.items() if weights.ndim == 4)
    assert one.keys() == two.keys()
    for name, weights in one.items():
        np.testing.assert_allclose(two[name], weights, rtol=0, atol=1e-4 * largest, err_msg=name)
    assert of_two["steps"] == of_one["steps"] == STEPS
    for name in ("loss", "loss_box", "loss_class"):
        assert of_two[name] == pytest.approx(of_one[name], rel=1e-4)
    assert "processes 2, " in of_two["made_by"] and "processes 1, " in of_one["made_by"]


def test_a_process_that_is_killed_ends_all_and_the_next_start_goes_on_to_the_same_bytes(
    project: Project, whole: bytes
) -> None:
    (project / MODEL).write_bytes(b"the one before")
    process = project.start(*TRAIN)
    wait_for_state(project, process)
    workers = ranks(process.pid)
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    told, _ = process.communicate(timeout=20)  # MindSpore itself sees it after half a minute
    assert process.returncode == 1
    assert told.splitlines()[-1] == (
        "error: training: process 1 of 2 was ended by SIGKILL, and the others were stopped; "
        "run it again: it goes on from its latest state"
    )
    assert "Traceback" not in told
    assert (project / MODEL).read_bytes() == b"the one before"
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    done = project.stage("train")
    assert done.returncode == 0, done.stderr
    assert "going on after step" in done.stderr
    assert (project / MODEL).read_bytes() == whole


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_processes_leave_with_the_one_that_started_them(
    project: Project, whole: bytes, number: signal.Signals
) -> None:
    process = project.start(*TRAIN)
    wait_for_state(project, process)
    workers = ranks(process.pid)
    os.kill(process.pid, number)
    process.communicate(timeout=PATIENCE)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    done = project.stage("train")
    assert "going on after step" in done.stderr
    assert (project / MODEL).read_bytes() == whole


@pytest.mark.slow
def test_msrun_gives_the_same_bytes(project: Project, whole: bytes, settings: Path) -> None:
    apply_overrides(settings, ["train.processes=1"])
    (project / MODEL).unlink()
    msrun = str(Path(sys.executable).with_name("msrun"))
    done = project.run(
        msrun, "--worker_num=2", "--local_worker_num=2", "--join=True", "--log_dir=logs",
        "--master_port=18118", "python", "-m", "stages.train",
    )  # fmt: skip
    assert "epoch 1/1: loss" in done.stdout + done.stderr
    assert (project / MODEL).read_bytes() == whole


@pytest.mark.slow
def test_batch_norm_keeps_the_mean_of_the_statistics_of_both_processes(
    project: Project, settings: Path
) -> None:
    norm = ("model.batch_norm=true", "model.heads=separable", "train.epochs=1", "train.lr_max=1e-9")
    rates = ("train.lr_start=0.0", "train.lr_end=0.0", "model.dropout=0.0")
    two = trained(project, *norm, *rates, "train.processes=2")
    one = trained(project, "train.processes=1")
    means = [name for name in one if name.endswith("moving_mean")]
    assert len(means) > 20
    # The mean of the halves' means is the whole's mean, up to what the layers before made of it.
    first = "backbone.block1.0.norm.moving_mean"
    np.testing.assert_allclose(two[first], one[first], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_told_once(project: Project, settings: Path) -> None:
    apply_overrides(
        settings, ["train.processes=2", "train.lr_start=1e30", "train.lr_max=1e30", "train.clip_norm=null"]
    )
    done = project.stage("train")
    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1 and "the loss is" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_batch_without_equal_shares_is_one_sentence(project: Project, settings: Path) -> None:
    apply_overrides(settings, ["train.processes=3"])
    done = project.stage("train")
    assert done.returncode == 1
    assert (
        done.stderr == "error: params.yaml: train.batch_size: expected a multiple of processes (3), got 4\n"
    )


@pytest.mark.slow
def test_dvc_repro_trains_in_two_processes(project: Project, whole: bytes) -> None:
    project.commit()
    project.dvc("repro", "train", "--force")
    assert (project / MODEL).read_bytes() == whole
