"""The training loop: one compiled step, and the losses of each epoch."""

import sys
from collections.abc import Callable, Iterable, Iterator

import mindspore as ms
import mindspore.nn as nn
import numpy as np
from mindspore import Tensor
from tqdm import tqdm

from ssd.engine.history import EpochLosses
from ssd.runtime import compile_whole_cells

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]

_ADVICE = "try a lower train.lr_max or a longer train.warmup_epochs"


def train(
    net: nn.Cell,
    loss: nn.Cell,
    optimizer: nn.Optimizer,
    batches: Callable[[int], Iterable[Batch]],
    rates: np.ndarray,
    epochs: int,
    masks: Callable[[int], tuple[np.ndarray, ...]] = lambda step: (),
) -> Iterator[EpochLosses]:
    """Train `net` in place; after each epoch its mean losses.

    Args:
        net: the network, its first weights set, not compiled yet.
        loss: from (offsets, logits, target offsets, labels) to (total, box part, class part).
        optimizer: of the network's trainable parameters.
        batches: the batches of an epoch, counted from 1; as many every epoch.
        rates: [steps] the learning rate of every step, as the optimizer has them.
        epochs: how often the data is seen.
        masks: of dropout in a step, counted from 0 over all epochs; none without dropout.

    Raises:
        ValueError: a loss that is not finite, with the epoch and step, or a weight, with the epoch.
    """
    compile_whole_cells()
    steps_per_epoch = len(rates) // epochs
    step = TrainingStep(net, loss, optimizer)
    step.set_train(True)
    with tqdm(total=len(rates), desc="train", unit="step", disable=None) as bar:
        for epoch in range(1, epochs + 1):
            losses = []
            for pixels, offsets, labels in batches(epoch):
                dropout = masks((epoch - 1) * steps_per_epoch + len(losses))
                parts = step(Tensor(pixels), Tensor(offsets), Tensor(labels), *map(Tensor, dropout))
                values = [float(part.asnumpy()) for part in parts]
                if not np.isfinite(values).all():
                    raise ValueError(
                        f"training: epoch {epoch}, step {len(losses) + 1}: the loss is {values[0]}; {_ADVICE}"
                    )
                losses.append(values)
                bar.set_postfix(epoch=epoch, loss=f"{values[0]:.3f}", refresh=False)
                bar.update()
            _require_finite(net, epoch)
            total, box, classes = np.mean(losses, axis=0).tolist()
            bar.write(
                f"epoch {epoch}/{epochs}: loss {total:.3f} (boxes {box:.3f}, classes {classes:.3f})",
                sys.stderr,
            )
            yield EpochLosses(epoch, float(rates[epoch * len(losses) - 1]), total, box, classes)


def _require_finite(net: nn.Cell, epoch: int) -> None:
    """Look at the weights themselves: on the CPU ReLU and max pooling make 0 of NaN, and so can hide it from the loss.

    Raises:
        ValueError: a weight or moving statistic that is not finite.
    """
    for parameter in net.get_parameters():
        if not np.isfinite(parameter.asnumpy()).all():
            raise ValueError(f"training: epoch {epoch}: {parameter.name} is not finite any more; {_ADVICE}")


class TrainingStep(nn.Cell):
    """One step: forward, backward and the optimiser, compiled as a whole when it is first called.

    Args:
        net: the network.
        loss: from (offsets, logits, target offsets, labels) to (total, box part, class part).
        optimizer: of the network's trainable parameters.

    Inputs:
        pixels [B, 3, S, S], target offsets [B, A, 4], labels [B, A], and the network's masks of dropout, if any.

    Outputs:
        total loss, box part, class part: three scalars, taken before the step.
    """

    def __init__(self, net: nn.Cell, loss: nn.Cell, optimizer: nn.Optimizer) -> None:
        super().__init__(auto_prefix=False)  # the parameters keep the network's names
        self.net = net
        self.loss = loss
        self.optimizer = optimizer
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
        self.optimizer(gradients)
        return total, box, classes
