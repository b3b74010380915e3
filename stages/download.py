"""Stage download: bring the data set that params.yaml names into data/raw."""

from dataclasses import dataclass
from pathlib import Path

from ssd.config import Dataset, load_params
from ssd.data.sources.raw import fill_raw
from ssd.files import folder_told, replacing_folder
from ssd.telling import LOG
from stages import project, run_stage


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    dataset: Dataset


def main() -> None:
    """Read `dataset`, write data/raw; what is downloaded stays in work/downloads."""
    params = load_params("params.yaml", Params)
    with replacing_folder(Path("data/raw")) as folder:
        fill_raw(params.dataset, folder, project=project(), downloads=project() / "work" / "downloads")
    LOG.info("data/raw: source %s, %s", params.dataset.source, folder_told(Path("data/raw")))


if __name__ == "__main__":
    run_stage(main, __doc__)
