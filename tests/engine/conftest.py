from pathlib import Path

import pytest
from small_detector import ANCHORS, DESCRIPTION, Learnt, train_small, weights_of

from ssd.engine.checkpoint import build_network, save_checkpoint
from ssd.model.weights import initialise


@pytest.fixture(scope="session")
def learnt() -> Learnt:
    net = build_network(DESCRIPTION)
    initialise(net, 1, 0.01)
    history, after_three = [], {}
    for losses in train_small(net):
        history.append(losses)
        if losses.epoch == 3:
            after_three = weights_of(net)
    return Learnt(net, history, after_three)


@pytest.fixture(scope="session")
def checkpoint_path(learnt: Learnt, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The learnt network's checkpoint; for reading only."""
    path = tmp_path_factory.mktemp("models") / "ssd.safetensors"
    save_checkpoint(path, learnt.net, ANCHORS, DESCRIPTION)
    return path
