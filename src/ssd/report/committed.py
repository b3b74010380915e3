"""The figures of another run to compare with: as Git has them, or as they lie in another folder.

What HEAD is, DVC does not know: a page that is taken from the cache shows the comparison as of when it was made. So the
page names the commit; and where the figures are those of HEAD itself there is nothing to compare, so that a run that
reproduces what is committed makes the page from the stage's inputs alone.
"""

import csv
import io
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from ssd.files import parse_json
from ssd.report.fields import Row, Value, read_tree
from ssd.report.inputs import FIGURES


@dataclass(frozen=True)
class Earlier:
    """Figures of another run: by name, None where undefined, absent where that run did not have them.

    `name` says which run it is, as in "against NAME", `subject` says more, or nothing; `classes` has AP by class.
    """

    name: str
    subject: str
    figures: dict[str, float | None]
    classes: dict[str, float | None]

    def change(self, name: str, now: float | None) -> float | None:
        """By how much a figure is higher now; None where it is undefined here or there."""
        return _difference(now, self.figures.get(name))

    def change_of_class(self, name: str, now: float | None) -> float | None:
        """By how much the AP of a class is higher now; None where it is undefined here or there."""
        return _difference(now, self.classes.get(name))


def _difference(now: float | None, then: float | None) -> float | None:
    return None if then is None or now is None else now - then


def of_head(evaluation: Path, classes: Path) -> Earlier | None:
    """The run in Git's HEAD; None where there is no Git or no figures in it.

    It is named by the last commit that changed the figures.

    Args:
        evaluation: evaluate.json, relative to the working folder.
        classes: per_class.csv, likewise.

    Raises:
        ValueError: what HEAD has is damaged.
    """
    return _of_commit("HEAD", evaluation, classes, "the last committed run")


def of(run: str, evaluation: Path, classes: Path) -> Earlier:
    """Another run: a folder that has a project, or else a revision of this repository or the name of an experiment.

    Raises:
        ValueError: there is no such run, or it lacks the files, or they are damaged.
    """
    if Path(run).is_dir():
        place = Path(run)
        return Earlier(
            run,
            "",
            _figures(read_tree(place / evaluation)),
            _by_class(_content(place / classes), str(place / classes)),
        )
    found = _of_commit(run, evaluation, classes, run)
    if found is None:
        # DVC keeps an experiment under refs/exps/ and the commit that it started from
        told = _git("for-each-ref", "--sort=-committerdate", "--format=%(objectname)", f"refs/exps/*/*/{run}")
        commit = (told or b"").decode("ascii").partition("\n")[0]
        found = _of_commit(commit, evaluation, classes, run) if commit else None
        found = found and replace(found, subject="")  # DVC's own words
    if found is None:
        raise ValueError(
            f"{run}: expected a folder, a revision of Git or an experiment with {evaluation}, got none"
        )
    return found


def differs(earlier: Earlier | None, figures: dict[str, float | None]) -> bool:
    """Whether there is another run, with other figures."""
    return earlier is not None and any(figures[name] != then for name, then in earlier.figures.items())


def _of_commit(revision: str, evaluation: Path, classes: Path, called: str) -> Earlier | None:
    text = _git("show", f"{revision}:./{evaluation.as_posix()}", "--")
    if text is None:
        return None
    address = f"{revision}:{evaluation.as_posix()}"
    figures = _figures(Value(parse_json(text, address), None, address))
    table = _git("show", f"{revision}:./{classes.as_posix()}", "--")
    by_class = {} if table is None else _by_class(table, f"{revision}:{classes.as_posix()}")
    told = _git("log", "-1", "--format=%H%n%cs%n%s", revision, "--", f"./{evaluation.as_posix()}") or b"\n\n"
    commit, date, subject = told.decode("utf-8", "replace").split("\n")[:3]
    before = "" if commit.startswith(called) else f"{called}, "
    return Earlier(f"{before}commit {commit[:8]} of {date}", subject, figures, by_class)


def _git(*arguments: str) -> bytes | None:
    """What Git says; None where there is no Git or it has nothing to say."""
    program = shutil.which("git")
    if program is None:
        return None
    done = subprocess.run([program, *arguments], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return done.stdout if done.returncode == 0 else None


def _figures(tree: Value) -> dict[str, float | None]:
    return {name: tree[name].number_or_none() for name in FIGURES if tree.has(name)}


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None


def _by_class(table: bytes, address: str) -> dict[str, float | None]:
    """AP by class, of the content of a per_class.csv."""
    try:
        rows = list(csv.DictReader(io.StringIO(table.decode("utf-8"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{address}: expected a table in UTF-8, got one that cannot be read ({error})"
        ) from None
    lines = [Row(fields, f"{address}: row {number}") for number, fields in enumerate(rows, start=1)]
    return {line.text("class"): line.number_or_none("AP") for line in lines}
