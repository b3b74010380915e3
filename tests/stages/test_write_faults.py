"""A disk that is full, files that may not grow, a disk that is read-only, a kill as a file gets its name.

The faults are real ones: a small tmpfs that is filled or mounted read-only (which takes the right to mount; without it
a folder loses its permissions, and there is no full disk), a limit of the kernel's on the size of files, and SIGKILL
sent to itself by a stage in `os.replace`. After each the earlier files are what they were, byte for byte, and the next
start gives the bytes of an undisturbed run.

The short form is in the default tests; `python -m pytest -m slow tests/stages/test_write_faults.py` is the long one.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from slim_project import CODE, OUTPUTS, SLIM, STAGES, Project, copy_project

PREVIOUS = b"of an earlier run\n"
PYTHON = sys.executable
# MindSpore wants 10 MB free; more is only taken as it is filled.
DISK = "size=40m"

# Runs Python with a limit on the size of files, in bytes, which the kernel enforces.
LIMITED = (
    "import os, resource, sys; limit = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)
# Python reads a sitecustomize before all else: this one kills its process before or after a file gets a name.
KILLER = """
import fnmatch, os, signal
rename = os.replace
def replace(source, target):
    aimed_at = fnmatch.fnmatch(str(target), os.environ["KILL_AT"])
    if aimed_at and os.environ["KILL_WHEN"] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
    if aimed_at:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = replace
"""


class Aim(NamedTuple):
    """A file, or a folder that is replaced as one, and how to hit it.

    Attributes:
        stage: which writes it.
        target: where it is in the project.
        disk: a folder that it is in, which gets a disk of its own.
        limit: bytes that no file may outgrow, so that this one fails and none before it; None: it is too small.
    """

    stage: str
    target: str
    disk: str
    limit: int | None


AIMS = {
    "download": Aim("download", "data/raw", "data", 64 << 10),
    "records": Aim("mindrecord", "data/records", "data", 64 << 10),
    "records' first bytes": Aim("mindrecord", "data/records", "data", 4 << 10),
    "figures of the records": Aim("mindrecord", "metrics/mindrecord.json", "metrics", None),
    "anchors": Aim("anchors", "data/anchors.npy", "data", 64 << 10),
    "losses": Aim("train", "metrics/train.csv", "metrics", None),
    "checkpoint": Aim("train", "models/ssd.safetensors", "models", 64 << 10),
    "detections": Aim("evaluate", "data/detections.json", "data", 8 << 10),
    "figures of the evaluation": Aim("evaluate", "metrics/evaluate.json", "metrics", None),
    "report": Aim("report", "report", ".", 64 << 10),
}
OUTS = {
    "download": ("data/raw",),
    "mindrecord": ("data/records", "metrics/mindrecord.json", "metrics/classes.csv"),
    "anchors": ("data/anchors.npy", "metrics/anchors.json"),
    "train": ("models/ssd.safetensors", "metrics/train.csv", "metrics/train.json"),
    "evaluate": (
        "data/detections.json",
        "metrics/evaluate.json",
        "metrics/per_class.csv",
        "metrics/pr.csv",
    ),
    "report": ("report",),
}
SHORT = ("anchors", "report")
SENTENCES = {
    "full": "No space left on device; make room on its disk and run again",
    "limit": "File too large; raise the limit on the size of files (ulimit -f) and run again",
    "read-only": "Read-only file system; make its file system writable and run again",
    "forbidden": "Permission denied; check the permissions of the file and its folder and run again",
}
FAULTS = ("full", "limit", "read-only")


class Run(NamedTuple):
    """A project in which all stages ran, what they wrote, and the states of its training."""

    project: Project
    files: dict[str, bytes]
    first_state: Path
    last_states: Path
    killer: Path


def files_in(project: Project, *names: str) -> dict[str, bytes]:
    """Every file under these files and folders of the project: path and content."""
    found = {}
    for name in names:
        place = project / name
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.is_file():
                found[path.relative_to(project.folder).as_posix()] = path.read_bytes()
    return found


def under(names: tuple[str, ...], files: dict[str, bytes]) -> dict[str, bytes]:
    """Those of the files that are these, or in these folders."""
    return {
        path: data for path, data in files.items() if any(f"{path}/".startswith(f"{name}/") for name in names)
    }


def killed_at(run: Run, stage: str, pattern: str, when: str) -> subprocess.CompletedProcess:
    """A stage that is killed before or after a file gets a name of this pattern."""
    done = run.project.run(
        "env",
        f"PYTHONPATH={run.killer}",
        f"KILL_AT={pattern}",
        f"KILL_WHEN={when}",
        *(PYTHON, "-m", f"stages.{stage}"),
        ok=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done


def limited(project: Project, stage: str, limit: int) -> subprocess.CompletedProcess:
    return project.run(PYTHON, "-c", LIMITED, str(limit), "-m", f"stages.{stage}", ok=False)


@pytest.fixture(scope="session")
def may_mount(tmp_path_factory: pytest.TempPathFactory) -> bool:
    folder = tmp_path_factory.mktemp("mount")
    command = ("mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(folder))
    with suppress(FileNotFoundError):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)
            return True
    return False


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """While it lasts the folder is a disk of its own, with the same content; the content stays."""
    content = folder.with_name(f"{folder.name} before")
    shutil.copytree(folder, content)
    subprocess.run(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(folder)], check=True)
    try:
        shutil.copytree(content, folder, dirs_exist_ok=True)
        shutil.rmtree(content)
        yield
        shutil.copytree(folder, content)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(content, folder, dirs_exist_ok=True)
    shutil.rmtree(content)


@contextmanager
def full(folder: Path, but: int = 0) -> Iterator[None]:
    """While it lasts, not a byte is left on the disk, or so many, a multiple of 4096."""
    ballast = folder / "ballast"
    for block in (bytes(1 << 16), b"0"):
        with suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(block)
    os.truncate(ballast, ballast.stat().st_size - but)
    yield
    ballast.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)


@contextmanager
def forbidden(folder: Path) -> Iterator[None]:
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


def permissions_bind(folder: Path) -> bool:
    """Not so of root."""
    with forbidden(folder):
        return not os.access(folder, os.W_OK)


FAULTY = {
    "full": full,
    "read-only": read_only,
    "forbidden": forbidden,
    "limit": nullcontext,
}


def require_one_sentence(done: subprocess.CompletedProcess, target: str, sentence: str) -> None:
    """That a stage ended with a sentence that begins with the target, a file in it, or the folder it is made in."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = (line for line in done.stderr.splitlines() if "error" in line.lower())
    assert line == done.stderr.splitlines()[-1]
    assert line.startswith(f"error: {target}"), line
    assert sentence.partition(";")[0] in line and line.endswith(sentence.partition("; ")[2]), line


def require_no_litter(project: Project) -> None:
    litter = [path for pattern in ("*.new", "*.old", "*.room") for path in project.folder.rglob(pattern)]
    assert litter == []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Killed as its second state gets its name, and as its checkpoint does, the training is nevertheless the same."""
    folder = copy_project(
        tmp_path_factory.mktemp("faults") / "project",
        CODE,
        (*SLIM, "train.batch_size=2", "train.checkpoint_every=1"),
    )
    killer = tmp_path_factory.mktemp("killer")
    (killer / "sitecustomize.py").write_text(KILLER)
    project = Project(folder, tmp_path_factory.mktemp("settings"))
    for stage in ("download", "mindrecord", "anchors"):
        assert project.stage(stage).returncode == 0
    made = Run(project, {}, folder.with_name("first state"), folder.with_name("last states"), killer)
    killed_at(made, "train", "*/step-000000002-*", "before")
    assert len(list((folder / "work").rglob("step-000000002-*.new"))) == 1
    shutil.copytree(folder / "work", made.first_state, ignore=shutil.ignore_patterns("*.new"))
    killed_at(made, "train", "models/ssd.safetensors", "before")
    shutil.copytree(folder / "work", made.last_states)
    assert not (folder / "models/ssd.safetensors").exists()
    assert len(list((folder / "work").rglob("step-*"))) == 2
    for stage in ("train", "evaluate", "report"):
        done = project.stage(stage)
        assert done.returncode == 0, done.stderr
    require_no_litter(project)
    return made._replace(files=files_in(project, *OUTPUTS))


@pytest.fixture
def ready(run: Run) -> Iterator[Run]:
    """With all that was written, and a training that has only to write its results."""
    put_work(run.project, run.last_states)
    yield run
    assert files_in(run.project, *OUTPUTS) == run.files
    require_no_litter(run.project)


def put_work(project: Project, states: Path) -> None:
    """Put states in the place of all that is in work/, which may be a disk."""
    shutil.rmtree(project / "work/train", ignore_errors=True)
    shutil.copytree(states, project / "work", dirs_exist_ok=True)


def put_earlier(run: Run, stage: str) -> dict[str, bytes]:
    """In the place of what a stage has written, put something else; all that is there then."""
    for name in OUTS[stage]:
        place = run.project / name
        if place.is_dir():
            shutil.rmtree(place)
            place.mkdir()
            place = place / "earlier"
        place.write_bytes(PREVIOUS)
    return files_in(run.project, *OUTPUTS)


def require_survived(run: Run, aim: Aim, before: dict[str, bytes], lost: bool) -> None:
    """That no file changed but for those of the stage that are new as a whole; and not the target, if it is lost."""
    found = files_in(run.project, *OUTPUTS)
    for name in OUTS[aim.stage]:
        old, new, now = (under((name,), files) for files in (before, run.files, found))
        assert now == (old if name == aim.target and lost else new) or (now == old and name != aim.target), (
            name
        )
    others = tuple(name for stage in STAGES if stage != aim.stage for name in OUTS[stage])
    assert under(others, found) == under(others, before)


def require_right(run: Run, stage: str) -> None:
    done = run.project.stage(stage)
    assert done.returncode == 0, done.stderr
    assert files_in(run.project, *OUTPUTS) == run.files


def require_told_and_mended(run: Run, aim: Aim, fault: str, may_mount: bool) -> None:
    """Meet a stage with a fault: one sentence, nothing lost; and without the fault the right files."""
    folder = run.project / aim.disk
    if fault != "limit" and not may_mount:
        fault = "forbidden" if fault == "read-only" and permissions_bind(folder) else ""
    if not fault:
        pytest.skip("it takes the right to mount a disk, or a user whom permissions bind")
    before = put_earlier(run, aim.stage)
    with disk(folder) if fault in ("full", "read-only") else nullcontext():
        with FAULTY[fault](folder):
            if fault == "limit":
                assert aim.limit is not None
                done = limited(run.project, aim.stage, aim.limit)
            else:
                done = run.project.stage(aim.stage)
        require_one_sentence(done, aim.target, SENTENCES[fault])
        require_survived(run, aim, before, lost=True)
        require_no_litter(run.project)
        require_right(run, aim.stage)


def of(names: tuple[str, ...], fault: str) -> list[str]:
    """Those that a fault makes sense for: of a full disk all bytes of a file are the first."""
    if fault == "limit":
        return [name for name in names if AIMS[name].limit is not None]
    return [name for name in names if name != "records' first bytes"]


LONG = tuple(name for name in AIMS if name not in SHORT)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SHORT)
def test_a_stage_that_cannot_write_says_why_and_leaves_the_earlier_files(ready, may_mount, name, fault):
    require_told_and_mended(ready, AIMS[name], fault, may_mount)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "name"), [(fault, name) for fault in FAULTS for name in of(LONG, fault)])
def test_every_stage_that_cannot_write_says_why_and_leaves_the_earlier_files(ready, may_mount, name, fault):
    require_told_and_mended(ready, AIMS[name], fault, may_mount)


@pytest.mark.slow
def test_mindspore_which_wants_some_megabytes_left_is_no_riddle(ready, may_mount):
    if not may_mount:
        pytest.skip("a full disk takes the right to mount one")
    aim = AIMS["records"]
    before = put_earlier(ready, aim.stage)
    with disk(ready.project / aim.disk):
        with full(ready.project / aim.disk, but=5 << 20):
            done = ready.project.stage(aim.stage)
        told = "No space left on device (MindSpore wants 10 MB free); make room on its disk and run again"
        require_one_sentence(done, aim.target, told)
        require_survived(ready, aim, before, lost=True)
        require_right(ready, aim.stage)


def require_whole(run: Run, stage: str, target: str, when: str) -> None:
    """Kill a stage as its target gets its name: it is the earlier one or the new one, and the next run is right."""
    before = put_earlier(run, stage)
    is_folder = (run.project / target).is_dir()
    killed_at(run, stage, target, when)
    if is_folder and when == "before":  # between two renames
        (run.project / f"{target}.old").rename(run.project / target)
        require_survived(run, Aim(stage, target, ".", None), before, lost=True)
        (run.project / target).rename(run.project / f"{target}.old")
    else:
        require_survived(run, Aim(stage, target, ".", None), before, lost=when == "before")
    require_right(run, stage)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("stage", "target"), [("anchors", "data/anchors.npy"), ("report", "report")], ids=SHORT
)
def test_a_stage_killed_as_a_file_gets_its_name_leaves_the_earlier_one_or_the_new_one(
    ready, stage, target, when
):
    require_whole(ready, stage, target, when)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("stage", "target"),
    [
        (stage, name)
        for stage, names in OUTS.items()
        for name in names
        if name not in ("data/anchors.npy", "report")
    ],
)
def test_every_file_is_the_earlier_one_or_the_new_one_when_its_stage_is_killed(ready, stage, target, when):
    require_whole(ready, stage, target, when)


# Training states


def states(project: Project) -> dict[str, bytes]:
    return {
        name: data for name, data in files_in(project, "work").items() if Path(name).suffix == ".safetensors"
    }


def require_states_survived(run: Run, fault: str) -> None:
    """After its first state a training cannot write the second: the first stays, and it goes on to the same end."""
    project = run.project
    put_work(project, run.first_state)
    first, before = states(project), put_earlier(run, "train")
    assert len(first) == 1
    if fault == "limit":
        done = limited(project, "train", 64 << 10)
    else:
        with full(project / "work") if fault == "full" else read_only(project / "work"):
            done = project.stage("train")
    if fault == "read-only":  # already its lock
        require_one_sentence(done, "work/train/", SENTENCES[fault])
    else:
        start = "training: the state after step 2 cannot be written, those before it stay: work/train/"
        require_one_sentence(done, start, SENTENCES[fault])
    assert states(project) == first
    assert files_in(project, *OUTPUTS) == before
    done = project.stage("train")
    assert "going on after step 1 of 4" in done.stderr
    assert done.returncode == 0, done.stderr
    assert files_in(project, *OUTPUTS) == run.files


def test_a_training_on_a_full_disk_keeps_its_states_and_goes_on_to_the_same_bytes(ready, may_mount):
    if not may_mount:
        require_states_survived(ready, "limit")
        return
    with disk(ready.project / "work"):
        require_states_survived(ready, "full")


@pytest.mark.slow
def test_a_training_whose_files_may_not_grow_keeps_its_states(ready):
    require_states_survived(ready, "limit")


@pytest.mark.slow
def test_a_training_on_a_read_only_disk_keeps_its_states(ready, may_mount):
    if not may_mount:
        pytest.skip("that takes the right to mount a disk")
    with disk(ready.project / "work"):
        require_states_survived(ready, "read-only")


@pytest.mark.slow
def test_a_training_on_a_full_disk_says_so_before_its_first_step(ready, may_mount):
    if not may_mount:
        pytest.skip("a full disk takes the right to mount one")
    shutil.rmtree(ready.project / "work/train")
    before = put_earlier(ready, "train")
    with disk(ready.project / "work"):
        with full(ready.project / "work"):
            done = ready.project.stage("train")
        require_one_sentence(done, "work/train/", SENTENCES["full"])
        assert "/lock: " in done.stderr
        assert files_in(ready.project, *OUTPUTS) == before
        require_right(ready, "train")


@pytest.mark.slow
def test_a_training_killed_as_its_state_gets_its_name_goes_on_from_it_or_the_one_before(ready):
    for when, step in (("before", 1), ("after", 2)):
        put_work(ready.project, ready.first_state)
        put_earlier(ready, "train")
        killed_at(ready, "train", "*/step-000000002-*", when)
        assert len(states(ready.project)) == step
        done = ready.project.stage("train")
        assert f"going on after step {step} of 4" in done.stderr
        assert files_in(ready.project, *OUTPUTS) == ready.files
