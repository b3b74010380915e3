"""The six stages; each runs as `python -m stages.NAME` from the project's folder, with and without DVC."""

import argparse
import ast
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

# A picture of a thousand million pixels takes a small file and gigabytes; OpenCV reads this when it is imported.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))

Options = Mapping[str, Mapping[str, Any]]
"""Options of a stage's own by their names, each with what `argparse` is told of it."""

NO_OPTIONS: Options = MappingProxyType({})

# A queued experiment runs in a copy of the repository: it must import that copy's package, not the installed one.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from ssd import telling  # noqa: E402 - of this copy
from ssd.runtime import leave_when_stopped  # noqa: E402


def run_stage(
    main: Callable[[], None],
    description: str | None,
    options: Options = NO_OPTIONS,
    instead: Callable[..., None] | None = None,
) -> None:
    """Run a stage from the command line; bad input ends it with one sentence on stderr and exit code 1.

    Ctrl-C ends it with exit code 130.

    Args:
        main: the stage.
        description: what --help says.
        options: the stage's OPTIONS, a literal: it is read before the stage is imported.
        instead: what runs in place of `main` when options are given, with these as its arguments.
    """
    given = _parse_arguments(Path(sys.argv[0]).stem, description, options)
    leave_when_stopped()
    telling.tell_versions()
    try:
        if instead is not None and given:
            instead(**given)
        else:
            main()
        telling.LOG.debug("done")
    except (ValueError, OSError) as error:
        from ssd.files import told  # not above: --help imports nothing

        sys.exit(f"error: {telling.on_one_line(told(error))}")


def project() -> Path:
    """The project's folder, for paths of the user's own and for work/.

    A queued experiment runs in a copy of the project, and is told here where the project is.
    """
    return Path(os.environ.get("DVC_ROOT", "."))


def _parse_arguments(name: str, description: str | None, options: Options) -> dict[str, Any]:
    """The stage's own options that are given; -v and -q hold from here on."""
    parser = argparse.ArgumentParser(
        prog=f"python -m stages.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    telling.add_options(parser)
    for option, told in options.items():
        parser.add_argument(option, **told)
    given = vars(parser.parse_args())
    telling.listen(verbose=given.pop("verbose"), quiet=given.pop("quiet"))
    return given


def _before_imports() -> None:
    """Answer --help, wrong arguments and Ctrl-C already while a stage is imported, which may take seconds."""
    name = sys.orig_argv[-len(sys.argv)].rpartition(".")[2]
    path = Path(__file__).with_name(f"{name}.py")
    if path.is_file():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        _parse_arguments(name, ast.get_docstring(tree), _options(tree))
        leave_when_stopped()


def _options(stage: ast.Module) -> Options:
    """The literal OPTIONS of a stage, if it has one."""
    for node in stage.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "OPTIONS":
            return ast.literal_eval(node.value)
    return NO_OPTIONS


if sys.argv[0] == "-m":  # so it is while `python -m` looks for the stage
    _before_imports()
