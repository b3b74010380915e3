"""Stage train: train the detector on the training records.

Reads params.yaml (anchors, targets, model, loss, augment, train), data/records and data/anchors.npy; writes
models/ssd.safetensors, and after every epoch metrics/train.csv and metrics/train.json. An interrupted training goes
on from its latest state in work/train, to the same result.
"""

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ssd.config import Anchors, Augment, Loss, Model, Targets, Train, load_params
from ssd.data.dataset import TrainingData, TrainingSample, example_pixels
from ssd.data.records import MANIFEST, load_classes, open_records
from ssd.engine.checkpoint import Description, build_network, load_anchors, require_recipe, save_checkpoint
from ssd.engine.dropout import keep_masks
from ssd.engine.fingerprint import fingerprint, made_by
from ssd.engine.history import write_history
from ssd.engine.optimizer import make_optimizer
from ssd.engine.resume import run
from ssd.engine.schedule import learning_rates, steps_in
from ssd.engine.state import remove_states
from ssd.engine.training import Training
from ssd.engine.work_folder import locked_folder
from ssd.model.loss import make_loss
from ssd.model.pretrained import start_from_pretrained
from ssd.model.weights import initialise
from ssd.runtime import compile_whole_cells
from stages import project, run_stage

RECORDS, ANCHORS = Path("data/records"), Path("data/anchors.npy")
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


def main() -> None:
    """Train, telling the losses of each epoch, and write the checkpoint."""
    params = load_params("params.yaml", Params)
    model, targets, rules = params.model, params.targets, params.train
    records = open_records(RECORDS, "train")
    classes = load_classes(RECORDS)
    anchors = load_anchors(ANCHORS)
    require_recipe(anchors, params.anchors, model.input_size, ANCHORS)
    description = Description(
        model=model,
        anchors=params.anchors,
        variances=targets.variances,
        class_names=tuple(each.name for each in classes),
        category_ids=tuple(each.category_id for each in classes),
        scores=params.loss.scores,
    )
    steps = steps_in(len(records), rules.batch_size)
    pretrained = project() / model.pretrained if model.pretrained else None

    compile_whole_cells()
    net = build_network(description)
    initialise(net, rules.seed, params.loss.class_prior, model.input)
    examples = partial(example_pixels, records, model.input_size, model.input, EXAMPLES)
    start_from_pretrained(net, pretrained, model.pretrained_sha256, model.input, examples)
    net.backbone.freeze(rules.freeze)
    rates = learning_rates(rules, steps)
    sample = TrainingSample(
        anchors,
        model.input_size,
        model.input,
        targets.iou_threshold,
        targets.variances,
        params.augment,
        rules.seed,
        epoch=1,
    )
    training = Training(
        net,
        make_loss(params.loss),
        make_optimizer(net, rules.optimizer, rates, rules.momentum, rules.weight_decay, rules.bias_lr_factor),
        TrainingData(records, sample, rules.batch_size, rules.workers),
        rates,
        rules.epochs,
        partial(keep_masks, net.mask_shape(rules.batch_size), model.dropout, rules.seed),
        rules.clip_norm,
    )
    parameters = sum(parameter.size for parameter in net.trainable_params())

    inputs = [RECORDS / MANIFEST, ANCHORS] + ([pretrained] if pretrained else [])
    recipe = fingerprint(replace(params, train=replace(rules, workers=1, checkpoint_every=1)), inputs)
    parent = os.getppid()
    with locked_folder(project() / "work" / "train" / recipe[:16]) as folder:
        for history in run(training, folder, rules.checkpoint_every):
            write_history(
                Path("metrics/train.csv"), Path("metrics/train.json"), history, steps, parameters, made_by()
            )
        save_checkpoint(Path("models/ssd.safetensors"), net, anchors, description)
        if os.getppid() == parent:  # else DVC is gone and did not see the end: it will ask again
            remove_states(folder)


if __name__ == "__main__":
    run_stage(main, __doc__)
