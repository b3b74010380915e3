"""`ssd`, or `python -m ssd`: what is done outside the pipeline, one subcommand each."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssd import telling
from ssd.commands import convert, detect, export
from ssd.files import told
from ssd.runtime import leave_when_stopped


def main(arguments: list[str] | None = None) -> None:
    """Run a subcommand; bad input ends it with one sentence on stderr and exit code 1.

    Args:
        arguments: None: those of the command line; then Ctrl-C ends the process at once.
    """
    given = _parser().parse_args(arguments)
    if arguments is None:
        leave_when_stopped()
    telling.listen(verbose=given.verbose, quiet=given.quiet)
    telling.tell_versions()
    try:
        given.run(given)
        telling.LOG.debug("done")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {telling.on_one_line(told(error))}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ssd" if Path(sys.argv[0]).stem == "ssd" else "python -m ssd",
        description="The SSD detector outside its pipeline: on photos and videos, for other programs, and from theirs.",
        epilog="COMMAND --help says more. The pipeline itself is run by DVC (dvc repro), in the project's folder.",
    )
    parser.add_argument("--version", action=_Version, help="tell the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for each in (detect, export, convert):
        each.add(commands)
    for command in commands.choices.values():
        telling.add_options(command)
    return parser


class _Version(argparse.Action):
    """Tells the version that is installed."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version  # takes a while

        print(f"ssd {version('ssd')}")
        parser.exit()


if __name__ == "__main__":
    main()
