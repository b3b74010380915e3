from pathlib import Path

import pytest
from square_records import CLASSES, records_of

from ssd.engine.checkpoint import Checkpoint, load_checkpoint


@pytest.fixture(scope="session")
def checkpoint(checkpoint_path: Path) -> Checkpoint:
    """A detector that learnt to find a yellow square; for reading only."""
    return load_checkpoint(checkpoint_path)


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return records_of(tmp_path_factory.mktemp("data"), CLASSES)
