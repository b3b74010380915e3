"""How every stage begins and ends on the command line: whose code runs, --help, bad input, Ctrl-C."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from stages import run_stage

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("download", "mindrecord", "anchors", "train", "evaluate", "report")

# A stage that is read with it says at its end which of these packages were imported.
HEAVY = {"mindspore", "numpy", "cv2", "pycocotools"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the code and no data."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("stages", "src"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    return folder


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write_params(folder: Path, old: str, new: str) -> None:
    text = (ROOT / "params.yaml").read_text()
    assert text.count(old) == 1
    (folder / "params.yaml").write_text(text.replace(old, new))


# Bad input


@pytest.mark.parametrize("stage", STAGES)
def test_a_bad_parameter_ends_every_stage_with_one_sentence_before_any_work(project, stage):
    write_params(project, "  epochs: ", "  epoch: ")
    done = run(project, "-m", f"stages.{stage}")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: params.yaml: train: unknown key epoch; known: batch_size, bias_lr_factor, "
    )
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert sorted(path.name for path in project.iterdir()) == ["params.yaml", "src", "stages"]


@pytest.mark.parametrize("stage", ["mindrecord", "anchors", "report"])
def test_a_stage_without_what_it_reads_says_which_file_is_missing(project, stage):
    shutil.copy(ROOT / "params.yaml", project)
    done = run(project, "-m", f"stages.{stage}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: data/")
    assert done.stderr.count("\n") == 1


def test_a_stage_away_from_the_project_says_so(project, tmp_path):
    done = run(tmp_path, "-m", "stages.anchors", PYTHONPATH=str(project))
    assert done.returncode == 1
    assert done.stderr == "error: params.yaml: no such file; run from the project's folder\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("a sentence"), "a sentence"),
        (OSError("no number"), "no number"),
        (
            OSError(28, "No space left on device", "data/raw"),
            "data/raw: No space left on device; make room on its disk and run again",
        ),
        (OSError(20, "Not a directory", "data/raw"), "data/raw: Not a directory"),
    ],
)
def test_an_error_of_the_input_or_the_machine_becomes_the_exit(monkeypatch, error, told):
    def main():
        raise error

    keep_signal_handlers(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["stages/train.py"])
    with pytest.raises(SystemExit) as caught:
        run_stage(main, None)
    assert caught.value.code == f"error: {told}"  # which Python prints on stderr, and exits with 1


def test_a_name_from_a_foreign_file_cannot_break_the_sentence_or_move_the_cursor(monkeypatch):
    def main():
        raise ValueError("train.json: image 1: expected one file a\nb\x1b[2J\ud800größer日.jpg")

    keep_signal_handlers(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["stages/train.py"])
    with pytest.raises(SystemExit) as caught:
        run_stage(main, None)
    told = "error: train.json: image 1: expected one file a\\nb\\x1b[2J\\ud800größer日.jpg"
    assert caught.value.code == told


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process' largest size")
def test_a_picture_of_a_thousand_million_pixels_takes_no_memory(tmp_path):
    code = (
        "import stages, re, sys; from pathlib import Path; from ssd.data.decode import decode\n"
        "assert decode(Path(sys.argv[1]).read_bytes()) is None\n"
        # not getrusage, which counts what the process was forked from
        "peak = int(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1])\n"
        "sys.exit(peak > 600_000)"
    )
    path = tmp_path / "bomb.png"
    path.write_bytes(black_png(30_000, 30_000))
    assert path.stat().st_size < 1 << 20
    done = run(ROOT, "-c", code, str(path))
    assert (done.returncode, done.stderr) == (0, "")


def black_png(height: int, width: int) -> bytes:
    """A PNG of one bit a pixel, written without its pixels in memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + (width + 7) // 8)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_an_error_of_the_program_keeps_its_traceback(monkeypatch):
    def main():
        raise KeyError("a bug")

    keep_signal_handlers(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["stages/train.py"])
    with pytest.raises(KeyError):
        run_stage(main, None)


def keep_signal_handlers(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)


# The command line


@pytest.mark.parametrize("stage", STAGES)
def test_help_says_what_the_stage_does_without_importing_what_it_needs(project, stage):
    done = run(project, "-X", "importtime", "-m", f"stages.{stage}", "--help")
    assert done.returncode == 0
    options = {"mindrecord": " [--check FILE [FILE ...]]", "report": " [--against RUN]"}.get(stage, "")
    assert done.stdout.startswith(
        f"usage: python -m stages.{stage} [-h] [-v | -q]{options}\n\nStage {stage}: "
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & HEAVY


def test_an_argument_is_refused_before_the_imports(project):
    done = run(project, "-X", "importtime", "-m", "stages.train", "train.lr_max=0.1")
    assert done.returncode == 2
    assert "python -m stages.train: error: unrecognized arguments: train.lr_max=0.1" in done.stderr
    assert "mindspore" not in done.stderr


# Whose code runs


@pytest.mark.parametrize("stage", STAGES)
def test_a_copy_runs_its_own_package_also_where_another_one_is_installed(project, tmp_path, stage):
    """As in a queued experiment: `ssd` of another checkout is on Python's path."""
    (tmp_path / "ssd").mkdir()
    (tmp_path / "ssd" / "__init__.py").write_text("raise SystemExit('the installed package was imported')")
    shutil.copytree(project / "stages", tmp_path / "copy" / "stages")
    shutil.copytree(project / "src", tmp_path / "copy" / "src")
    with (tmp_path / "copy" / "src" / "ssd" / "config.py").open("a") as file:
        file.write("\n\nraise SystemExit('the copy was imported')\n")
    done = run(tmp_path / "copy", "-m", f"stages.{stage}", PYTHONPATH=str(tmp_path))
    assert done.stderr == "the copy was imported\n"


# Ctrl-C

# Stands for a stage that takes long, in its imports or in its main.
SLOW = '''"""Stage slow."""
import time
from pathlib import Path
from ssd.files import replacing_folder
from stages import run_stage

def wait():
    print("waiting", flush=True)
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:  # as MindSpore's C++ does
            pass

{imports}

def main():
    with replacing_folder(Path("data")) as folder:
        wait()

run_stage(main, __doc__)
'''


@pytest.mark.parametrize("imports", ["wait()", ""], ids=["in its imports", "in its work"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_stage_at_once_with_a_word_and_leaves_the_old_files(project, tmp_path, imports, number):
    shutil.copytree(project / "src", tmp_path / "src")
    shutil.copytree(project / "stages", tmp_path / "stages")
    (tmp_path / "stages" / "slow.py").write_text(SLOW.format(imports=imports))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "old").touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.slow"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # ignored where tests run in the background
    )
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert told == "stopped\n"
    assert (tmp_path / "data" / "old").exists()


def test_a_stage_in_the_background_goes_on_ignoring_ctrl_c(project, tmp_path):
    shutil.copytree(project / "src", tmp_path / "src")
    shutil.copytree(project / "stages", tmp_path / "stages")
    (tmp_path / "stages" / "quick.py").write_text(
        "import os, signal\nfrom stages import run_stage\n"
        "def main():\n    os.kill(os.getpid(), signal.SIGINT)\n    print('done')\nrun_stage(main, None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "stages.quick"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
