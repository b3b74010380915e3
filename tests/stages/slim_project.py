"""The pipeline on a tiny data set in a folder of its own, and its command line."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from dvc.utils.hydra import apply_overrides

from ssd.files import sha256

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("download", "mindrecord", "anchors", "train", "evaluate", "report")
CODE = ("stages", "src", "params.yaml")
WIRING = ("dvc.yaml", ".dvcignore", ".gitignore", ".dvc/config", ".dvc/.gitignore", ".dvc/plots")
OUTPUTS = ("data", "models", "metrics", "report")
SLIM = (
    "dataset.sample.train_images=8",
    "dataset.sample.val_images=4",
    "model.width=0.03125",
    "train.epochs=1",
    "train.batch_size=4",
    "train.lr_max=0.002",
    "evaluate.batch_size=4",
)


def copy_project(folder: Path, names: tuple[str, ...], overrides: tuple[str, ...] = SLIM) -> Path:
    """The project's files of these names in `folder`, slim."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(ROOT / name, folder / name)
    apply_overrides(folder / "params.yaml", list(overrides))
    return folder


class Project:
    """A folder with the pipeline, and its command line."""

    def __init__(self, folder: Path, settings: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "DVC_GLOBAL_CONFIG_DIR": str(settings / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(settings / "system"),
            "DVC_SITE_CACHE_DIR": str(settings / "site"),
        }

    def run(self, *command: str, ok: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not ok or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).stdout

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments).stdout

    def stage(self, name: str) -> subprocess.CompletedProcess:
        return self.run(sys.executable, "-m", f"stages.{name}", ok=False)

    def start(self, *command: str, output: int = subprocess.PIPE) -> subprocess.Popen:
        """A command in a process group of its own, Ctrl-C allowed; by default what it tells goes into a pipe."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def commit(self) -> None:
        """Put it all under Git."""
        if not (self / ".git").exists():
            self.git("init", "--quiet")
            self.git("config", "user.name", "Somebody")
            self.git("config", "user.email", "somebody@example.com")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "As it is")

    def __truediv__(self, path: str) -> Path:
        return self.folder / path

    def digests(self) -> dict[str, str]:
        files = [path for name in OUTPUTS for path in (self / name).rglob("*") if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): sha256(path) for path in sorted(files)}
