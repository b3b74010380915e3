"""How long stages take to begin: from `python -m stages.train` to the end of its first step, and the like.

Run from the project's folder: `python benchmarks/startup.py`, with `--old FOLDER` beside another checkout of this
repository. The recipe is that of each checkout's params.yaml, on fewer drawn images. The ways are taken in turn:
without a kept graph, with one, and the other checkout. What a step takes is subtracted: the second is as long as the
first. Time is that of the processor, of all threads, and of the children of a stage; on an idle machine it is
nearly that on the clock, which is told beside it.
"""

import argparse
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from measure import Row, Times, interleaved, table

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
TRAIN_IMAGES, VAL_IMAGES = 16, 16
TICKS = os.sysconf("SC_CLK_TCK")
SWITCH = {"MS_COMPILER_CACHE_ENABLE": "0"}
HELPS = (
    "stages.download",
    "stages.mindrecord",
    "stages.anchors",
    "stages.train",
    "stages.evaluate",
    "stages.report",
)


@dataclass(frozen=True)
class Checkout:
    """A project whose data is ready.

    Attributes:
        root: of the code.
        folder: where its stages run.
    """

    root: Path
    folder: Path

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        """The environment of its stages."""
        return {**os.environ, "PYTHONPATH": f"{self.root}{os.pathsep}{self.root / 'src'}", **more}

    def run(self, module: str, *arguments: str) -> None:
        """Run a module to its end."""
        command = [sys.executable, "-m", module, *arguments]
        environment = self.environment({})
        subprocess.run(command, cwd=self.folder, env=environment, check=True, capture_output=True)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--old", type=Path, help="the folder of another checkout")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    print(table(rows(given.old, given.rounds)))


def rows(old: Path | None = None, rounds: int = ROUNDS) -> list[Row]:
    """What beginning takes, for a table of all that is claimed."""
    with tempfile.TemporaryDirectory(prefix="startup-") as name:
        new = ready(ROOT, Path(name) / "new")
        before = ready(old.resolve(), Path(name) / "old") if old else None
        return [
            *begins(new, before, "train", rounds),
            *begins(new, before, "evaluate", rounds),
            *light(new, rounds),
        ]


def ready(root: Path, folder: Path) -> Checkout:
    """Make a project of a checkout, with few images and a detector of one epoch."""
    folder.mkdir()
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    params["dataset"]["sample"] |= {"train_images": TRAIN_IMAGES, "val_images": VAL_IMAGES}
    params["train"] |= {"epochs": 1, "warmup_epochs": 0}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    checkout = Checkout(root, folder)
    for stage in ("download", "mindrecord", "anchors", "train", "evaluate"):
        checkout.run(f"stages.{stage}")
    return checkout


def begins(new: Checkout, old: Checkout | None, stage: str, rounds: int) -> list[Row]:
    """From the start of a stage to its first step or batch, less what the second takes."""
    ways: dict[str, Callable[[], tuple[float, float]]] = {
        "compiled": lambda: begin(new, stage, SWITCH),
        "kept": lambda: begin(new, stage, {}),
    }
    if old:
        ways["old"] = lambda: begin(old, stage, {})
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    processor = {name: Times.of([each[0] for each in of]) for name, of in found.items()}
    clock = {name: Times.of([each[1] for each in of]) for name, of in found.items()}
    goal = "half" if stage == "train" else ""
    made = []
    for unit, times in (("s of the processor", processor), ("s on the clock", clock)):
        peer = times["old"] if old else times["compiled"]
        beside = "an older checkout" if old else "compiling"
        for way, told in (("a kept graph", "kept"), ("compiling", "compiled")):
            if told == "kept" or old:
                ratio = times[told].median / peer.median
                made.append(
                    Row(f"{stage} begins, {way} beside {beside}", times[told], peer, unit, ratio, goal)
                )
    return made


def begin(checkout: Checkout, stage: str, more: dict[str, str]) -> tuple[float, float]:
    """Seconds of the processor and on the clock until a stage's bar shows its first step, less the second's."""
    shown, hidden = pty.openpty()
    fcntl.ioctl(hidden, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))  # a bar has no room without
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", f"stages.{stage}"],
        cwd=checkout.folder,
        env=checkout.environment(more),
        stdout=subprocess.DEVNULL,
        stderr=hidden,
        start_new_session=True,
    )
    os.close(hidden)
    text, steps, moments = "", [], []
    try:
        while len(moments) < 2:
            if not select.select([shown], [], [], 600)[0]:
                raise TimeoutError(f"{stage}: no step within ten minutes")
            text += os.read(shown, 4096).decode(errors="replace")
            done = [int(each) for each in re.findall(r"\b(\d+)/\d+ \[", text)]
            if done and done[-1] > (steps[-1] if steps else 0):
                steps.append(done[-1])
                moments.append((processor_seconds(process.pid), time.perf_counter() - start))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(shown)
    first, second = moments
    return 2 * first[0] - second[0], 2 * first[1] - second[1]


def processor_seconds(pid: int) -> float:
    """Of a process and the children that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def light(new: Checkout, rounds: int) -> list[Row]:
    """Stages without MindSpore beside importing it, and the help of all."""
    new.run("stages.report")
    calls: dict[str, Callable[[], object]] = {
        "import mindspore": lambda: subprocess.run([sys.executable, "-c", "import mindspore"], check=True),
        "stages.anchors, whole": lambda: new.run("stages.anchors"),
        "stages.report, whole": lambda: new.run("stages.report"),
        "ssd --help": lambda: new.run("ssd", "--help"),
        **{f"{each} --help": lambda each=each: new.run(each, "--help") for each in HELPS},
    }
    times = interleaved(calls, rounds, lambda: sum(os.times()[2:4]))
    peer = times["import mindspore"]
    return [
        Row(
            f"{name} beside import mindspore", each, peer, "s of the processor", each.median / peer.median, ""
        )
        for name, each in times.items()
        if each is not peer
    ]


if __name__ == "__main__":
    main()
