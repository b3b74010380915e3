"""A recipe's network with its first weights, for what is timed and not trained."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ssd.config import Params
from ssd.data.source import Category

if TYPE_CHECKING:
    from ssd.engine.checkpoint import Description
    from ssd.model.detector import SSD


def first_network(params: Params, classes: Sequence[Category], seed: int = 1) -> tuple["SSD", "Description"]:
    """The network that parameters and classes describe, and what its checkpoint would say of it."""
    from ssd.engine.checkpoint import Description, build_network
    from ssd.model.weights import initialise

    description = Description(
        params.model,
        params.anchors,
        params.targets.variances,
        tuple(each.name for each in classes),
        tuple(each.category_id for each in classes),
        params.loss.scores,
    )
    net = build_network(description)
    initialise(net, seed, params.loss.class_prior, params.model.input)
    return net, description
