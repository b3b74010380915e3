from collections.abc import Iterator

import mindspore as ms
import numpy as np
import pytest
from tiny_network import slim_network

from ssd.model.detector import SSD


@pytest.fixture(scope="session")
def slim() -> SSD:
    """Three classes, conv heads, no batch norm, the first weights of seed 1; for reading only."""
    return slim_network(3, False, "conv", 1).set_train(False)


@pytest.fixture(scope="session")
def photos() -> np.ndarray:
    """Two inputs of coarse noise, [2, 3, 300, 300] float32, about normal."""
    coarse = np.random.default_rng(3).standard_normal((2, 3, 20, 20))
    return coarse.repeat(15, axis=2).repeat(15, axis=3).astype(np.float32)


@pytest.fixture(autouse=True, scope="package")
def every_operation_at_once() -> Iterator[None]:
    """Without compiling, which takes longer than all that these tests compute; the engine's tests do compile."""
    mode = ms.get_context("mode")
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=mode)
