"""The figures of another run to compare with: as Git has them, or as they lie in another folder.

What HEAD is, DVC does not know: a page that is taken from the cache shows the comparison as of when it was made. So the
page names the commit; and where the figures are those of HEAD itself there is nothing to compare, so that a run that
reproduces what is committed makes the page from the stage's inputs alone.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ssd.files import parse_json
from ssd.report.fields import Value, read_tree
from ssd.report.inputs import FIGURES


@dataclass(frozen=True)
class Earlier:
    """Figures of another run: by name, None where undefined, absent where that run did not have them.

    `name` says which run it is, as in "against NAME", `subject` says more, or nothing.
    """

    name: str
    subject: str
    figures: dict[str, float | None]

    def change(self, name: str, now: float | None) -> float | None:
        """By how much a figure is higher now; None where it is undefined here or there."""
        then = self.figures.get(name)
        return None if then is None or now is None else now - then


def of_head(path: Path) -> Earlier | None:
    """The figures that Git's HEAD has in `path`; None where there is no Git or no such file in it.

    The run is named by the last commit that changed the file.

    Raises:
        ValueError: what HEAD has is damaged.
    """
    return _of_revision(path, "HEAD", "the last committed run, ")


def of(run: str, path: Path) -> Earlier:
    """The figures in `path` of another run: a folder that has a project, or else a revision of this repository.

    Raises:
        ValueError: no such folder or revision, or it has no such file, or a damaged one.
    """
    if Path(run).is_dir():
        return Earlier(run, "", _figures(read_tree(Path(run) / path)))
    found = _of_revision(path, run, f"{run}, ")
    if found is None:
        raise ValueError(f"{run}: expected a folder or a revision of Git with {path}, got neither")
    return found


def differs(earlier: Earlier | None, figures: dict[str, float | None]) -> bool:
    """Whether there is another run, with other figures."""
    return earlier is not None and any(figures[name] != then for name, then in earlier.figures.items())


def _of_revision(path: Path, revision: str, called: str) -> Earlier | None:
    text = _git("show", f"{revision}:./{path.as_posix()}", "--")
    if text is None:
        return None
    address = f"{revision}:{path.as_posix()}"
    figures = _figures(Value(parse_json(text, address), None, address))
    told = _git("log", "-1", "--format=%H%n%cs%n%s", revision, "--", f"./{path.as_posix()}") or b"\n\n"
    commit, date, subject = told.decode("utf-8", "replace").split("\n")[:3]
    before = "" if commit.startswith(revision) else called
    return Earlier(f"{before}commit {commit[:8]} of {date}", subject, figures)


def _git(*arguments: str) -> bytes | None:
    """What Git says; None where there is no Git or it has nothing to say."""
    program = shutil.which("git")
    if program is None:
        return None
    done = subprocess.run([program, *arguments], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return done.stdout if done.returncode == 0 else None


def _figures(tree: Value) -> dict[str, float | None]:
    return {name: tree[name].number_or_none() for name in FIGURES if tree.has(name)}
