"""Why `ssd.runtime` caps oneDNN's kernels at AVX2: a convolution of VGG16 under each cap, side by side.

Run: python benchmarks/convolution.py
"""

import os
import subprocess
import sys
import time

CAPS = ("AVX2", "DEFAULT")
ROUNDS = 3


def measure() -> None:
    """Print the seconds of one 3x3 convolution, 128 channels to 128, on 4 maps of 38x38: the best of 12."""
    import mindspore as ms
    import mindspore.nn as nn
    import numpy as np

    convolution = nn.Conv2d(128, 128, 3, pad_mode="pad", padding=1)
    maps = ms.Tensor(np.random.default_rng(0).normal(size=(4, 128, 38, 38)).astype(np.float32))

    @ms.jit
    def run(x: ms.Tensor) -> ms.Tensor:
        return convolution(x)

    seconds = []
    for _ in range(12):
        start = time.perf_counter()
        run(maps).asnumpy()
        seconds.append(time.perf_counter() - start)
    print(min(seconds))


def main() -> None:
    """Measure each cap in processes of their own, in turn, and print medians and their ratio."""
    results: dict[str, list[float]] = {cap: [] for cap in CAPS}
    for _ in range(ROUNDS):
        for cap in CAPS:
            environment = {**os.environ, "GLOG_v": "3", "ONEDNN_MAX_CPU_ISA": cap}
            child = [sys.executable, __file__, "--measure"]
            output = subprocess.run(child, env=environment, check=True, capture_output=True, text=True).stdout
            results[cap].append(float(output))
    medians = {cap: sorted(values)[ROUNDS // 2] for cap, values in results.items()}
    for cap, values in results.items():
        print(
            f"{cap:8} median {1e3 * medians[cap]:8.1f} ms   from {1e3 * min(values):.1f} to {1e3 * max(values):.1f}"
        )
    print(f"DEFAULT takes {medians['DEFAULT'] / medians['AVX2']:.1f} times as long as AVX2")


if __name__ == "__main__":
    measure() if sys.argv[1:] == ["--measure"] else main()
