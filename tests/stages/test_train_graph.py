from dataclasses import fields, replace
from pathlib import Path

import pytest

from ssd.config import Train, load_params
from ssd.engine.processes import Processes
from stages import train
from stages.train import Graph, Params, compiling, describe

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "params.yaml"
OTHER = {
    "seed": 7,
    "epochs": 9,
    "batch_size": 6,
    "optimizer": "momentum",
    "schedule": "steps",
    "lr_start": 0.0002,
    "lr_max": 0.07,
    "lr_end": 0.0003,
    "lr_factor": 0.3,
    "milestones": (1,),
    "warmup_epochs": 0.1,
    "momentum": 0.8,
    "weight_decay": 0.01,
    "bias_lr_factor": 3.0,
    "clip_norm": 5.0,
    "freeze": 2,
    "freeze_after_epochs": 1.0,
    "workers": 2,
    "processes": 2,
    "checkpoint_every": 17,
}
SAME_GRAPH = {
    *("seed", "workers", "checkpoint_every", "freeze_after_epochs"),
    *("schedule", "lr_start", "lr_max", "lr_end", "lr_factor", "milestones", "warmup_epochs"),
}
"""The values of these are in parameters, or in what the step is given."""


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Graph:
    """What the step of the recipe is made of."""
    monkeypatch.setattr(train, "load_classes", lambda folder: ())
    params = load_params(str(GOLDEN), Params)
    rules = replace(params.train, schedule="cosine", optimizer="adam", epochs=5, batch_size=4)
    return Graph(describe(params), params.loss, rules, 100)


@pytest.fixture
def ingredients(monkeypatch: pytest.MonkeyPatch) -> list:
    """What `kept_graph` is asked for."""
    asked: list = []
    monkeypatch.setattr(train, "kept_graph", lambda folder, ingredients: asked.append(ingredients))
    return asked


def test_every_rule_of_training_is_in_this_test():
    assert {each.name for each in fields(Train)} == set(OTHER)


@pytest.mark.parametrize("name", OTHER)
def test_another_rate_takes_the_kept_graph_and_another_optimizer_does_not(graph, ingredients, name):
    more = {"milestones": (1,)} if name == "schedule" else {}
    compiling(graph, Processes())
    compiling(replace(graph, rules=replace(graph.rules, **{name: OTHER[name]}, **more)), Processes())
    first, second = ingredients
    assert (first == second) == (name in SAME_GRAPH)


def test_a_training_of_more_steps_does_not_take_the_kept_graph(graph, ingredients):
    compiling(graph, Processes())
    compiling(replace(graph, steps=101), Processes())
    assert ingredients[0] != ingredients[1]


def test_several_processes_keep_no_graph(graph, ingredients):
    compiling(graph, Processes(0, 2))
    assert ingredients == []
