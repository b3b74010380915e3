"""Images in one line each, for tests by hand."""

import numpy as np

from ssd.analysis.judging import Detections, Judged, Objects, boxes, judge

DOG, CAT = 18, 17


def image(
    objects: list[tuple[int, tuple[float, ...]]],
    detections: list[tuple[int, tuple[float, ...], float]],
    crowd: tuple[int, ...] = (),
    difficult: tuple[int, ...] = (),
) -> Judged:
    """An image of objects (class, box) and detections (class, box, score); crowd, difficult: places of such objects."""
    places = np.arange(len(objects))
    return judge(
        Objects(
            boxes([box for _, box in objects]),
            np.array([category for category, _ in objects], dtype=np.int64),
            np.isin(places, crowd),
            ~np.isin(places, [*crowd, *difficult]),
        ),
        Detections(
            boxes([box for _, box, _ in detections]),
            np.array([category for category, _, _ in detections], dtype=np.int64),
            np.array([score for _, _, score in detections], dtype=np.float64),
        ),
    )
