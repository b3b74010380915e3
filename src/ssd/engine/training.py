"""The training loop: one compiled step, momentum, losses an epoch.

Departures from the tutorial, each a mend: the optimiser's `loss_scale` stays 1 (the tutorial passes 1024 and never
scales the loss, so that its gradients are divided by 1024 and its weight decay is as many times too strong), and
norms and biases are not decayed.
"""

import sys
from collections.abc import Callable, Iterable, Iterator

import mindspore as ms
import mindspore.nn as nn
import numpy as np
from mindspore import Tensor
from tqdm import tqdm

from ssd.engine.history import EpochLosses
from ssd.runtime import use_all_processors

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


def train(
    net: nn.Cell,
    loss: nn.Cell,
    batches: Callable[[int], Iterable[Batch]],
    rates: np.ndarray,
    epochs: int,
    momentum: float,
    weight_decay: float,
) -> Iterator[EpochLosses]:
    """Train `net` in place; after each epoch its mean losses.

    Args:
        net: the network, its first weights set, not compiled yet.
        loss: from (offsets, logits, target offsets, labels) to (total, box part, class part).
        batches: the batches of an epoch, counted from 1; as many every epoch.
        rates: [steps] the learning rate of every step.
        epochs: how often the data is seen.
        momentum: of the gradient.
        weight_decay: of the kernels; norms and biases have none.

    Raises:
        ValueError: a loss that is not finite, with the epoch and step.
    """
    use_all_processors()
    net.set_train(True)
    step = compile_step(net, loss, rates, momentum, weight_decay)
    with tqdm(total=len(rates), desc="train", unit="step", disable=None) as bar:
        for epoch in range(1, epochs + 1):
            losses = []
            for pixels, offsets, labels in batches(epoch):
                parts = step(Tensor(pixels), Tensor(offsets), Tensor(labels))
                values = [float(part.asnumpy()) for part in parts]
                if not np.isfinite(values).all():
                    raise ValueError(
                        f"training: epoch {epoch}, step {len(losses) + 1}: the loss is {values[0]}; "
                        "try a lower train.lr_max or a longer train.warmup_epochs"
                    )
                losses.append(values)
                bar.set_postfix(epoch=epoch, loss=f"{values[0]:.3f}", refresh=False)
                bar.update()
            total, box, classes = np.mean(losses, axis=0).tolist()
            bar.write(
                f"epoch {epoch}/{epochs}: loss {total:.3f} (boxes {box:.3f}, classes {classes:.3f})",
                sys.stderr,
            )
            yield EpochLosses(epoch, float(rates[epoch * len(losses) - 1]), total, box, classes)


def compile_step(
    net: nn.Cell, loss: nn.Cell, rates: np.ndarray, momentum: float, weight_decay: float
) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """One training step as a compiled function of (pixels, target offsets, labels) that returns the losses."""
    kernels = [parameter for parameter in net.trainable_params() if parameter.ndim > 1]
    others = [parameter for parameter in net.trainable_params() if parameter.ndim <= 1]
    optimizer = nn.Momentum(
        [
            {"params": kernels, "weight_decay": weight_decay},
            {"params": others, "weight_decay": 0.0},
            {"order_params": net.trainable_params()},
        ],
        learning_rate=rates.tolist(),
        momentum=momentum,
    )

    def forward(pixels: Tensor, target_offsets: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        offsets, logits = net(pixels)
        return loss(offsets, logits, target_offsets, labels)

    gradients_of = ms.value_and_grad(forward, None, optimizer.parameters, has_aux=True)

    @ms.jit
    def step(pixels: Tensor, target_offsets: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (total, box, classes), gradients = gradients_of(pixels, target_offsets, labels)
        optimizer(gradients)
        return total, box, classes

    return step
