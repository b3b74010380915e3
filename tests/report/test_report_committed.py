"""Figures of another run, from Git and from folders."""

import json
import subprocess
from pathlib import Path

import pytest

from ssd.report.committed import Earlier, differs, of, of_head
from ssd.report.inputs import FIGURES

PATH = Path("metrics/evaluate.json")
CLASSES = Path("metrics/per_class.csv")
TABLE = 'class,AP,AP50\n"dog, hot",0.25,0.5\ncat,,\n'
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
    write(TABLE, CLASSES)
    git("add", ".")
    git("commit", "--quiet", "--message", "Train\n\nFor long.", "--date", "2026-01-02T03:04:05Z")
    git("commit", "--quiet", "--allow-empty", "--message", "Something else")
    return tmp_path


def test_the_figures_of_head_come_with_the_commit_that_brought_them(repository: Path):
    write("changed since")
    earlier = of_head(PATH, CLASSES)
    first = git("rev-parse", "HEAD^")
    date = git("show", "--no-patch", "--format=%cs", "HEAD^")
    assert earlier == Earlier(
        f"the last committed run, commit {first[:8]} of {date}",
        "Train",
        FIGURES_OF_A_RUN,
        {"dog, hot": 0.25, "cat": None},
    )


def test_a_project_in_a_folder_of_the_repository_has_its_own_file(
    repository: Path, monkeypatch: pytest.MonkeyPatch
):
    (repository / "inner").mkdir()
    monkeypatch.chdir(repository / "inner")
    assert of_head(PATH, CLASSES) is None
    write(json.dumps({"AP": 0.25}))
    git("add", ".")
    git("commit", "--quiet", "--message", "Inner")
    earlier = of_head(PATH, CLASSES)
    assert earlier is not None
    assert (earlier.figures, earlier.classes) == ({"AP": 0.25}, {})


def test_without_git_a_repository_a_commit_or_the_file_there_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write(json.dumps(FIGURES_OF_A_RUN))
    assert of_head(PATH, CLASSES) is None
    git("init", "--quiet")
    assert of_head(PATH, CLASSES) is None
    git("commit", "--quiet", "--allow-empty", "--message", "Nothing")
    assert of_head(PATH, CLASSES) is None
    git("add", ".")
    git("commit", "--quiet", "--message", "All")
    assert of_head(PATH, CLASSES) is not None
    monkeypatch.setenv("PATH", "")
    assert of_head(PATH, CLASSES) is None


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
        of_head(PATH, CLASSES)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (b"class,AP\ndog,high\n", "row 1: AP: expected a number or nothing, got 'high'"),
        (b"class,AP50\ndog,0.5\n", "row 1: expected a field AP, got class, AP50"),
        (b"class,AP\n\xff,1\n", "expected a table in UTF-8, got one that cannot be read .*"),
    ],
)
def test_a_damaged_table_of_classes_in_head_is_named(repository: Path, table: bytes, sentence: str):
    CLASSES.write_bytes(table)
    git("commit", "--quiet", "--all", "--message", "Damage")
    with pytest.raises(ValueError, match=f"^HEAD:metrics/per_class.csv: {sentence}$"):
        of_head(PATH, CLASSES)


def test_an_experiment_of_dvc_is_found_by_its_name(repository: Path):
    baseline = git("rev-parse", "HEAD")
    write('{"AP": 0.875}')
    git("commit", "--quiet", "--all", "--message", "An experiment")
    git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/fast", "HEAD")
    git("reset", "--quiet", "--hard", baseline)
    found = of("fast", PATH, CLASSES)
    assert found.figures == {"AP": 0.875}
    assert found.name.startswith("fast, commit ")
    assert found.subject == ""


def test_another_run_is_a_revision_or_a_folder(repository: Path, tmp_path_factory):
    git("tag", "v1", "HEAD^")
    commit = git("rev-parse", "HEAD^")
    assert of("v1", PATH, CLASSES).name.startswith(f"v1, commit {commit[:8]} of ")
    assert of(commit[:7], PATH, CLASSES).name.startswith(f"commit {commit[:8]} of ")
    folder = tmp_path_factory.mktemp("other")
    write('{"AP": 0.75}', folder / PATH)
    write(TABLE, folder / CLASSES)
    assert of(str(folder), PATH, CLASSES) == Earlier(
        str(folder), "", {"AP": 0.75}, {"dog, hot": 0.25, "cat": None}
    )
    with pytest.raises(ValueError, match=r"^v2: expected a folder, a revision of Git or an experiment with"):
        of("v2", PATH, CLASSES)
    with pytest.raises(ValueError, match=r"metrics/evaluate.json: no such file$"):
        of(str(tmp_path_factory.mktemp("empty")), PATH, CLASSES)


def test_a_change_needs_both_figures():
    earlier = Earlier("a run", "", {"AP": 0.25, "APs": None}, {"dog": 0.25})
    assert earlier.change("AP", 0.75) == 0.5
    assert earlier.change("AP", None) is earlier.change("APs", 0.5) is earlier.change("AP50", 0.5) is None
    assert earlier.change_of_class("dog", 0.5) == 0.25
    assert earlier.change_of_class("cat", 0.5) is None


def test_runs_differ_when_a_figure_does_that_both_have():
    assert differs(Earlier("a run", "", {"AP": 0.25}, {}), {"AP": 0.5, "AP50": 0.5})
    assert not differs(Earlier("a run", "", {"AP": 0.5}, {}), {"AP": 0.5, "AP50": 0.5})
    assert differs(Earlier("a run", "", {"AP": None}, {}), {"AP": 0.5})
    assert not differs(None, {"AP": 0.5})
