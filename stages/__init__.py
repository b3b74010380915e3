"""The six stages; each runs as `python -m stages.NAME` from the project's folder, with and without DVC."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

# A queued experiment runs in a copy of the repository: it must import that copy's package, not the installed one.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))


def run_stage(main: Callable[[], None], description: str | None) -> None:
    """Run a stage from the command line; bad input ends it with one sentence on stderr and exit code 1."""
    argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
