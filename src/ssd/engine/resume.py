"""A training that goes on where it was stopped."""

from collections.abc import Iterator
from pathlib import Path

from ssd.engine.history import EpochLosses
from ssd.engine.state import load_state, save_state
from ssd.engine.training import Training
from ssd.files import told
from ssd.telling import LOG


def run(training: Training, folder: Path, every: int) -> Iterator[tuple[EpochLosses, ...]]:
    """Train to the end, from the latest state in `folder` if there is one; the losses whenever an epoch is over.

    Args:
        training: before its first step.
        folder: of states of this very training, and of no other.
        every: steps between two states; there is one of the last step too.

    Raises:
        ValueError: a loss or weight that is not finite, or a state that cannot be written.
    """
    _go_on(training, folder)
    if training.history:
        yield training.history
    told = training.history
    for step in training.steps():
        if step % every == 0 or step == len(training.rates):
            _save(folder, training)
        if training.history != told:
            told = training.history
            yield told


def follow(training: Training, folder: Path) -> None:
    """Train beside the process that `run`s, which is the one that writes.

    Raises:
        ValueError: a loss or weight that is not finite.
    """
    _go_on(training, folder)
    for _ in training.steps():
        pass


def _go_on(training: Training, folder: Path) -> None:
    state = load_state(folder)
    training.restore(state)
    if state:
        LOG.warning("going on after step %d of %d (%s)", state.step, len(training.rates), folder)


def _save(folder: Path, training: Training) -> None:
    state = training.state()
    try:
        save_state(folder, state)
    except OSError as error:
        raise ValueError(
            f"training: the state after step {state.step} cannot be written, those before it stay: {told(error)}"
        ) from None
