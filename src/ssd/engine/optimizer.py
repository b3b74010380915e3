"""How a gradient becomes a step of the weights.

Departures from the tutorial, each a mend: the optimiser's `loss_scale` stays 1 (the tutorial passes 1024 and never
scales the loss, so that its gradients are divided by 1024 and its weight decay is as many times too strong), and
norms and biases are not decayed.
"""

from typing import Literal

import mindspore.nn as nn
import numpy as np
from mindspore import Parameter

ADAM_BETA2 = 0.999
"""How slowly Adam forgets the squares of gradients (Kingma and Ba 2015's own value)."""


def make_optimizer(
    net: nn.Cell,
    kind: Literal["momentum", "adam"],
    rates: np.ndarray,
    momentum: float,
    weight_decay: float,
    bias_lr_factor: float = 1.0,
) -> nn.Optimizer:
    """The optimizer of a network's trainable parameters.

    momentum: the velocity becomes `momentum` times itself plus the gradient, and the weights lose the rate times the
    velocity. adam: the rate is divided by the root of the mean squared gradient of each weight (Kingma and Ba 2015),
    so that layers with small gradients learn as fast as the others; a network that starts from random weights gets
    much further in a few thousand steps.

    Args:
        net: the network.
        kind: "momentum" or "adam".
        rates: [steps] the learning rate of every step.
        momentum: of the gradient; Adam's beta 1.
        weight_decay: added to the gradient, so many times the weight; of kernels alone.
        bias_lr_factor: the biases' rate is so many times the others' (Caffe's 2; the shifts of norms are no biases).
    """
    parameters = net.trainable_params()
    kernels = [each for each in parameters if each.ndim > 1]
    biases = [each for each in parameters if _is_bias(each) and bias_lr_factor != 1]
    rest = [each for each in parameters if each.ndim <= 1 and (bias_lr_factor == 1 or not _is_bias(each))]
    groups = [
        {"params": kernels, "weight_decay": weight_decay},
        {"params": rest, "weight_decay": 0.0},
        {"params": biases, "weight_decay": 0.0, "lr": (rates * bias_lr_factor).tolist()},
    ]
    groups = [group for group in groups if group["params"]]  # MindSpore takes no empty one
    groups.append({"order_params": parameters})
    if kind == "adam":
        return nn.Adam(groups, learning_rate=rates.tolist(), beta1=momentum, beta2=ADAM_BETA2)
    return nn.Momentum(groups, learning_rate=rates.tolist(), momentum=momentum)


def _is_bias(parameter: Parameter) -> bool:
    """Whether it is a convolution's bias, such as `backbone.fc7.conv.bias`."""
    return parameter.name.rpartition(".")[2] == "bias"
