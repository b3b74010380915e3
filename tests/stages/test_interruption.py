"""A training that is killed, and started again, ends with the bytes of one that is not.

The short form is in the default tests. `python -m pytest -m slow tests/stages/test_interruption.py` kills 25 times by
hand, and twice each through `dvc repro`, `dvc exp run --temp` and the queue.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slim_project import CODE, SLIM, WIRING, Project, copy_project

LONGER = (
    *SLIM,
    "dataset.sample.train_images=24",
    "train.epochs=4",
    "train.batch_size=2",
    "train.checkpoint_every=5",
)
STEPS = 4 * 24 // 2
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TRAIN = (sys.executable, "-m", "stages.train")
RESULTS = ("models/ssd.safetensors", "metrics/train.csv", "metrics/train.json")
PATIENCE = 240


def results(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS if (folder / name).exists()}


def states(project: Project) -> list[str]:
    """Names of the states that are kept, of all trainings."""
    return sorted(path.name for path in (project / "work").glob("train/*/step-*.safetensors"))


def kill_after(project: Project, seconds: float, number: signal.Signals, *command: str) -> tuple[int, str]:
    """Start a command, send its process group a signal after so many seconds; its exit code and what it told."""
    process = project.start(*command)
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if process.poll() is None:
        os.killpg(process.pid, number)
    told, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, told


def start_to_state(project: Project, kept: int, *command: str) -> subprocess.Popen:
    """A command that was started and has written so many states more."""
    process, seen = project.start(*command), set(states(project))
    wanted, deadline = len(seen) + kept, time.monotonic() + PATIENCE
    while len(seen) < wanted:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "no state was written"
        seen.update(states(project))
        time.sleep(0.005)
    return process


def stop(process: subprocess.Popen, number: signal.Signals) -> str:
    """Send its process group a signal; what the process told."""
    os.killpg(process.pid, number)
    told, _ = process.communicate(timeout=PATIENCE)
    return told


def wait_for_orphans(project: Project) -> None:
    """Until nobody trains any more: SIGKILL of DVC leaves its stage running."""
    deadline = time.monotonic() + PATIENCE
    for lock in (project / "work").glob("train/*/lock"):
        while lock.exists() and Path(f"/proc/{lock.read_text() or 0}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, bytes], float]:
    """By hand and uninterrupted: the project, what it gave, and how many seconds that took."""
    folder = copy_project(tmp_path_factory.mktemp("by hand"), CODE, LONGER)
    project = Project(folder, tmp_path_factory.mktemp("settings"))
    for stage in ("download", "mindrecord", "anchors"):
        assert project.stage(stage).returncode == 0
    begin = time.monotonic()
    done = project.stage("train")
    assert done.returncode == 0, done.stderr
    assert states(project) == []
    return project, results(folder), time.monotonic() - begin


@pytest.fixture
def untrained(trained: tuple[Project, dict[str, bytes], float]) -> Iterator[Project]:
    project = trained[0]
    for name in RESULTS:
        (project / name).unlink(missing_ok=True)
    yield project
    for name, data in trained[1].items():
        (project / name).write_bytes(data)


def test_a_training_killed_twice_is_let_alone_by_a_third_and_ends_with_the_same_bytes(
    trained, untrained: Project
) -> None:
    first = start_to_state(untrained, 2, *TRAIN)
    os.killpg(first.pid, signal.SIGSTOP)
    second = untrained.stage("train")
    assert second.returncode == 1
    assert f"process {first.pid} is at the same training" in second.stderr
    assert not stop(first, signal.SIGKILL).rstrip().endswith("stopped")
    assert stop(start_to_state(untrained, 2, *TRAIN), signal.SIGTERM).rstrip().endswith("stopped")
    assert 1 <= len(states(untrained)) <= 2
    done = untrained.stage("train")
    assert done.returncode == 0, done.stderr
    assert f"of {STEPS} (work/train/" in done.stderr and "going on after step" in done.stderr
    assert results(untrained.folder) == trained[1]
    assert list((untrained / "work/train").iterdir()) == []


@pytest.mark.slow
def test_another_rate_begins_anew_and_the_first_goes_on_later(trained, untrained: Project) -> None:
    stop(start_to_state(untrained, 1, *TRAIN), signal.SIGKILL)
    parameters = (untrained / "params.yaml").read_text()
    (untrained / "params.yaml").write_text(re.sub(r"lr_max: \S+", "lr_max: 0.0016", parameters))
    try:
        done = untrained.stage("train")
    finally:
        (untrained / "params.yaml").write_text(parameters)
    assert done.returncode == 0 and "going on" not in done.stderr
    assert results(untrained.folder) != trained[1]
    (untrained / "params.yaml").write_text(parameters.replace("checkpoint_every: 5", "checkpoint_every: 50"))
    try:
        done = untrained.stage("train")
    finally:
        (untrained / "params.yaml").write_text(parameters)
    assert "going on after step" in done.stderr
    assert results(untrained.folder) == trained[1]


@pytest.mark.slow
def test_25_kills_at_random_moments_change_nothing(trained, untrained: Project) -> None:
    project, expected, seconds = trained
    rng, kills, finished, resumed = random.Random(1), 0, 0, 0
    while kills < 25:
        code, told = kill_after(project, rng.uniform(0.2, 1.1) * seconds, SIGNALS[kills % 3], *TRAIN)
        resumed += "going on after step" in told
        assert "Traceback" not in told
        if code == 0:
            assert results(project.folder) == expected
            finished += 1
            continue
        kills += 1
    done = project.stage("train")
    assert done.returncode == 0, done.stderr
    assert results(project.folder) == expected
    print(
        f"\n25 kills, {resumed} of the starts between went on from a state, {finished + 1} trainings to the end"
    )
    assert resumed >= 5


@pytest.fixture(scope="module")
def clone(trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, bytes]:
    """Under DVC and Git, the first three stages run; and the lock file that an uninterrupted repro writes."""
    folder = copy_project(tmp_path_factory.mktemp("clone"), CODE + WIRING, LONGER)
    project = Project(folder, tmp_path_factory.mktemp("settings"))
    project.commit()
    project.dvc("repro", "anchors")
    project.commit()
    project.dvc("repro", "train")
    assert results(folder) == trained[1]
    lock = (folder / "dvc.lock").read_bytes()
    project.git("checkout", "--quiet", ".")
    project.git("clean", "--quiet", "-d", "--force")
    return project, lock


DVC = (sys.executable, "-m", "dvc")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_dvc_repro_goes_on(clone, trained, number: signal.Signals) -> None:
    project, lock = clone
    forget_results(project)
    for kept in (1, 2):
        stop(start_to_state(project, kept, *DVC, "repro", "train"), number)
        wait_for_orphans(project)
    told = project.run(*DVC, "repro", "train")
    assert "going on after step" in told.stdout + told.stderr
    assert results(project.folder) == trained[1]
    assert (project / "dvc.lock").read_bytes() == lock
    project.git("checkout", "--quiet", ".")


@pytest.mark.slow
def test_a_training_that_outlives_dvc_is_not_taken_twice(clone, trained) -> None:
    project, lock = clone
    forget_results(project)
    process = start_to_state(project, 1, *DVC, "repro", "train")
    process.kill()
    process.communicate(timeout=PATIENCE)  # its stage has the pipe, too, and goes on to its end
    wait_for_orphans(project)
    assert len(states(project)) == 2
    told = project.run(*DVC, "repro", "train")
    assert f"going on after step {STEPS} of {STEPS}" in told.stdout + told.stderr
    assert results(project.folder) == trained[1]
    assert (project / "dvc.lock").read_bytes() == lock
    assert states(project) == []
    project.git("checkout", "--quiet", ".")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_dvc_exp_run_in_a_folder_of_its_own_goes_on(clone, trained, number: signal.Signals) -> None:
    project, lock = clone
    forget_results(project)
    command = (*DVC, "exp", "run", "--temp", "--name", f"aside-{number.name.lower()}", "train")
    stop(start_to_state(project, 1, *command), number)
    wait_for_orphans(project)
    told = project.run(*command)
    assert "going on after step" in told.stdout + told.stderr
    require_experiment(project, f"aside-{number.name.lower()}", lock)


@pytest.mark.slow
@pytest.mark.parametrize("attempt", [1, 2])
def test_a_queued_experiment_goes_on(clone, trained, attempt: int) -> None:
    project, lock = clone
    forget_results(project)
    name = f"queued-{attempt}"
    project.dvc("exp", "run", "--queue", "--name", name, "train")
    start_worker(project)
    deadline = time.monotonic() + PATIENCE
    while not states(project):
        assert time.monotonic() < deadline, project.dvc("queue", "status")
        time.sleep(0.01)
    project.dvc("queue", "kill", "--force", name)
    wait_for_orphans(project)
    wait_for_worker(project)
    assert states(project), "it was over before it was killed"
    project.dvc("queue", "remove", "--all")
    project.dvc("exp", "run", "--queue", "--name", name, "train")
    start_worker(project)
    wait_for_worker(project)
    assert "Success" in project.dvc("queue", "status")
    assert "going on after step" in project.dvc("queue", "logs", name)
    require_experiment(project, name, lock)


def start_worker(project: Project) -> None:
    """Start the queue's worker; it keeps what it inherits open, so it is given no pipe to wait for."""
    assert project.start(*DVC, "queue", "start", output=subprocess.DEVNULL).wait(PATIENCE) == 0


def wait_for_worker(project: Project) -> None:
    """Until the queue's worker has nothing to do any more and is gone."""
    deadline = time.monotonic() + PATIENCE
    while "0 active, 0 idle" not in (status := project.dvc("queue", "status")) or "Queued" in status:
        assert time.monotonic() < deadline, status
        time.sleep(1)


def forget_results(project: Project) -> None:
    """As if train had never been run: without its outputs, DVC's run cache and experiments."""
    for name in RESULTS:
        (project / name).unlink(missing_ok=True)
    project.run("rm", "-rf", str(project / ".dvc/cache/runs"))
    project.git("checkout", "--quiet", ".")


def require_experiment(project: Project, name: str, lock: bytes) -> None:
    """That an experiment's commit holds the uninterrupted run's lock file, and with it the model's hash."""
    refs = project.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").splitlines()
    (revision,) = (line.split()[1] for line in refs if line.split()[0].endswith(f"/{name}"))
    assert project.git("show", f"{revision}:dvc.lock").encode() == lock
