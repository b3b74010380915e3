"""What a person is told: lines and progress bars, as many as `-v` or `-q` ask for.

A line is a record of the logger `ssd`. Info: what was done, on standard output. Warning: what one should know, on
standard error. Debug: the facts and times of each step, on standard error, only with -v. Without `listen`, as where
the package is imported elsewhere, nothing is told but what Python's logging tells by itself.
"""

import argparse
import logging
import os
import platform
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeVar

from tqdm import tqdm

from ssd.runtime import processors

LOG = logging.getLogger("ssd")

Thing = TypeVar("Thing")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a command -v and -q."""
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        default=False,
        help="tell also the facts and times of each step, versions, and MindSpore's warnings",
    )
    how_much.add_argument(
        "-q", "--quiet", action="store_true", default=False, help="tell only errors, and show no progress"
    )


def listen(*, verbose: bool, quiet: bool) -> None:
    """Tell from now on so much; before MindSpore is imported, whose own level is set too."""
    LOG.setLevel(logging.DEBUG if verbose else logging.ERROR if quiet else logging.INFO)
    LOG.handlers = [_Lines()]
    if verbose:
        os.environ.setdefault("GLOG_v", "2")


def tell_versions() -> None:
    """With -v: what runs here."""
    if LOG.isEnabledFor(logging.DEBUG):
        from importlib.metadata import PackageNotFoundError, version  # takes a while

        found = [f"Python {platform.python_version()}"]
        for name in ("ssd", "mindspore", "numpy", "opencv-python-headless"):
            with suppress(PackageNotFoundError):
                found.append(f"{name} {version(name)}")
        LOG.debug("%s; %d processors", ", ".join(found), processors())


class _Lines(logging.Handler):
    """Writes each record as one line, above the progress bars."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line."""
        line = on_one_line(record.getMessage())
        if record.levelno < logging.INFO:
            line = f"[{record.relativeCreated / 1000:.1f} s] {line}"
        tqdm.write(line, sys.stdout if record.levelno == logging.INFO else sys.stderr)
        sys.stdout.flush()  # a pipe would keep it until the end


def on_one_line(text: str) -> str:
    """`text` without line ends and control characters, which names from foreign files may hold."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def progress(
    what: str, things: Iterable[Thing], total: int | None = None, unit: str = "image"
) -> "tqdm[Thing]":
    """Hands out `things` one by one; on a terminal, and not with -q, a bar shows how far it is, rate and time left.

    Args:
        what: is done.
        things: to hand out.
        total: how many there are, where they do not know it themselves.
        unit: what one of them is called.
    """
    return tqdm(things, what, total, unit=unit, disable=not shows_progress())


def gauge(what: str, total: int, unit: str, done: int = 0) -> "tqdm[Any]":
    """Such a bar whose `update` tells it how far it is.

    Args:
        what: is done.
        total: so much there is to do.
        unit: of `total`; B: bytes.
        done: so much was done before.
    """
    hidden = not shows_progress()
    return tqdm(desc=what, total=total, unit=unit, unit_scale=unit == "B", initial=done, disable=hidden)


def shows_progress() -> bool:
    """Whether bars are shown."""
    return LOG.level <= logging.WARNING and sys.stderr.isatty()
