"""Stage train: train the detector on the training records.

Reads params.yaml (anchors, targets, model, loss, augment, train), data/records and data/anchors.npy; writes
models/ssd.safetensors, and after every epoch metrics/train.csv and metrics/train.json.
"""

from dataclasses import dataclass
from pathlib import Path

from ssd.config import Anchors, Augment, Loss, Model, Targets, Train, load_params
from ssd.data.dataset import TrainingSample, training_batches
from ssd.data.records import load_classes, open_records
from ssd.engine.checkpoint import Description, build_network, load_anchors, require_recipe, save_checkpoint
from ssd.engine.dropout import keep_masks
from ssd.engine.history import write_history
from ssd.engine.optimizer import make_optimizer
from ssd.engine.schedule import learning_rates, steps_in
from ssd.engine.training import train
from ssd.model.loss import make_loss
from ssd.model.pretrained import start_from_pretrained
from ssd.model.weights import initialise
from stages import project, run_stage


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
    rules = params.train
    records = open_records(Path("data/records"), "train")
    classes = load_classes(Path("data/records"))
    anchors = load_anchors(Path("data/anchors.npy"))
    require_recipe(anchors, params.anchors, params.model.input_size, Path("data/anchors.npy"))
    description = Description(
        model=params.model,
        anchors=params.anchors,
        variances=params.targets.variances,
        class_names=tuple(each.name for each in classes),
        category_ids=tuple(each.category_id for each in classes),
        scores=params.loss.scores,
    )

    net = build_network(description)
    initialise(net, rules.seed, params.loss.class_prior)
    pretrained = params.model.pretrained and project() / params.model.pretrained
    start_from_pretrained(net, pretrained, params.model.pretrained_sha256, params.model.input)
    net.backbone.freeze(rules.freeze)
    steps = steps_in(len(records), rules.batch_size)
    rates = learning_rates(rules, steps)

    def batches(epoch: int):
        sample = TrainingSample(
            anchors,
            params.model.input_size,
            params.model.input,
            params.targets.iou_threshold,
            params.targets.variances,
            params.augment,
            rules.seed,
            epoch,
        )
        return training_batches(records, sample, rules.batch_size, rules.workers)

    def masks(step: int):
        shape = net.mask_shape(rules.batch_size)
        return keep_masks(shape, params.model.dropout, rules.seed, step)

    parameters = sum(parameter.size for parameter in net.trainable_params())
    history = []
    optimizer = make_optimizer(
        net, rules.optimizer, rates, rules.momentum, rules.weight_decay, rules.bias_lr_factor
    )
    for losses in train(net, make_loss(params.loss), optimizer, batches, rates, rules.epochs, masks):
        history.append(losses)
        write_history(Path("metrics/train.csv"), Path("metrics/train.json"), history, steps, parameters)
    save_checkpoint(Path("models/ssd.safetensors"), net, anchors, description)


if __name__ == "__main__":
    run_stage(main, __doc__)
