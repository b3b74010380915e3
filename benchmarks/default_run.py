"""The default run beside the first one that was recorded: how long the steps of both trainings take.

Run from the project's folder, a Git clone: `python benchmarks/default_run.py [--commit REVISION] [--rounds N]`. Stage
train of this code and that of the other revision, each with its own params.yaml and its own records of the sample, go
by turns: while one takes its steps, the others are stopped. Where first blocks keep their weights after some epochs,
steps before and after that are timed apart, in a process of their own each. A training's time is that of its steps,
each kind's time times their number; a run's has the stages before it too, each once. To compile, to evaluate and to
report take both about a minute more, and ours some ten seconds to compile the second kind of steps.
"""

import argparse
import io
import os
import re
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
        projects = {each: Path(name) / each for each in ("ours", "frozen", "peer")}
        copy_code(projects["ours"])
        check_out(projects["peer"], commit)
        before = {"ours": 0.0, "peer": 0.0}
        for stage in ("download", "mindrecord", "anchors"):
            for side in before:
                begin = time.perf_counter()
                Checkout(projects[side], projects[side]).run(f"stages.{stage}")
                before[side] += time.perf_counter() - begin
        shutil.copytree(projects["ours"], projects["frozen"])
        learning, frozen = steps_of(projects["ours"])
        freeze_after(projects["ours"], 1000)
        freeze_after(projects["frozen"], 0.001)
        children = {
            side: [__file__, "--steps", str(steps), "--train", str(project)]
            for side, project in projects.items()
            if side != "frozen" or frozen
        }
        times = {side: each.seconds.times(1 / steps) for side, each in contest(children, rounds).items()}
        of_peer, _ = steps_of(projects["peer"])
    training = {"ours": times["ours"].times(learning / 60), "peer": times["peer"].times(of_peer / 60)}
    of_step = [_beside(f"a training step of the sample, beside that of commit {commit}", times, "s")]
    if frozen:
        of_frozen = {"ours": times["frozen"], "peer": times["peer"]}
        of_step.append(_beside("the same once the first blocks keep their weights", of_frozen, "s"))
        training["ours"] = training["ours"].plus(times["frozen"].times(frozen / 60))
    run = {side: training[side].plus(before[side] / 60) for side in training}
    all_steps = f"{learning + frozen:,}, beside {of_peer:,}"
    return [
        *of_step,
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


def steps_of(project: Path) -> tuple[int, int]:
    """How many steps its recipe has: those in which all weights learn, and those after some are frozen."""
    params = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    rules = params["train"]
    of_epoch = params["dataset"]["sample"]["train_images"] // rules["batch_size"]
    steps = rules["epochs"] * of_epoch
    learning = round(rules["freeze_after_epochs"] * of_epoch) if rules.get("freeze") else steps
    return min(learning, steps), max(steps - learning, 0)


def freeze_after(project: Path, epochs: float) -> None:
    """Have its training freeze what it freezes after so many epochs."""
    path = project / "params.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"(freeze_after_epochs:) [\d.]+", rf"\1 {epochs}", text), encoding="utf-8")


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
