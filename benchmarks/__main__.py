"""All that is claimed to be fast, measured one after the other, as the table of docs/performance.md.

Run: make bench, or python benchmarks [--only network matching ...]. Each part is a process of its own, so that none
leaves threads or memory to the next; half an hour in all on two cores. Rows against PyTorch need
`pip install -e '.[bench]'`. `python benchmarks/scale.py`, which takes an hour more, has its table in docs/scale.md.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
PARTS = ("network", "input_pipeline", "waiting", "matching", "detections", "evaluation_memory", "startup")
BEGIN, END = "<!-- begin: make bench -->\n", "<!-- end: make bench -->\n"


def measured(part: str) -> list[str]:
    """The table that a part prints, line by line."""
    command = [sys.executable, str(HERE / f"{part}.py")]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(printed, flush=True)
    return [line for line in printed.splitlines() if line.startswith("|")]


def main() -> None:
    """Measure, print, and put the table in its place on the page, when all parts were measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS)
    )
    parts = parser.parse_args().only
    lines: list[str] = []
    for part in parts:
        table = measured(part)
        lines += table if not lines else table[2:]
    if tuple(parts) == PARTS:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
