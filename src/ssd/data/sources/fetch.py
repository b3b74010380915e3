"""One file from the web, or from the user's hand: downloaded aside, checked, then given its name.

The bytes are moved by the `download` package, with its ways kept in check: it unpacks what it gets without a
look inside (so here it only ever fetches a plain file), writes to stdout, and may wait for ever for a server
that fell silent. It has no second try, but goes on with a partial file, so that trying again costs little.
"""

import errno
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from download import download

from ssd import files
from ssd.telling import shows_progress

TRIES = 5


def fetch(
    url: str, path: Path, sha256: str | None, check: Callable[[Path], None], timeout: float = 30.0
) -> str:
    """The SHA-256 of the file at `path`, which is downloaded when it is not there.

    A file that is there is never changed or removed. A download gets the name `path` only after the digest
    and `check` held; until then it is called `….unchecked.part` (a part, which the next call goes on with) or
    `….unchecked` (refused: the next call downloads it again).

    Args:
        url: http or https address.
        path: where the file is or will be.
        sha256: the digest that it must have, or None for any.
        check: raises a ValueError, beginning with the path it was given, for a download that is not what it
            should be.
        timeout: seconds without a byte before a connection counts as lost.

    Raises:
        OSError: a full disk; the part that is there stays.
        ValueError: wrong digest, an address that gives no file, or a download that `check` refuses.
    """
    if path.exists():
        digest = files.sha256(path)
        if sha256 not in (None, digest):
            raise ValueError(
                f"{path}: expected sha256 {sha256}, got {digest}; put the right file there, or remove it to "
                f"have it downloaded, or correct dataset.archive.sha256 if this file is the right one"
            )
        return digest
    unchecked = path.with_name(path.name + ".unchecked")
    _download(url, unchecked, path, timeout)
    digest = files.sha256(unchecked)
    if sha256 not in (None, digest):
        raise ValueError(
            f"{unchecked}: expected sha256 {sha256}, got {digest} from {url}; the file is not used: correct "
            f"dataset.archive.url, or, if it is the right file, rename it to {path.name} and correct "
            f"dataset.archive.sha256"
        )
    try:
        check(unchecked)
    except ValueError as error:
        raise ValueError(f"{error} (downloaded from {url}; the file is not used)") from None
    os.replace(unchecked, path)
    return digest


def _download(url: str, target: Path, wanted: Path, timeout: float) -> None:
    """Download `url` to `target`, going on with a partial file as long as each try brings it further."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"dataset.archive.url: expected an http or https address, got {url!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for _ in range(TRIES):
        before = _size(part)
        try:
            with _well_behaved(timeout):
                download(
                    url,
                    str(target),
                    replace=True,
                    timeout=timeout,
                    progressbar=shows_progress(),
                    verbose=False,
                )
            return
        except IndexError:
            raise ValueError(
                f"{url}: expected a Google Drive address of the form https://drive.google.com/file/d/ID/view"
            ) from None
        except RuntimeError as error:
            cause = _first_cause(error)
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(cause.errno, cause.strerror, str(part))
        if isinstance(cause, RuntimeError):  # the partial file does not fit what the server has now
            part.unlink(missing_ok=True)
        elif _size(part) <= before:
            break
    reason = str(cause).removeprefix("Error: ").split("*")[0] or type(cause).__name__
    raise ValueError(
        f"{url}: expected a file to download, got {reason!r}; check dataset.archive.url and the network, "
        f"or put the file by hand at {wanted}"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _first_cause(error: BaseException) -> BaseException:
    """What went wrong first: `download` wraps it, and can fail once more while it handles it."""
    while error.__context__ is not None:
        error = error.__context__
    return error


@contextmanager
def _well_behaved(timeout: float) -> Iterator[None]:
    """Inside, `download` talks on stderr, and the one connection that it opens without a timeout has one."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)
