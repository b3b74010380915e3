from pathlib import Path

import pytest

from ssd.detect.detector import Detector


@pytest.fixture(scope="session")
def model(checkpoint_path: Path) -> Path:
    """A checkpoint that learnt to find a yellow square; for reading only."""
    return checkpoint_path


@pytest.fixture(scope="session")
def detector(model: Path) -> Detector:
    return Detector.load(model)
