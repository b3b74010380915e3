"""The training loop: one compiled step, the losses of each epoch, and the state that it can be gone on from."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import mindspore as ms
import mindspore.nn as nn
import numpy as np
from mindspore import Tensor, ops

from ssd.engine.collective import MeanOfProcesses, moving_statistics, require_same_step, sum_of
from ssd.engine.divergence import ADVICE, likely_cause
from ssd.engine.history import EpochLosses
from ssd.engine.processes import Processes
from ssd.engine.state import State
from ssd.runtime import compile_whole_cells
from ssd.telling import LOG, gauge

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]

ALONE = Processes()


class Data(Protocol):
    """What a training is fed."""

    def batches(self, epoch: int, start: int) -> Iterable[Batch]:
        """The batches of an epoch, counted from 1, from one of its steps on, counted from 0."""

    def image_ids(self, epoch: int, step: int) -> Sequence[int]:
        """The images of one batch."""


@dataclass(frozen=True)
class Freezing:
    """The end of some weights' learning, which spares their gradients (after Brock et al. 2017, FreezeOut).

    Departure: the rate does not fall first for them, layer by layer; they stop where they are.

    Attributes:
        after: so many steps.
        freeze: fixes the weights.
        optimizer: makes the one of the others.
        compiling: what the steps to come are compiled within.
    """

    after: int
    freeze: Callable[[], None]
    optimizer: Callable[[], nn.Optimizer]
    compiling: Callable[[], AbstractContextManager[None]] = nullcontext


class Training:
    """A training that can be stopped after any step and gone on with from its state, with the same result.

    Args:
        net: the network, its first weights set, not compiled yet.
        loss: from (offsets, logits, target offsets, labels) to (total, box part, class part).
        optimizer: of the network's trainable parameters.
        data: the batches of every epoch.
        rates: [steps] the learning rate of every step, as the optimizer has them.
        epochs: how often the data is seen; as many steps in each.
        masks: of dropout in a step, counted from 0 over all epochs; none without dropout.
        clip_norm: a gradient whose norm over all weights is larger is scaled down to it; None: never.
        processes: that train together; `data`, `masks` and `loss` are of this one's share of a batch.
        compiling: what the step is compiled within, such as `kept_graph`.
        freezing: of weights that do not learn to the end; what the optimizer remembers of the others stays.
    """

    def __init__(
        self,
        net: nn.Cell,
        loss: nn.Cell,
        optimizer: nn.Optimizer,
        data: Data,
        rates: np.ndarray,
        epochs: int,
        masks: Callable[[int], tuple[np.ndarray, ...]] = lambda step: (),
        clip_norm: float | None = None,
        processes: Processes = ALONE,
        compiling: Callable[[], AbstractContextManager[None]] = nullcontext,
        freezing: Freezing | None = None,
    ) -> None:
        self.net = net
        self.loss = loss
        self.data = data
        self.rates = rates
        self.epochs = epochs
        self.masks = masks
        self.clip_norm = clip_norm
        self.processes = processes
        self.compiling = compiling
        self.freezing = freezing
        self.compiled = False
        self.taking_step = self._step_by(optimizer)
        moving = moving_statistics(net) if processes.count > 1 else []
        self.averaging = MeanOfProcesses(moving, processes.count) if moving else None
        self.step = 0
        self.history: tuple[EpochLosses, ...] = ()
        self.losses: list[tuple[float, float, float]] = []

    def _step_by(self, optimizer: nn.Optimizer) -> "TrainingStep":
        """The step that this optimiser takes, still to be compiled."""
        return TrainingStep(self.net, self.loss, optimizer, self.clip_norm, self.processes)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one epoch."""
        return len(self.rates) // self.epochs

    def state(self) -> State:
        """All that the steps to come depend on.

        Raises:
            ValueError: a weight that is not finite.
        """
        self._require_finite()
        return State(self.step, self.history, tuple(self.losses), self._tensors())

    def restore(self, state: State | None) -> None:
        """Go back, or on, to a state of the same training, if there is one; before the first step.

        Raises:
            ValueError: another process has another state.
        """
        if state:
            self.step, self.history, self.losses = state.step, state.history, list(state.losses)
            self._freeze_when_due()
            self._set(state.tensors)
        require_same_step(self.step, self.processes)

    def _tensors(self) -> dict[str, np.ndarray]:
        return {each.name: each.asnumpy().copy() for each in self.taking_step.get_parameters()}

    def _set(self, tensors: dict[str, np.ndarray]) -> None:
        for parameter in self.taking_step.get_parameters():
            parameter.set_data(Tensor(tensors[parameter.name]))

    def _freeze_when_due(self) -> None:
        """Go on with another step once some weights are not to learn any more."""
        if self.freezing is None or self.step < self.freezing.after:
            return
        tensors = self._tensors()
        self.freezing.freeze()
        self.taking_step = self._step_by(self.freezing.optimizer())
        self._set(tensors)
        self.compiling, self.compiled, self.freezing = self.freezing.compiling, False, None

    def steps(self) -> Iterator[int]:
        """Take the steps that are left; after each, and after its epoch was closed if it ends one, its number from 1.

        Raises:
            ValueError: a loss that is not finite, with the epoch, step and images, or a weight, with the epoch.
        """
        compile_whole_cells()
        with gauge("train", len(self.rates), "step", self.step) as bar:
            while self.step < len(self.rates):
                epoch, done = self.step // self.steps_per_epoch + 1, self.step % self.steps_per_epoch
                for batch in self.data.batches(epoch, done):
                    self._freeze_when_due()
                    losses = self._take_step(batch)
                    if not np.isfinite(losses).all():
                        raise ValueError(self._diverged(epoch, losses[0], batch))
                    self.losses.append(losses)
                    self.step += 1
                    bar.set_postfix(epoch=epoch, loss=f"{losses[0]:.3f}", refresh=False)
                    bar.update()
                    if self.step % self.steps_per_epoch == 0:
                        self._close_epoch(epoch)
                    yield self.step

    def _take_step(self, batch: Batch) -> tuple[float, float, float]:
        inputs = [Tensor(each) for each in (*batch, *self.masks(self.step))]
        if not self.compiled:
            self.taking_step.set_train(True)
            with self.compiling():
                self.taking_step.compile(*inputs)
            self.compiled = True
        total, box, classes = self.taking_step(*inputs)
        if self.averaging:
            self.averaging()
        return float(total.asnumpy()), float(box.asnumpy()), float(classes.asnumpy())

    def _diverged(self, epoch: int, loss: float, batch: Batch) -> str:
        step = len(self.losses)
        images = ", ".join(map(str, self.data.image_ids(epoch, step)))
        before = [each[0] for each in self.losses] or [each.loss for each in self.history]
        cause = likely_cause(self.step, before, float(self.rates[max(self.step - 1, 0)]), *batch[:2])
        return f"training: epoch {epoch}, step {step + 1}, images {images}: the loss is {loss}; {cause}"

    def _close_epoch(self, epoch: int) -> None:
        self._require_finite()
        total, box, classes = np.mean(self.losses, axis=0).tolist()
        self.history += (EpochLosses(epoch, float(self.rates[self.step - 1]), total, box, classes),)
        self.losses = []
        LOG.info(f"epoch {epoch}/{self.epochs}: loss {total:.3f} (boxes {box:.3f}, classes {classes:.3f})")

    def _require_finite(self) -> None:
        """Look at the weights themselves: on the CPU ReLU and max pooling make 0 of NaN, and so can hide it.

        Raises:
            ValueError: a weight or moving statistic that is not finite.
        """
        for parameter in self.net.get_parameters():
            if not np.isfinite(parameter.asnumpy()).all():
                raise ValueError(
                    f"training: epoch {(self.step - 1) // self.steps_per_epoch + 1}: {parameter.name} "
                    f"is not finite any more; {ADVICE}"
                )


class TrainingStep(nn.Cell):
    """One step: forward, backward and the optimiser, compiled as a whole when it is first called.

    Args:
        net: the network.
        loss: from (offsets, logits, target offsets, labels) to (total, box part, class part).
        optimizer: of the network's trainable parameters.
        clip_norm, processes: as in `Training`.

    Inputs:
        pixels [B, 3, S, S], target offsets [B, A, 4], labels [B, A], and the network's masks of dropout, if any.

    Outputs:
        total loss, box part, class part: three scalars, taken before the step, of all processes.
    """

    def __init__(
        self,
        net: nn.Cell,
        loss: nn.Cell,
        optimizer: nn.Optimizer,
        clip_norm: float | None,
        processes: Processes = ALONE,
    ) -> None:
        super().__init__(auto_prefix=False)  # the parameters keep the network's names
        self.net = net
        self.loss = loss
        self.optimizer = optimizer
        self.clip_norm = clip_norm
        self.sum = sum_of(processes)
        self.losses_and_gradients = ms.value_and_grad(self.losses, None, optimizer.parameters, has_aux=True)

    def losses(
        self, pixels: Tensor, target_offsets: Tensor, labels: Tensor, *masks: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The loss and its two parts."""
        offsets, logits = self.net(pixels, *masks)
        return self.loss(offsets, logits, target_offsets, labels)

    def construct(
        self, pixels: Tensor, target_offsets: Tensor, labels: Tensor, *masks: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Take the step."""
        (total, box, classes), gradients = self.losses_and_gradients(pixels, target_offsets, labels, *masks)
        if self.sum is not None:
            sums = self.sum(total, box, classes, *gradients)
            (total, box, classes), gradients = sums[:3], sums[3:]
        if self.clip_norm is not None:
            gradients = ops.clip_by_global_norm(gradients, self.clip_norm)
        self.optimizer(gradients)
        return total, box, classes
