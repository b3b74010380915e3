"""What must be set before MindSpore is imported; every module that imports it calls `prepare_mindspore` first."""

import os
import signal
from functools import cache

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""


def prepare_mindspore() -> None:
    """Set MindSpore's environment, where the user has not set it.

    - Only errors are logged: its warnings speak of its own internals.
    - Kernels stop at AVX2. With AVX-512, oneDNN inside MindSpore 2.10 takes its reference kernel for every 3x3
      convolution, which takes some 100 times as long (`python benchmarks/convolution.py` shows it); and processors
      with and without AVX-512 then run the same kernels.
    """
    os.environ.setdefault("GLOG_v", "3")
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Threads of each kernel: one a processor, which the processes of a training share (on one machine)."""
    return max(1, processors() // int(os.environ.get("MS_WORKER_NUM", "1")))


@cache
def compile_whole_cells() -> None:
    """Have MindSpore compile a cell that is called, and run it on all processors; before the first operation.

    - Graph mode: a call compiles the whole cell and returns when it is done. Functions under `ms.jit` return at
      once, and fetching their result spins: on two processors that takes one of them from the kernels.
    - One thread a processor for every kernel. Left alone, MindSpore tries several splits of each kernel in its
      first launches and keeps the fastest: beside a busy process it can settle on one thread for the whole run,
      and what it settles on depends on chance.
    """
    import mindspore as ms

    ms.set_context(mode=ms.GRAPH_MODE)
    ms.device_context.cpu.op_tuning.threads_num(threads())


def leave_when_stopped() -> None:
    """End at once on Ctrl-C, and on SIGTERM, which MindSpore makes of it while its graphs run.

    A KeyboardInterrupt would be lost in MindSpore's C++, or crash it. What is written is written aside: the
    old files stay, and the next run clears away what was left half written.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)


def _leave(*_: object) -> None:
    try:
        os.write(2, b"stopped\n")  # print may be what was interrupted
    finally:
        os._exit(STOPPED)
