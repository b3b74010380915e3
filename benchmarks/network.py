"""A training step, with its memory, and a detection of the full-width SSD300s, against PyTorch's, by turns.

The operations that a detection's direct convolutions would need, a second, are beside those of a product of two square
matrices, of the framework that has the faster one: detections and products go by turns too.

Run: python benchmarks/network.py [--rounds 3]; rows against PyTorch need `pip install -e '.[bench]'`.
"""

import argparse
import dataclasses
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from contest import contest, serve
from first_network import first_network
from measure import Row, Times, table

from ssd.config import Params, load_params
from ssd.data.source import Category
from ssd.geometry.anchors import anchors_per_cell
from ssd.geometry.feature_maps import map_sizes

ROOT = Path(__file__).parents[1]
FAMILIES = {"tutorial": "tutorial", "paper": "ssd300-coco"}
CLASSES = 80
POSITIVES = 30
SIDE = 2048
WARM_UP = 6
"""Rounds that are not measured: in its first five launches a kernel of MindSpore tries ways to share its work out."""


def recipe(family: str) -> Params:
    """The family's parameters, without dropout, whose masks are drawn outside of the step."""
    params = load_params(ROOT / "recipes" / f"{FAMILIES[family]}.yaml", Params)
    return dataclasses.replace(params, model=dataclasses.replace(params.model, dropout=0.0, pretrained=None))


def made_up_batch(size: int, anchors: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels, target offsets and labels, some 30 positives an image."""
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(size, 3, 300, 300)).astype(np.float32)
    labels = np.zeros((size, anchors), np.int32)
    for row in labels:
        row[rng.choice(anchors, POSITIVES, replace=False)] = rng.integers(1, CLASSES + 1, POSITIVES)
    offsets = rng.normal(size=(size, anchors, 4)) * (labels > 0)[..., None]
    return pixels, offsets.astype(np.float32), labels


def our_network(params: Params):
    """Ours with its first weights."""
    from ssd.runtime import compile_whole_cells

    compile_whole_cells()
    classes = [Category(number, number, str(number)) for number in range(1, CLASSES + 1)]
    return first_network(params, classes)[0]


def our_step(params: Params, size: int) -> Callable[[], float]:
    """One training step of ours; gives its loss."""
    from mindspore import Tensor

    from ssd.engine.optimizer import make_optimizer
    from ssd.engine.training import TrainingStep
    from ssd.model.loss import make_loss

    net = our_network(params)
    rules = params.train
    rates = np.full(1000, 1e-4)
    optimizer = make_optimizer(net, rules.optimizer, rates, rules.momentum, rules.weight_decay)
    step = TrainingStep(net, make_loss(params.loss), optimizer, None).set_train(True)
    batch = [Tensor(each) for each in made_up_batch(size, anchors_of(params))]
    return lambda: float(step(*batch)[0].asnumpy())


def our_detection(params: Params, size: int) -> Callable[[], object]:
    """Offsets and scores of one batch by ours, as stage evaluate has them."""
    from ssd.engine.detection import make_predict

    predict = make_predict(our_network(params), params.loss.scores, size)
    pixels, _, _ = made_up_batch(size, anchors_of(params))
    return lambda: predict(pixels)


def our_product() -> Callable[[], object]:
    """A product of two square matrices in MindSpore."""
    from mindspore import Tensor, nn, ops

    from ssd.runtime import compile_whole_cells

    class Product(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            return ops.matmul(x, x)

    compile_whole_cells()
    product, x = Product(), Tensor(np.random.default_rng(0).random((SIDE, SIDE), np.float32))
    return lambda: product(x).asnumpy()


def torch_network(params: Params):
    """PyTorch's with the weights that ours starts from."""
    import torch
    from peers.torch_ssd import TorchSSD

    from ssd.runtime import threads

    torch.set_num_threads(threads())
    net = TorchSSD(params.model, CLASSES, anchors_per_cell(params.anchors.ratios))
    net.load_ours({each.name: each.asnumpy() for each in our_network(params).get_parameters()})
    return net


def torch_step(params: Params, size: int) -> Callable[[], float]:
    """One training step of PyTorch's; gives its loss."""
    import torch
    from peers.torch_ssd import detector_loss

    net = torch_network(params)
    rules = params.train
    if rules.optimizer == "adam":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(net.parameters(), 1e-4)
    else:
        kernels = [each for each in net.parameters() if each.ndim > 1]
        rest = [each for each in net.parameters() if each.ndim <= 1]
        groups = [{"params": kernels, "weight_decay": rules.weight_decay}, {"params": rest}]
        optimizer = torch.optim.SGD(groups, 1e-4, rules.momentum)
    pixels, offsets, labels = map(torch.from_numpy, made_up_batch(size, anchors_of(params)))
    labels = labels.long()

    def step() -> float:
        optimizer.zero_grad()
        loss = detector_loss(params.loss, *net(pixels), offsets, labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_detection(params: Params, size: int) -> Callable[[], object]:
    """Offsets and scores of one batch by PyTorch's."""
    import torch

    net = torch_network(params).eval()
    pixels = torch.from_numpy(made_up_batch(size, anchors_of(params))[0])

    def detect() -> object:
        with torch.inference_mode():
            offsets, logits = net(pixels)
            scores = logits.softmax(-1) if params.loss.scores == "softmax" else logits.sigmoid()
            return offsets, scores[:, :, 1:]

    return detect


def torch_product() -> Callable[[], object]:
    """The same product in PyTorch."""
    import torch

    from ssd.runtime import threads

    torch.set_num_threads(threads())
    x = torch.rand(SIDE, SIDE)
    return lambda: x @ x


def anchors_of(params: Params) -> int:
    """How many there are."""
    cells = map_sizes(params.model.input_size, params.anchors.steps)
    per_cell = anchors_per_cell(params.anchors.ratios)
    return sum(side * side * count for side, count in zip(cells, per_cell, strict=True))


def operations(params: Params) -> float:
    """Floating point operations of the convolutions of one image, two a product, as a direct convolution has them."""
    maps = map_sizes(params.model.input_size, params.anchors.steps)
    blocks = {f"block{number}": side for number, side in enumerate((300, 150, 75, maps[0], maps[1]), 1)}
    total = 0
    for parameter in our_network(params).get_parameters():
        if parameter.ndim == 4:
            part = parameter.name.split(".")
            if part[0] == "backbone":
                side = blocks.get(part[1], maps[1])
            elif part[0] == "extras":
                side = maps[int(part[1]) + 1 + int(part[2])]
            else:
                side = maps[int(part[2])]
            total += 2 * parameter.size * side**2
    return float(total)


WORK = {
    ("ours", "step"): our_step,
    ("torch", "step"): torch_step,
    ("ours", "detection"): our_detection,
    ("torch", "detection"): torch_detection,
}


def rows(rounds: int = 3, steps: Sequence[int] = (5, 8), detections: Sequence[int] = (1, 8)) -> list[Row]:
    """Training steps and detections of both families, at these batches."""
    peers = ["ours", "torch"] if importlib.util.find_spec("torch") else ["ours"]

    def children(*arguments: str) -> dict[str, tuple[str, ...]]:
        return {peer: (__file__, "--child", peer, *arguments) for peer in peers}

    def row(what: str, values: dict[str, Times], unit: str, goal: str = "") -> Row:
        ours, peer = values["ours"], values.get("torch")
        return Row(what, ours, peer, unit, peer and peer.median / ours.median, goal if peer else "")

    found = []
    for family in FAMILIES:
        for size in steps:
            turns = contest(children("step", family, str(size)), rounds, WARM_UP)
            seconds = {peer: each.seconds for peer, each in turns.items()}
            gigabytes = {peer: Times.of([each.megabytes / 1024]) for peer, each in turns.items()}
            what = f"training step, {family} family, batch {size}"
            found += [
                row(what, seconds, "s", "at least 1, better 1.25"),
                row("its memory, at most", gigabytes, "GB"),
            ]
    for family in FAMILIES:
        needed = operations(recipe(family))
        for size in detections:
            products = {f"product by {peer}": each for peer, each in children("product").items()}
            turns = contest(children("detection", family, str(size)) | products, rounds, WARM_UP)
            seconds = {name: each.seconds for name, each in turns.items()}
            found.append(row(f"detection, {family} family, batch {size}", seconds, "s", "at least 1"))
            rate = seconds["ours"].per(needed * size / 1e9)
            product = min((seconds[each] for each in products), key=lambda each: each.median)
            of_product = product.per(2 * SIDE**3 / 1e9)
            what = f"its operations, beside those of a product of two {SIDE} x {SIDE} matrices"
            share = rate.median / of_product.median
            found.append(Row(what, rate, of_product, "GFLOP/s", share, "at least 0.85"))
    return found


def child(peer: str, work: str, family: str = "", size: str = "") -> None:
    """Serve one kind of work."""
    if work == "product":
        serve(our_product() if peer == "ours" else torch_product())
    else:
        serve(WORK[peer, work](recipe(family), int(size)))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, nargs="*", default=(5, 8), help="batches of training steps")
    parser.add_argument("--detections", type=int, nargs="*", default=(1, 8), help="batches of detections")
    given = parser.parse_args()
    print(table(rows(given.rounds, given.steps, given.detections)))


if __name__ == "__main__":
    child(*sys.argv[2:]) if sys.argv[1:2] == ["--child"] else main()
