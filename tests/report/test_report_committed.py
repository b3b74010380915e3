"""Figures of another run, from Git and from folders."""

import json
import subprocess
from pathlib import Path

import pytest

from ssd.report.committed import Earlier, differs, of, of_head
from ssd.report.inputs import FIGURES

PATH = Path("metrics/evaluate.json")
FIGURES_OF_A_RUN = dict.fromkeys(FIGURES, 0.5) | {"APs": None}


def git(*arguments: str) -> str:
    told = ("git", "-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", *arguments)
    return subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()


def write(text: str, path: Path = PATH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose first commit has figures, and whose second is of something else."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    write(json.dumps(FIGURES_OF_A_RUN))
    git("add", ".")
    git("commit", "--quiet", "--message", "Train\n\nFor long.", "--date", "2026-01-02T03:04:05Z")
    git("commit", "--quiet", "--allow-empty", "--message", "Something else")
    return tmp_path


def test_the_figures_of_head_come_with_the_commit_that_brought_them(repository: Path):
    write("changed since")
    earlier = of_head(PATH)
    first = git("rev-parse", "HEAD^")
    date = git("show", "--no-patch", "--format=%cs", "HEAD^")
    assert earlier == Earlier(
        f"the last committed run, commit {first[:8]} of {date}", "Train", FIGURES_OF_A_RUN
    )


def test_a_project_in_a_folder_of_the_repository_has_its_own_file(
    repository: Path, monkeypatch: pytest.MonkeyPatch
):
    (repository / "inner").mkdir()
    monkeypatch.chdir(repository / "inner")
    assert of_head(PATH) is None
    write(json.dumps({"AP": 0.25}))
    git("add", ".")
    git("commit", "--quiet", "--message", "Inner")
    earlier = of_head(PATH)
    assert earlier is not None
    assert earlier.figures == {"AP": 0.25}


def test_without_git_a_repository_a_commit_or_the_file_there_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write(json.dumps(FIGURES_OF_A_RUN))
    assert of_head(PATH) is None
    git("init", "--quiet")
    assert of_head(PATH) is None
    git("commit", "--quiet", "--allow-empty", "--message", "Nothing")
    assert of_head(PATH) is None
    git("add", ".")
    git("commit", "--quiet", "--message", "All")
    assert of_head(PATH) is not None
    monkeypatch.setenv("PATH", "")
    assert of_head(PATH) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "expected JSON, got .* in line 1, column 2"),
        ("[]", r"expected a section, got \[\]"),
        ('{"AP": "high"}', "AP: expected a finite number, got 'high'"),
    ],
)
def test_damaged_figures_in_head_are_named(repository: Path, text: str, sentence: str):
    write(text)
    git("commit", "--quiet", "--all", "--message", "Damage")
    with pytest.raises(ValueError, match=f"^HEAD:metrics/evaluate.json: {sentence}$"):
        of_head(PATH)


def test_another_run_is_a_revision_or_a_folder(repository: Path, tmp_path_factory):
    git("tag", "v1", "HEAD^")
    commit = git("rev-parse", "HEAD^")
    assert of("v1", PATH).name.startswith(f"v1, commit {commit[:8]} of ")
    assert of(commit[:7], PATH).name.startswith(f"commit {commit[:8]} of ")
    folder = tmp_path_factory.mktemp("other")
    write('{"AP": 0.75}', folder / PATH)
    assert of(str(folder), PATH) == Earlier(str(folder), "", {"AP": 0.75})
    with pytest.raises(
        ValueError, match="^v2: expected a folder or a revision of Git with metrics/evaluate.json"
    ):
        of("v2", PATH)
    with pytest.raises(ValueError, match=r"metrics/evaluate.json: no such file$"):
        of(str(tmp_path_factory.mktemp("empty")), PATH)


def test_a_change_needs_both_figures():
    earlier = Earlier("a run", "", {"AP": 0.25, "APs": None})
    assert earlier.change("AP", 0.75) == 0.5
    assert earlier.change("AP", None) is earlier.change("APs", 0.5) is earlier.change("AP50", 0.5) is None


def test_runs_differ_when_a_figure_does_that_both_have():
    assert differs(Earlier("a run", "", {"AP": 0.25}), {"AP": 0.5, "AP50": 0.5})
    assert not differs(Earlier("a run", "", {"AP": 0.5}), {"AP": 0.5, "AP50": 0.5})
    assert differs(Earlier("a run", "", {"AP": None}), {"AP": 0.5})
    assert not differs(None, {"AP": 0.5})
