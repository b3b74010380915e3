"""Processes that do the same work by turns: while one works, the others are stopped.

Two frameworks in one process would share threads and memory; two processes at once would share processors.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from measure import Times


@dataclass(frozen=True)
class Turns:
    """What a child took: seconds a turn, and the most megabytes that it had at once."""

    seconds: Times
    megabytes: float


def serve(work: Callable[[], object]) -> None:
    """In a child: do the work once for every line that comes in, and tell the seconds that it took."""
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        work()
        print(time.perf_counter() - begin, flush=True)


def contest(children: Mapping[str, Sequence[str]], rounds: int, warm_up: int = 2) -> dict[str, Turns]:
    """Seconds by the clock of each child's work, taken in turn, and its memory.

    Args:
        children: arguments for Python, by name; each process calls `serve`.
        rounds: measured.
        warm_up: rounds before them that are not.

    Raises:
        RuntimeError: a child that ended.
    """
    running: dict[str, subprocess.Popen[str]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in children}
    try:
        for name, arguments in children.items():
            pipe = subprocess.PIPE
            command = [sys.executable, *arguments]
            running[name] = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
            _answer(name, running[name])
            os.kill(running[name].pid, signal.SIGSTOP)
        for number in range(warm_up + rounds):
            for name, child in running.items():
                os.kill(child.pid, signal.SIGCONT)
                print(file=child.stdin, flush=True)
                taken = float(_answer(name, child))
                os.kill(child.pid, signal.SIGSTOP)
                if number >= warm_up:
                    seconds[name].append(taken)
    finally:
        megabytes = {name: _end(child) for name, child in running.items() if child.returncode is None}
    return {name: Turns(Times.of(each), megabytes[name]) for name, each in seconds.items()}


def _end(child: "subprocess.Popen[str]") -> float:
    """End it; the most megabytes that it had at once."""
    child.kill()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / 1024


def _answer(name: str, child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise RuntimeError(f"{name} ended with exit code {child.wait()}")
    return line
