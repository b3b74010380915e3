"""A training that is stopped and gone on with ends with the same bytes as one that is not."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mindspore.nn as nn
import numpy as np
import pytest
from mindspore import Parameter, Tensor
from small_detector import Fed

from ssd.engine.dropout import keep_masks
from ssd.engine.history import EpochLosses
from ssd.engine.optimizer import make_optimizer
from ssd.engine.resume import run
from ssd.engine.training import Freezing, Training

STEPS_PER_EPOCH, EPOCHS = 3, 3
RATES = np.linspace(0.02, 0.005, STEPS_PER_EPOCH * EPOCHS).astype(np.float32)
SHAPE = (4, 2, 3, 3)


class SmallNet(nn.Cell):
    """With all that can be forgotten: weights, biases, moving statistics, dropout."""

    def __init__(self) -> None:
        super().__init__()
        values = np.random.default_rng(1).standard_normal((2, 3, 1, 1)).astype(np.float32)
        self.conv = nn.Conv2d(3, 2, 1, has_bias=True)
        self.conv.weight.set_data(Tensor(values))
        self.conv.bias.set_data(Tensor(np.array([0.25, 0.5], np.float32)))
        self.norm = nn.BatchNorm2d(2)
        self.scale = Parameter(Tensor(np.array([2.0], np.float32)), name="scale")

    def construct(self, pixels: Tensor, *masks: Tensor) -> tuple[Tensor, Tensor]:
        x = self.norm(self.conv(pixels))
        return x * masks[0] * self.scale, x * masks[1]


class Distance(nn.Cell):
    """Mean squares of the distances to the targets, of which the labels are not used."""

    def construct(
        self, offsets: Tensor, logits: Tensor, target_offsets: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        box, classes = ((offsets - target_offsets) ** 2).mean(), (logits**2).mean()
        return box + classes, box, classes


def of_epoch(epoch: int) -> list:
    made = []
    for step in range(STEPS_PER_EPOCH):
        rng = np.random.default_rng([epoch, step])
        pixels, offsets = (rng.standard_normal((4, channels, 3, 3)).astype(np.float32) for channels in (3, 2))
        made.append((pixels, offsets, np.zeros(1, np.int32)))
    return made


def training(kind: str) -> tuple[nn.Cell, Training]:
    """By momentum or adam, or "adam, frozen": the convolution learns for four steps alone."""
    net = SmallNet()
    make = partial(make_optimizer, net, kind.partition(",")[0], RATES, 0.9, 1e-4, 2.0)

    def freeze() -> None:
        for parameter in net.conv.get_parameters():
            parameter.requires_grad = False

    freezing = Freezing(4, freeze, make) if kind.endswith("frozen") else None
    masks = partial(keep_masks, SHAPE, 0.2, 1)
    return net, Training(net, Distance(), make(), Fed(of_epoch), RATES, EPOCHS, masks, freezing=freezing)


def weights_of(net: nn.Cell) -> dict[str, np.ndarray]:
    return {parameter.name: parameter.asnumpy().copy() for parameter in net.get_parameters()}


class Killed(Exception):
    pass


def run_until(folder: Path, made: Training, kill_after: int, every: int) -> list[tuple[EpochLosses, ...]]:
    """The histories told until the process would have been killed: in the step after so many."""
    take = made._take_step

    def take_or_die(batch: tuple) -> tuple[float, float, float]:
        if made.step == kill_after:
            raise Killed
        return take(batch)

    made._take_step = take_or_die
    histories = []
    try:
        for history in run(made, folder, every):
            histories.append(history)
    except Killed:
        pass
    return histories


@pytest.fixture(scope="module", params=["momentum", "adam", "adam, frozen"])
def uninterrupted(request, tmp_path_factory) -> tuple[str, dict[str, np.ndarray], tuple[EpochLosses, ...]]:
    net, made = training(request.param)
    histories = list(run(made, tmp_path_factory.mktemp("work"), 100))
    assert [len(history) for history in histories] == [1, 2, 3]
    return request.param, weights_of(net), histories[-1]


@pytest.mark.parametrize("kills", [(2,), (3,), (4, 4), (5, 8), (9,)])
def test_the_end_is_the_same_to_the_byte_wherever_it_was_killed(
    uninterrupted, tmp_path: Path, capsys: pytest.CaptureFixture[str], kills: tuple[int, ...]
) -> None:
    optimizer, expected, history = uninterrupted
    for kill_after in kills:
        run_until(tmp_path, training(optimizer)[1], kill_after, every=2)
    net, made = training(optimizer)
    histories = list(run(made, tmp_path, 2))
    assert histories[-1] == history
    for name, weights in weights_of(net).items():
        assert weights.tobytes() == expected[name].tobytes(), name
    last_state = 9 if kills[-1] == 9 else kills[-1] // 2 * 2
    assert f"going on after step {last_state} of 9" in capsys.readouterr().err


def test_the_losses_so_far_are_told_at_once(tmp_path: Path) -> None:
    run_until(tmp_path, training("adam")[1], 7, every=2)
    histories = run(training("adam")[1], tmp_path, 2)
    assert [each.epoch for each in next(histories)] == [1, 2]
    assert [each.epoch for each in next(histories)] == [1, 2, 3]
    assert next(histories, None) is None


def test_a_damaged_state_costs_the_steps_since_the_one_before(
    uninterrupted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    optimizer, expected, _ = uninterrupted
    run_until(tmp_path, training(optimizer)[1], 8, every=3)
    latest = max(tmp_path.glob("step-*"))
    latest.write_bytes(latest.read_bytes()[:-1])
    net, made = training(optimizer)
    list(run(made, tmp_path, 3))
    told = capsys.readouterr().err
    assert f"{latest}: damaged" in told and "going on after step 3 of 9" in told
    for name, weights in weights_of(net).items():
        assert weights.tobytes() == expected[name].tobytes(), name


def no_room(*_: object) -> None:
    raise OSError(28, "No space left on device", "step")


def test_a_full_disk_stops_with_a_word_and_keeps_the_state_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_until(tmp_path, training("adam")[1], 4, every=4)
    (kept,) = tmp_path.iterdir()
    monkeypatch.setattr("ssd.engine.resume.save_state", no_room)
    with pytest.raises(ValueError) as raised:
        list(run(training("adam")[1], tmp_path, 2))
    assert str(raised.value) == (
        "training: the state after step 6 cannot be written, those before it stay: "
        "step: No space left on device; make room on its disk and run again"
    )
    assert list(tmp_path.iterdir()) == [kept]


def diverging(wrong_from: int) -> Callable[[int], list]:
    def batches(epoch: int) -> list:
        made = of_epoch(epoch)
        if epoch == wrong_from:
            pixels, offsets, labels = made[1]
            made[1] = (pixels, offsets + np.float32(np.inf), labels)
        return made

    return batches


def test_a_loss_that_is_not_finite_leaves_the_last_good_state(tmp_path: Path) -> None:
    made = training("momentum")[1]
    made.data = dataclasses.replace(made.data, of_epoch=diverging(2))
    with pytest.raises(ValueError, match=r"epoch 2, step 2, images 201: the loss is (inf|nan)"):
        list(run(made, tmp_path, 1))
    latest = max(tmp_path.glob("step-*"))
    assert latest.name.startswith("step-000000004-")
