"""Stage mindrecord: what data/raw holds becomes MindRecord files, a class list and COCO-format ground truth.

Reads params.yaml (mindrecord) and data/raw; writes data/records, metrics/mindrecord.json and
metrics/classes.csv. Every record is read back and checked before the records of the last run are replaced.

With --check it writes nothing: it reads the MindRecord files that are named, ours or the MindSpore tutorial's,
record by record, lists every fault by file, row and image, and ends with exit code 1 if there is one. Of a folder
like data/records the manifest is checked too: hashes, rows, and the checksum of each record. Row numbers begin at 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ssd.config import Mindrecord, load_params
from ssd.data.audit import audit
from ssd.data.check import check_files
from ssd.data.record_writer import write_records
from ssd.data.repairs import Repairs
from ssd.data.sources.layouts import read_source
from ssd.data.summary import class_rows, summarise, told
from ssd.files import replacing_folder, write_csv, write_json
from ssd.telling import LOG
from stages import run_stage

OPTIONS = {
    "--check": {
        "nargs": "+",
        "metavar": "FILE",
        "help": "only check these MindRecord files, or all in these folders, and list every fault",
    }
}


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    mindrecord: Mindrecord


def main() -> None:
    """Read the source, write its records, check and count them."""
    params = load_params("params.yaml", Params)
    with replacing_folder(Path("data/records")) as folder:
        repairs, notes = _write(folder, params.mindrecord)
        audit(folder)
        LOG.debug("read every record back")
        metrics = summarise(folder, repairs, notes)
        classes = class_rows(folder)
    write_json(Path("metrics/mindrecord.json"), metrics)
    write_csv(Path("metrics/classes.csv"), ("class", "train", "val"), classes)
    LOG.info("data/records: %s", told(metrics))


def _write(folder: Path, rules: Mindrecord) -> tuple[dict[str, Repairs], tuple[str, ...]]:
    """What was repaired, and what the source says of itself; the source takes memory, and is let go."""
    source = read_source(Path("data/raw"))
    LOG.debug("read %d train and %d val images of data/raw", source.train.count, source.val.count)
    repairs = write_records(folder, source, rules)
    LOG.debug("wrote them, with their annotations, manifest and class list")
    return repairs, source.notes


def only_check(check: Sequence[str]) -> None:
    """Check the files and folders of these names."""
    check_files([Path(name) for name in check])


if __name__ == "__main__":
    run_stage(main, __doc__, OPTIONS, only_check)
