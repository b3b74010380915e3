"""All that is claimed to be fast, measured one after the other, as the tables of docs/performance.md.

Run: make bench, or python benchmarks [--only network matching ...]. Each part is a process of its own, so that none
leaves threads or memory to the next; three quarters of an hour in all on two cores. Rows against PyTorch need
`pip install -e '.[bench]'`. `python benchmarks/scale.py`, which takes an hour more, has its table in docs/scale.md.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
PARTS = (
    "network",
    "default_run",
    "input_pipeline",
    "waiting",
    "matching",
    "detections",
    "evaluation_memory",
    "startup",
)


def measured(part: str) -> str:
    """The table that a part prints."""
    command = [sys.executable, str(HERE / f"{part}.py")]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(printed, flush=True)
    return "".join(line for line in printed.splitlines(keepends=True) if line.startswith("|"))


def main() -> None:
    """Measure part by part, and put each table in its place on the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS)
    )
    for part in parser.parse_args().only:
        begin, end = f"<!-- begin: {part} -->\n", f"<!-- end: {part} -->\n"
        table = measured(part)
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
        after = rest.partition(end)[2]
        PAGE.write_text(before + begin + table + end + after, encoding="utf-8")


if __name__ == "__main__":
    main()
