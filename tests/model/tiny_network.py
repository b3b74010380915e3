"""A slim network: 8 channels where VGG16 has 64 or 256."""

from ssd.model.detector import SSD
from ssd.model.weights import initialise

ANCHORS_PER_CELL = (4, 6, 6, 6, 4, 4)


def slim_network(classes: int, batch_norm: bool, heads: str, seed: int) -> SSD:
    """With the first weights that the seed draws."""
    net = SSD(300, classes, ANCHORS_PER_CELL, 0.03125, batch_norm, heads)
    initialise(net, seed, 0.01)
    return net
