"""What processes that train together do to have the same weights.

Sums are taken of one long vector: collectives of their own for each gradient may come in another order in another
process.
"""

import mindspore.nn as nn
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, ops

from ssd.engine.processes import Processes


class SumOfProcesses(nn.Cell):
    """The sums over all processes, of several values at once.

    Inputs:
        values, float32.

    Outputs:
        a tuple of their sums, in the same shapes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.all_reduce = ops.AllReduce()

    def construct(self, *values: Tensor) -> tuple[Tensor, ...]:
        """The sums."""
        flat = self.all_reduce(ops.concat([each.reshape(-1) for each in values]))
        sums: tuple[Tensor, ...] = ()
        start = 0
        for each in values:
            sums += (flat[start : start + each.size].reshape(each.shape),)
            start += each.size
        return sums


def sum_of(processes: Processes) -> SumOfProcesses | None:
    """What sums over these processes; None where there is one."""
    return SumOfProcesses() if processes.count > 1 else None


class MeanOfProcesses(nn.Cell):
    """Gives parameters their mean over all processes.

    Args:
        parameters: float32.
        count: of processes.
    """

    def __init__(self, parameters: list[Parameter], count: int) -> None:
        super().__init__(auto_prefix=False)
        self.parameters = ParameterTuple(parameters)
        self.count = count
        self.sum = SumOfProcesses()

    def construct(self) -> None:
        """Set the parameters."""
        sums = self.sum(*self.parameters)
        for index in range(len(sums)):  # a graph's zip knows no strict
            ops.assign(self.parameters[index], sums[index] / self.count)


def require_same_step(step: int, processes: Processes) -> None:
    """Wait for all processes, which have come to the same step.

    Raises:
        ValueError: they have not: they read different states.
    """
    if processes.count == 1:
        return
    steps = np.zeros(processes.count, np.float32)
    steps[processes.rank] = step
    (found,) = SumOfProcesses()(Tensor(steps))
    others = found.asnumpy()
    if (others != step).any():
        raise ValueError(f"training: expected one step in all processes, got {others.astype(int).tolist()}")


def moving_statistics(net: nn.Cell) -> list[Parameter]:
    """The moving means and variances of batch norm."""
    return [each for each in net.get_parameters() if each.name.endswith(("moving_mean", "moving_variance"))]
