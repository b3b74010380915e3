from pathlib import Path

import pytest
from small_detector import ANCHORS, DESCRIPTION, train_small

from ssd.detect.detector import Detector
from ssd.engine.checkpoint import build_network, save_checkpoint
from ssd.model.weights import initialise


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that learnt to find a yellow square; for reading only."""
    net = build_network(DESCRIPTION)
    initialise(net, 1, 0.01)
    list(train_small(net))
    path = tmp_path_factory.mktemp("models") / "ssd.safetensors"
    save_checkpoint(path, net, ANCHORS, DESCRIPTION)
    return path


@pytest.fixture(scope="session")
def detector(model: Path) -> Detector:
    return Detector.load(model)
