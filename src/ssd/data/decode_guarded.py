"""From an encoded photo that may be damaged to its size, in a process of its own.

OpenCV's decoders are C: a photo that crashes them, takes for ever or wants all memory ends that process, is told
as a fault, and the next photo gets a new one. What libjpeg says on stderr of a damaged photo that it still decodes
is kept with the photo.
"""

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from multiprocessing.connection import Connection
from types import TracebackType

from ssd.data.decode import decode
from ssd.data.faults import Picture

_PATIENCE_S = 30.0
_START_S = 60.0
_MOST_BYTES = 4 << 30
"""Address space of the process: OpenCV takes pictures of 2^30 pixels, which is more than a small machine has."""


class GuardedDecoder:
    """Decodes photos in a child process: `with GuardedDecoder() as measure: measure(encoded)`."""

    def __init__(self, patience_s: float = _PATIENCE_S) -> None:
        """Nothing is started yet.

        Args:
            patience_s: seconds that one photo may take.
        """
        self._patience_s = patience_s
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> "GuardedDecoder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def __call__(self, encoded: bytes) -> Picture:
        """Size of the photo, and what the decoder complained of."""
        if self._process is None:
            self._start()
        assert self._process is not None and self._connection is not None
        try:
            self._connection.send_bytes(encoded)
            if self._connection.poll(self._patience_s):
                return Picture(*self._connection.recv())
            fault = f"its decoder took more than {self._patience_s:g} s"
        except (EOFError, OSError):
            self._process.join(1)
            fault = f"its decoder crashed, exit code {self._process.exitcode}"
        self._stop()
        return Picture(None, fault)

    def _start(self) -> None:
        # Not a fork: what the caller has running, MindSpore's threads or a progress bar, is left out.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        if not self._connection.poll(_START_S):
            self._stop()
            raise OSError(f"expected a process that decodes pictures, got none within {_START_S:g} s")

        self._connection.recv()

    def _stop(self) -> None:
        if self._process is not None and self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.join()
        self._process = self._connection = None


def _serve(connection: Connection) -> None:
    """Answer photos with their sizes until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other end decides
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        connection.send("ready")
        while True:
            try:
                encoded = connection.recv_bytes()
            except EOFError:
                return
            pixels = decode(encoded)
            os.lseek(2, 0, os.SEEK_SET)
            complaint = os.read(2, 4096).decode("utf-8", "replace").partition("\n")[0]
            os.ftruncate(2, 0)
            os.lseek(2, 0, os.SEEK_SET)
            connection.send((None if pixels is None else pixels.shape[:2], complaint))
