"""Random changes to a training image and its boxes; `policies` has the chains, the other modules a step each.

Everywhere: images are [H, W, 3] uint8 RGB, boxes [G, 4] yxyx fractions of the image, labels [G]; what comes in is
not changed in place; chance comes from the generator handed in and from nowhere else.
"""
