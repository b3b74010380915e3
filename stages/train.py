"""Stage train: train the detector on the training records.

Reads params.yaml (anchors, targets, model, loss, augment, train), data/records and data/anchors.npy; writes
models/ssd.safetensors, and after every epoch metrics/train.csv and metrics/train.json. An interrupted training goes
on from its latest state in work/train, to the same result.
"""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ssd.config import Anchors, Augment, Loss, Model, Targets, Train, load_params
from ssd.data.dataset import TrainingData, TrainingSample, example_pixels
from ssd.data.records import MANIFEST, Records, load_classes, open_records
from ssd.engine.checkpoint import Description, build_network, load_anchors, require_recipe, save_checkpoint
from ssd.engine.collective import sum_of
from ssd.engine.dropout import keep_masks
from ssd.engine.fingerprint import fingerprint, made_by
from ssd.engine.graph_cache import kept_graph
from ssd.engine.history import write_history
from ssd.engine.optimizer import make_optimizer
from ssd.engine.processes import Processes, in_processes
from ssd.engine.resume import follow, run
from ssd.engine.schedule import learning_rates, steps_in
from ssd.engine.state import remove_states
from ssd.engine.training import Freezing, Training
from ssd.engine.work_folder import locked_folder
from ssd.model.loss import make_loss
from ssd.model.pretrained import start_from_pretrained
from ssd.model.vgg import average_statistics
from ssd.model.weights import initialise
from ssd.runtime import compile_whole_cells
from ssd.telling import LOG
from stages import project, run_stage

RECORDS, ANCHORS = Path("data/records"), Path("data/anchors.npy")
CHECKPOINT = Path("models/ssd.safetensors")
EXAMPLES = 8


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    anchors: Anchors
    targets: Targets
    model: Model
    loss: Loss
    augment: Augment
    train: Train


@dataclass(frozen=True)
class Graph:
    """What the compiled step is made of; the rates of `rules` are not, nor what only decides on its inputs."""

    description: Description
    loss: Loss
    rules: Train
    steps: int


def main() -> None:
    """Train, telling the losses of each epoch, and write the checkpoint; in as many processes as params.yaml says."""
    params = load_params("params.yaml", Params)
    in_processes(params.train.processes, partial(train, params))


def train(params: Params, processes: Processes) -> None:
    """Train in this process, one of so many; the first one writes."""
    records = open_records(RECORDS, "train")
    anchors = load_anchors(ANCHORS)
    require_recipe(anchors, params.anchors, params.model.input_size, ANCHORS)
    description = describe(params)
    pretrained = project() / params.model.pretrained if params.model.pretrained else None

    training = prepare(params, processes, records, anchors, description, pretrained)
    net = training.net
    parameters = sum(parameter.size for parameter in net.trainable_params())
    inputs = [RECORDS / MANIFEST, ANCHORS] + ([pretrained] if pretrained else [])
    alike = replace(params.train, workers=1, processes=processes.count, checkpoint_every=1)
    recipe = fingerprint(replace(params, train=alike), inputs)
    folder = project() / "work" / "train" / recipe[:16]
    if not processes.is_first:
        follow(training, folder)
        return
    parent = os.getppid()
    LOG.debug("training %d images for %d steps; states in %s", len(records), len(training.rates), folder)
    with locked_folder(folder):
        for history in run(training, folder, params.train.checkpoint_every):
            write_history(
                Path("metrics/train.csv"),
                Path("metrics/train.json"),
                history,
                training.steps_per_epoch,
                parameters,
                made_by(processes.count),
            )
        save_checkpoint(CHECKPOINT, net, anchors, description)
        if os.getppid() == parent:  # else DVC is gone and did not see the end: it will ask again
            remove_states(folder)
    LOG.info(
        "%s: the detector after epoch %d, trained on %d images, loss %.3f",
        CHECKPOINT,
        len(training.history),
        len(records),
        training.history[-1].loss,
    )


def describe(params: Params) -> Description:
    """What the checkpoint says of its network."""
    classes = load_classes(RECORDS)
    return Description(
        model=params.model,
        anchors=params.anchors,
        variances=params.targets.variances,
        class_names=tuple(each.name for each in classes),
        category_ids=tuple(each.category_id for each in classes),
        scores=params.loss.scores,
    )


def prepare(
    params: Params,
    processes: Processes,
    records: Records,
    anchors: np.ndarray,
    description: Description,
    pretrained: Path | None,
) -> Training:
    """The training before its first step."""
    model, targets, rules = params.model, params.targets, params.train
    share = processes.share(rules.batch_size)
    steps = steps_in(len(records), rules.batch_size)
    rates = learning_rates(rules, steps)

    compile_whole_cells()
    net = build_network(description)
    initialise(net, rules.seed, params.loss.class_prior, model.input)
    examples = partial(example_pixels, records, model.input_size, model.input, EXAMPLES)
    start_from_pretrained(net, pretrained, model.pretrained_sha256, model.input, examples)
    average_statistics(net, len(rates))
    sample = TrainingSample(
        anchors,
        model.input_size,
        model.input,
        targets.iou_threshold,
        targets.variances,
        params.augment,
        rules.seed,
    )
    optimizer = partial(
        make_optimizer, net, rules.optimizer, rates, rules.momentum, rules.weight_decay, rules.bias_lr_factor
    )
    graph = Graph(description, params.loss, rules, len(rates))
    learning = replace(graph, rules=replace(rules, freeze=0))
    freezing = Freezing(
        round(rules.freeze_after_epochs * steps),
        partial(net.backbone.freeze, rules.freeze),
        optimizer,
        partial(compiling, graph, processes),
    )
    return Training(
        net,
        make_loss(params.loss, sum_of(processes)),
        optimizer(),
        TrainingData(records, sample, rules.batch_size, rules.workers, share),
        rates,
        rules.epochs,
        partial(keep_masks, net.mask_shape(rules.batch_size), model.dropout, rules.seed, share=share),
        rules.clip_norm,
        processes,
        partial(compiling, learning, processes),
        freezing if rules.freeze else None,
    )


def compiling(graph: Graph, processes: Processes) -> AbstractContextManager[None]:
    """What the step is compiled within; steps of several processes are not kept."""
    if processes.count > 1:
        return nullcontext()
    rules = replace(graph.rules, seed=0, workers=1, checkpoint_every=1)
    rules = replace(rules, schedule="cosine", milestones=(), lr_factor=0.1, warmup_epochs=0.0)
    rules = replace(rules, lr_start=0.0, lr_max=1.0, lr_end=0.0, freeze_after_epochs=0.0)
    return kept_graph(project() / "work" / "graphs", replace(graph, rules=rules))


if __name__ == "__main__":
    run_stage(main, __doc__)
