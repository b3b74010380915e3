"""A training in several processes, which MindSpore joins to a cluster: started here, or by its `msrun`.

The processes are those of MindSpore's dynamic cluster: a scheduler, and one worker a rank. Each runs the same command
again and finds its role in the environment.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

from ssd.runtime import prepare_mindspore

ROLE = "MS_ROLE"
LOOK = 0.2
"""Seconds between two looks at the processes."""
GRACE = 1.0
"""Seconds for the others to end after the first that did."""


@dataclass(frozen=True)
class Processes:
    """Which of how many processes that train together this is.

    Attributes:
        rank: from 0.
        count: of all.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes files."""
        return self.rank == 0

    def share(self, rows: int) -> slice:
        """This process' rows of a batch.

        Raises:
            ValueError: a batch of so many rows has no equal shares.
        """
        if rows % self.count:
            raise ValueError(
                f"train.batch_size: expected a multiple of {self.count}, the number of processes; got {rows}"
            )
        each = rows // self.count
        return slice(self.rank * each, (self.rank + 1) * each)


def in_processes(count: int, work: Callable[[Processes], None]) -> None:
    """Run `work`: here, if it is one process, else by this very command in so many.

    In a process that is already one of several, started from here or by `msrun`, it runs there, as one of `msrun`'s
    number.

    Raises:
        ValueError: one of the processes has ended before its time.
    """
    if os.environ.get(ROLE):
        work(_join())
    elif count == 1:
        work(Processes())
    else:
        _launch(count)


def _join() -> Processes:
    """Join the cluster. The scheduler stays in here until the workers are done, and its process ends here."""
    _leave_with_parent()
    prepare_mindspore()
    import mindspore as ms
    from mindspore import communication

    # Ascend's own communication is taken where there is one.
    if ms.get_context("device_target") == "CPU":
        ms.set_device("CPU")
    communication.init()
    atexit.register(_be_quiet)
    return Processes(communication.get_rank(), communication.get_group_size())


def _be_quiet() -> None:
    """Hide what MindSpore's threads say as they end, whatever its log level; errors were told before."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stderr.fileno())


def _leave_with_parent() -> None:
    """End this process as soon as the one that started it is gone, however it went."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _launch(count: int) -> None:
    environment = {
        **os.environ,
        "MS_WORKER_NUM": str(count),
        "MS_SCHED_HOST": "127.0.0.1",
        "MS_SCHED_PORT": str(_free_port()),
    }
    with ExitStack() as open_files:
        logs = [open_files.enter_context(TemporaryFile()) for _ in range(count)]
        scheduler = _start({**environment, ROLE: "MS_SCHED"}, open_files.enter_context(TemporaryFile()))
        workers = [
            _start({**environment, ROLE: "MS_WORKER", "MS_NODE_ID": str(rank), "RANK_ID": str(rank)}, log)
            for rank, log in enumerate([None, *logs[1:]])
        ]
        try:
            _wait(workers, logs)
        finally:
            for process in (*workers, scheduler):
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _start(environment: dict[str, str], log: IO[bytes] | None) -> subprocess.Popen[bytes]:
    """This command once more; without a log it tells what it tells where this process does.

    It has a session of its own, so that Ctrl-C reaches this process alone; it leaves with it.
    """
    command = [sys.executable, *sys.orig_argv[1:]]
    return subprocess.Popen(command, env=environment, start_new_session=True, stdout=log, stderr=log)


def _wait(workers: Sequence[subprocess.Popen[bytes]], logs: Sequence[IO[bytes]]) -> None:
    """Until all workers have ended well.

    Raises:
        ValueError: one has not, or DVC, which is to take the results, is gone.
        SystemExit: the first one has not, and has told why.
    """
    parent = os.getppid()
    while None in (codes := [worker.poll() for worker in workers]):
        if any(codes):
            time.sleep(GRACE)
            break
        if os.getppid() != parent and "DVC_STAGE" in os.environ:
            raise ValueError("training: DVC is gone; run it again: it goes on from its latest state")
        time.sleep(LOOK)
    ended = {rank: code for rank, worker in enumerate(workers) if (code := worker.poll())}
    if ended:
        _tell(ended, logs)


def _tell(ended: dict[int, int], logs: Sequence[IO[bytes]]) -> None:
    """Say why processes have ended, of which here are the exit codes by rank.

    One that was killed has others stop themselves, and so comes first.

    Raises:
        ValueError: with what is known of it.
        SystemExit: the first process has told it.
    """
    killed = [rank for rank, code in ended.items() if code < 0]
    if not killed and ended.get(0) == 1:
        sys.exit(1)
    rank = killed[0] if killed else min(ended, key=lambda rank: ended[rank] != 1)
    code = ended[rank]
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    logs[rank].seek(0)
    lines = logs[rank].read().decode(errors="replace").splitlines()
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    why = f" ({told[-1]})" if told else ""
    raise ValueError(
        f"training: process {rank} of {len(logs)} {how}{why}, and the others were stopped; "
        "run it again: it goes on from its latest state"
    )
