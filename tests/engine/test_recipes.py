"""Every recipe's network and anchors fit each other; the networks are slim, which changes no count of outputs."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from ssd.config import Params, load_params
from ssd.engine.checkpoint import Description, build_network
from ssd.engine.optimizer import make_optimizer
from ssd.engine.schedule import learning_rates
from ssd.geometry.anchors import make_anchors
from ssd.model.loss import make_loss
from ssd.model.weights import initialise

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
EXPECTED = {
    "sample": (300, 8732),
    "tutorial": (300, 8732),
    "ssd300-voc": (300, 8732),
    "ssd512-voc": (512, 24564),
    "ssd300-coco": (300, 8732),
    "ssd512-coco": (512, 24564),
}


@pytest.fixture(autouse=True)
def every_operation_at_once() -> Iterator[None]:
    mode = ms.get_context("mode")
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=mode)


def slim(params: Params) -> Description:
    return Description(
        model=dataclasses.replace(params.model, width=1 / 32, pretrained=None),
        anchors=params.anchors,
        variances=params.targets.variances,
        class_names=("disc", "square"),
        category_ids=(1, 2),
        scores=params.loss.scores,
    )


def test_the_recipes_are_these() -> None:
    assert {file.stem for file in RECIPES} == EXPECTED.keys()


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_the_network_answers_for_every_anchor(file: Path) -> None:
    params = load_params(file, Params)
    input_size, count = EXPECTED[file.stem]
    recipe = params.anchors
    anchors = make_anchors(
        params.model.input_size, recipe.steps, recipe.sizes, recipe.ratios, recipe.large_square, recipe.clip
    )
    net = build_network(slim(params)).set_train(False)
    initialise(net, params.train.seed, params.loss.class_prior)
    offsets, logits = net(Tensor(np.zeros((1, 3, input_size, input_size), np.float32)))
    assert anchors.shape == (count, 4)
    assert offsets.shape == (1, count, 4) and logits.shape == (1, count, 3)


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_it_can_be_trained_as_the_recipe_says(file: Path) -> None:
    params = load_params(file, Params)
    rules = params.train
    rates = learning_rates(rules, 10)
    assert rates.shape == (10 * rules.epochs,) and rates.max() == np.float32(rules.lr_max)
    net = build_network(slim(params))
    optimizer = make_optimizer(
        net, rules.optimizer, rates, rules.momentum, rules.weight_decay, rules.bias_lr_factor
    )
    assert len(optimizer.parameters) == len(net.trainable_params())
    assert make_loss(params.loss)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("ssd300-voc", 1e-3, 1e-5), ("ssd512-voc", 1e-3, 1e-5), ("ssd300-coco", 2e-3, 2e-5)],
)
def test_the_published_rates_fall_twice_by_ten(name: str, first: float, last: float) -> None:
    (file,) = (file for file in RECIPES if file.stem == name)
    rates = learning_rates(load_params(file, Params).train, 3)
    np.testing.assert_allclose(np.unique(rates), [last, first / 10, first], rtol=1e-5)
    assert rates[0] == np.float32(first) and rates[-1] == np.float32(last)
