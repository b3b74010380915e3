"""The default run beside the first one that was recorded: how long the steps of both trainings take.

Run from the project's folder, a Git clone: `python benchmarks/default_run.py [--commit REVISION] [--rounds N]`. Stage
train of this code and that of the other revision, each with its own params.yaml and its own records of the sample, go
by turns: while one takes its steps, the other is stopped. A training's time is that of a step times its number of
steps; a run's has the stages before it too, each once. To compile, to evaluate and to report take both about a minute
more.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import yaml
from contest import contest
from measure import Row, Times, table
from startup import Checkout

ROOT = Path(__file__).resolve().parents[1]
FIRST = "85f2ac0"
"""The first run of the sample that was recorded."""

ROUNDS, STEPS = 5, 20


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--commit", default=FIRST, help=f"the revision to compare with, {FIRST} by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--steps", type=int, default=STEPS, help="of a round")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        train(given.train, given.steps)
    else:
        print(table(rows(given.commit, given.rounds, given.steps)))


def rows(commit: str = FIRST, rounds: int = ROUNDS, steps: int = STEPS) -> list[Row]:
    """A step and the whole training of both, for a table of all that is claimed."""
    with tempfile.TemporaryDirectory(prefix="default-run-") as name:
        projects = {"ours": Path(name) / "ours", "peer": Path(name) / "peer"}
        copy_code(projects["ours"])
        check_out(projects["peer"], commit)
        before = dict.fromkeys(projects, 0.0)
        for stage in ("download", "mindrecord", "anchors"):
            for side, project in projects.items():
                begin = time.perf_counter()
                Checkout(project, project).run(f"stages.{stage}")
                before[side] += time.perf_counter() - begin
        children = {
            side: [__file__, "--steps", str(steps), "--train", str(project)]
            for side, project in projects.items()
        }
        times = {side: each.times(1 / steps) for side, each in contest(children, rounds).items()}
        steps_of_run = {side: steps_of(project) for side, project in projects.items()}
    training = {side: times[side].times(steps_of_run[side] / 60) for side in projects}
    run = {side: training[side].plus(before[side] / 60) for side in projects}
    all_steps = f"{steps_of_run['ours']:,}, beside {steps_of_run['peer']:,}"
    return [
        _beside(f"a training step of the sample, beside that of commit {commit}", times, "s"),
        _beside(f"all steps of the default run, {all_steps}", training, "min"),
        _beside("the same with stages download, mindrecord and anchors", run, "min", "half"),
    ]


def _beside(what: str, times: dict[str, Times], unit: str, goal: str = "") -> Row:
    return Row(what, times["ours"], times["peer"], unit, times["ours"].median / times["peer"].median, goal)


def copy_code(project: Path) -> None:
    """What stages are made of, as it stands."""
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "params.yaml", project)


def check_out(project: Path, commit: str) -> None:
    """The same of a revision."""
    command = ["git", "archive", commit, "src", "stages", "params.yaml"]
    packed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(project, filter="data")


def steps_of(project: Path) -> int:
    """How many steps its recipe has."""
    params = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    of_epoch = params["dataset"]["sample"]["train_images"] // params["train"]["batch_size"]
    return params["train"]["epochs"] * of_epoch


def train(project: Path, steps: int) -> None:
    """In a child: run stage train of a project; wait for a line before so many steps, and tell what they took.

    Every revision's training has a bar of tqdm that moves with each step.
    """
    from tqdm import tqdm

    tell = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the stage itself says does not go to the contest
    taken, begin = 0, 0.0

    def wait() -> None:
        nonlocal begin
        if not sys.stdin.readline():
            raise SystemExit
        begin = time.perf_counter()

    def update(bar: tqdm, n: float | None = 1) -> bool | None:
        nonlocal taken
        moved = move(bar, n)
        taken += 1
        if taken % steps == 0:
            print(time.perf_counter() - begin, file=tell, flush=True)
            wait()
        return moved

    move, tqdm.update = tqdm.update, update
    sys.path[:0] = [str(project), str(project / "src")]
    os.chdir(project)
    from stages.train import main as stage

    print("ready", file=tell, flush=True)
    wait()
    stage()


if __name__ == "__main__":
    main()
