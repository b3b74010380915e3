"""A folder that one process at a time works in."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "lock"


@contextmanager
def locked_folder(folder: Path) -> Iterator[Path]:
    """`folder`, made if it is not there, while no other process has it; it is removed at the end if it is empty.

    The lock is the kernel's, so that it ends with its process, however that ends.

    Raises:
        ValueError: another process has it.
        OSError: it cannot be written into.
    """
    lock = folder / LOCK
    descriptor = _lock(folder, lock)
    try:
        yield folder
    finally:
        if not any(path.name != LOCK for path in folder.iterdir()):
            lock.unlink()
            folder.rmdir()
        os.close(descriptor)


def _lock(folder: Path, lock: Path) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            continue  # its holder removed the folder just now
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode() or "unknown"
            os.close(descriptor)
            raise ValueError(
                f"{folder}: expected to be alone, but process {holder} is at the same training; "
                "wait for it, or stop it and start again"
            ) from None
        if lock.exists() and os.stat(lock).st_ino == os.fstat(descriptor).st_ino:
            try:
                os.truncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
            except OSError as error:  # which names no file
                lock.unlink()
                os.close(descriptor)
                raise OSError(error.errno, error.strerror, str(lock)) from None
            return descriptor
        os.close(descriptor)  # its holder removed it just now
