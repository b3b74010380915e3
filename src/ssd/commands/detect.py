"""`ssd detect`: photos and videos of one's own."""

import argparse
from pathlib import Path

from ssd.commands.arguments import add_model
from ssd.telling import LOG


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
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
    add_model(detect)
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
        help="of two boxes of a class that overlap more, the better stays (default: as the published recipes: 0.6 "
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
    detect.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    """Detect on all that was named, and tell what was drawn."""
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
        LOG.error(fault)
    if outcome.results.images:
        LOG.info(outcome.told(given.out))
    if outcome.faults:
        raise ValueError(f"{len(outcome.faults)} of {len(jobs.pictures)} pictures could not be read or drawn")
