from pathlib import Path

import pytest
from small_detector import ANCHORS, DESCRIPTION, train_small
from square_records import CLASSES, records_of

from ssd.engine.checkpoint import Checkpoint, build_network, load_checkpoint, save_checkpoint
from ssd.model.weights import initialise


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A detector that learnt to find a yellow square; for reading only."""
    net = build_network(DESCRIPTION)
    initialise(net, 1, 0.01)
    list(train_small(net))
    path = tmp_path_factory.mktemp("models") / "ssd.safetensors"
    save_checkpoint(path, net, ANCHORS, DESCRIPTION)
    return load_checkpoint(path)


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return records_of(tmp_path_factory.mktemp("data"), CLASSES)
