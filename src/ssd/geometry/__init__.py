"""Boxes, anchors, and what is between them: numpy only, no files, no framework.

Boxes are `[N, 4]` yxyx (ymin, xmin, ymax, xmax) in fractions of the image, unless a name says otherwise.
"""
