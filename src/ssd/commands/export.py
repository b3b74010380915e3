"""`ssd export`: the detector for other programs."""

import argparse
from pathlib import Path

from ssd.commands.arguments import add_model
from ssd.telling import LOG


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    export = commands.add_parser(
        "export",
        help="write the detector as ONNX or MINDIR for other programs",
        description="Write a checkpoint as ONNX or MINDIR, if what it detects is what the checkpoint does.",
        epilog="Beside the file comes a .json of the same name: input, outputs, classes, and how it compares.",
    )
    export.add_argument("--format", choices=("onnx", "mindir"), required=True, help="of the file to write")
    add_model(export)
    export.add_argument(
        "--out", type=Path, metavar="FILE", help="the export (default: as the checkpoint, .onnx or .mindir)"
    )
    export.add_argument(
        "--params",
        type=Path,
        default=Path("params.yaml"),
        metavar="FILE",
        help="in its section evaluate, the rules of selection (default: %(default)s)",
    )
    export.add_argument(
        "--no-nms",
        action="store_true",
        help="ONNX without NMS, for programs that do not have it; MINDIR never has it",
    )
    pictures = export.add_mutually_exclusive_group()
    pictures.add_argument(
        "--records",
        type=Path,
        default=Path("data/records"),
        metavar="FOLDER",
        help="on whose validation images both are compared and measured (default: %(default)s)",
    )
    pictures.add_argument(
        "--no-records", action="store_true", help="compare the outputs alone, on noise, and measure nothing"
    )
    export.add_argument(
        "--images", type=int, metavar="N", help="compare on the first N images (default: all)"
    )
    export.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    """Export, compare, and tell how well it does."""
    from ssd.config import load_params
    from ssd.export.formats import Params, require_ready

    out = given.out or given.model.with_suffix(f".{given.format}")
    require_ready(out, given.format)
    rules = load_params(given.params, Params).evaluate

    from ssd.export.run import beside, export

    records = None if given.no_records else given.records
    comparison = export(
        given.model, out, given.format, rules, records, nms=not given.no_nms, images=given.images
    )
    LOG.info(f"{out}: {comparison.told()}; more in {beside(out)}")
