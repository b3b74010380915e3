"""Outlines of the drawn objects, their exact boxes, and their masks.

Coordinates are x, y in pixels with the image's corner at (0, 0) and the first pixel's centre at (0.5, 0.5),
as in COCO's boxes. Outlines are held in whole 64ths of a pixel: box and drawing come from the same numbers.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

KINDS = ("circle", "square", "triangle", "star", "ring")

UNITS = 64
"""Units of an outline to a pixel."""

_FINER = 4
"""Masks are filled this much finer in both directions, then averaged: OpenCV's own anti-aliasing bleeds."""

_SHIFT = int(math.log2(UNITS // _FINER))


@dataclass(frozen=True)
class Outline:
    """Closed contours [V, 2] int32, x y in 1/`UNITS` pixel; a second contour is a hole in the first."""

    contours: tuple[np.ndarray, ...]

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """xmin, ymin, xmax, ymax of the whole shape in pixels, also where it leaves the image."""
        low, high = self.contours[0].min(0) / UNITS, self.contours[0].max(0) / UNITS
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def moved(self, right: float, down: float) -> "Outline":
        """The same shape elsewhere; the way in pixels is rounded to whole units."""
        way = np.array([round(right * UNITS), round(down * UNITS)], np.int32)
        return Outline(tuple(contour + way for contour in self.contours))


@dataclass(frozen=True)
class Mask:
    """How much a shape covers of each pixel: `cover` [h, w] uint8, 255 all; starts at pixel (left, top)."""

    left: int
    top: int
    cover: np.ndarray

    def clipped(self, height: int, width: int) -> "Mask":
        """The part inside an image of this height and width."""
        rows, columns = self.cover.shape
        top, left = max(self.top, 0), max(self.left, 0)
        bottom, right = min(self.top + rows, height), min(self.left + columns, width)
        inside = self.cover[top - self.top : bottom - self.top, left - self.left : right - self.left]
        return Mask(left, top, inside)

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the image that the mask lies on, once it is clipped."""
        return (
            slice(self.top, self.top + self.cover.shape[0]),
            slice(self.left, self.left + self.cover.shape[1]),
        )

    @property
    def area(self) -> float:
        """Covered pixels."""
        return int(self.cover.sum(dtype=np.int64)) / 255


def random_outline(rng: np.random.Generator, kind: str, size: float) -> Outline:
    """A shape around (0, 0), at any angle and a little distorted.

    Args:
        rng: where angle and distortion come from.
        kind: one of `KINDS`.
        size: the longer side of its upright box, in pixels.
    """
    angle, stretch = rng.uniform(0, 2 * math.pi), rng.uniform(0.82, 1.0)
    hole = rng.uniform(0.5, 0.62)
    corners = {"circle": 96, "square": 4, "triangle": 3, "star": 10, "ring": 96}[kind]
    radii = [0.45 if kind == "star" and corner % 2 else 1.0 for corner in range(corners)]
    turns = [2 * math.pi * corner / corners for corner in range(corners)]
    rotation = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    points = np.array(
        [[r * math.cos(t), stretch * r * math.sin(t)] for r, t in zip(radii, turns, strict=True)]
    )
    points = points[:, :1] * rotation[0] + points[:, 1:] * rotation[1]
    low, high = points.min(0), points.max(0)
    points = (points - (low + high) / 2) * (size / (high - low).max())
    scales = (1.0, hole) if kind == "ring" else (1.0,)
    return Outline(tuple(np.rint(points * (scale * UNITS)).astype(np.int32) for scale in scales))


def mask(outline: Outline) -> Mask:
    """What `outline` covers, with no regard to any image."""
    return _painted(outline, None)


def edge(outline: Outline, thickness: float) -> np.ndarray:
    """The rim inside `outline`, `thickness` pixels wide: [h, w] uint8, in the frame of `mask(outline)`."""
    return _painted(outline, thickness).cover


def _painted(outline: Outline, thickness: float | None) -> Mask:
    xmin, ymin, xmax, ymax = outline.extent
    # One pixel of air, because OpenCV paints the pixels that a border touches.
    left, top = math.floor(xmin) - 1, math.floor(ymin) - 1
    width, height = math.ceil(xmax) + 1 - left, math.ceil(ymax) + 1 - top
    # OpenCV's whole coordinates are the centres of (fine) pixels, ours their corners.
    corner = np.array([left * UNITS, top * UNITS]) + UNITS // _FINER // 2
    contours = [(contour - corner).astype(np.int32) for contour in outline.contours]
    fine = np.zeros((height * _FINER, width * _FINER), np.uint8)
    cv2.fillPoly(fine, contours, (255,), shift=_SHIFT)
    if thickness is not None:
        rim = np.zeros_like(fine)
        cv2.polylines(rim, contours, True, (255,), max(1, round(2 * thickness * _FINER)), shift=_SHIFT)
        fine &= rim
    return Mask(left, top, cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA))
