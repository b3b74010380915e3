"""`python -m ssd`: what is done outside the pipeline, one subcommand each."""

import argparse
import sys
from pathlib import Path

from ssd.files import told
from ssd.runtime import leave_when_stopped


def main(arguments: list[str] | None = None) -> None:
    """Run a subcommand; bad input ends it with one sentence on stderr and exit code 1.

    Args:
        arguments: None: those of the command line; then Ctrl-C ends the process at once.
    """
    given = _parser().parse_args(arguments)
    if arguments is None:
        leave_when_stopped()
    try:
        given.run(given)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {told(error)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ssd", description="SSD outside the pipeline.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    convert = commands.add_parser(
        "convert",
        help="make a checkpoint of torchvision's SSD300",
        description="Make a checkpoint that stage evaluate takes of torchvision's ssd300_vgg16.",
    )
    convert.add_argument("source", type=Path, metavar="SOURCE", help="its weights: .pth or .safetensors")
    convert.add_argument("out", type=Path, metavar="OUT.safetensors", help="the checkpoint")
    convert.add_argument(
        "--records",
        type=Path,
        metavar="FOLDER",
        help="records whose classes it was trained on, as data/records; without it, COCO's 80 classes",
    )
    convert.set_defaults(run=_convert)
    _add_detect(commands)
    _add_export(commands)
    return parser


def _add_detect(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    detect = commands.add_parser(
        "detect",
        help="find and draw objects in photos, folders of photos and videos",
        description="Find the objects in photos and videos, draw them, and write them down in COCO's form.",
        epilog="Each picture and video is drawn in a file of its name in the folder of --out, with detections.json "
        "and images.json beside them. A video is a file whose name ends in .mp4, .mov, .avi, .mkv or the like; of a "
        "folder all .jpg, .jpeg, .png, .bmp and .webp are taken.",
    )
    detect.add_argument(
        "inputs", type=Path, nargs="+", metavar="PHOTO|FOLDER|VIDEO", help="any number of each"
    )
    _add_model(detect)
    detect.add_argument(
        "--out",
        type=Path,
        default=Path("detections"),
        metavar="FOLDER",
        help="for the results (default: %(default)s)",
    )
    detect.add_argument(
        "--min-score",
        type=float,
        default=0.3,
        metavar="S",
        help="detections score above this, from 0 to 1 (default: %(default)s)",
    )
    detect.add_argument(
        "--nms-iou",
        type=float,
        metavar="IOU",
        help="of two boxes of a class that overlap more, the better stays (default: as the network's recipe: 0.6 "
        "if its scores are sigmoids, else 0.45)",
    )
    detect.add_argument(
        "--max-detections",
        type=int,
        default=100,
        metavar="N",
        help="at most so many in a picture (default: %(default)s)",
    )
    detect.add_argument(
        "--batch-size",
        type=int,
        default=1,
        metavar="N",
        help="pictures that go through the network together; for machines of many processors: on two, larger "
        "ones are no faster (default: %(default)s)",
    )
    detect.set_defaults(run=_detect)


def _add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export = commands.add_parser(
        "export",
        help="write the detector as ONNX or MINDIR for other programs",
        description="Write a checkpoint as ONNX or MINDIR, if what it detects is what the checkpoint does.",
        epilog="Beside the file comes a .json of the same name: input, outputs, classes, and how it compares.",
    )
    export.add_argument("--format", choices=("onnx", "mindir"), required=True)
    _add_model(export)
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
    export.set_defaults(run=_export)


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        type=Path,
        default=Path("models/ssd.safetensors"),
        metavar="FILE",
        help="the checkpoint (default: %(default)s)",
    )


def _convert(given: argparse.Namespace) -> None:
    # MindSpore, which takes seconds to import, is not needed for --help.
    from ssd.data.records import load_classes
    from ssd.engine.checkpoint import UNUSED
    from ssd.engine.convert import coco_classes, convert_torchvision

    classes = coco_classes()
    if given.records is not None:
        classes = {each.category_id: each.name for each in load_classes(given.records)}
    convert_torchvision(given.source, given.out, classes)
    named = sum(name != UNUSED for name in classes.values())
    print(f"{given.out}: SSD300 of {named} classes; stage evaluate takes it as models/ssd.safetensors")


def _detect(given: argparse.Namespace) -> None:
    # What can be wrong with the files is told before the seconds that importing MindSpore takes.
    from ssd.detect.inputs import gather

    jobs = gather(given.inputs, given.out)

    from ssd.detect.detector import Detector
    from ssd.detect.run import detect_files

    detector = Detector.load(
        given.model,
        min_score=given.min_score,
        nms_iou=given.nms_iou,
        max_detections=given.max_detections,
        batch_size=given.batch_size,
    )
    outcome = detect_files(detector, jobs, given.out, given.batch_size)
    for fault in outcome.faults:
        print(fault, file=sys.stderr)
    if outcome.results.images:
        print(outcome.told(given.out))
    if outcome.faults:
        raise ValueError(f"{len(outcome.faults)} of {len(jobs.pictures)} pictures could not be read or drawn")


def _export(given: argparse.Namespace) -> None:
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
    print(f"{out}: {comparison.told()}; more in {beside(out)}")


if __name__ == "__main__":
    main()
