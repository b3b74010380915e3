"""What several subcommands take."""

import argparse
from pathlib import Path


def add_model(command: argparse.ArgumentParser) -> None:
    """Add --model."""
    command.add_argument(
        "--model",
        type=Path,
        default=Path("models/ssd.safetensors"),
        metavar="FILE",
        help="the checkpoint (default: %(default)s)",
    )
