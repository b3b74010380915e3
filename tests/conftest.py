"""What all tests share."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from ssd.telling import LOG, listen

if TYPE_CHECKING:
    from small_detector import Learnt

# A busy machine is no fault of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def told() -> Iterator[None]:
    """Lines are told as on the command line, whatever a test before this one asked for."""
    listen(verbose=False, quiet=False)
    yield
    LOG.handlers = []
    LOG.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def learnt() -> "Learnt":
    """The small detector that learnt to find a yellow square."""
    from small_detector import DESCRIPTION, Learnt, train_small, weights_of

    from ssd.engine.checkpoint import build_network
    from ssd.model.weights import initialise

    net = build_network(DESCRIPTION)
    initialise(net, 1, 0.01)
    history, after_three = [], {}
    for losses in train_small(net):
        history.append(losses)
        if losses.epoch == 3:
            after_three = weights_of(net)
    return Learnt(net, history, after_three)


@pytest.fixture(scope="session")
def checkpoint_path(learnt: "Learnt", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The learnt network's checkpoint; for reading only."""
    from small_detector import ANCHORS, DESCRIPTION

    from ssd.engine.checkpoint import save_checkpoint

    path = tmp_path_factory.mktemp("models") / "ssd.safetensors"
    save_checkpoint(path, learnt.net, ANCHORS, DESCRIPTION)
    return path
