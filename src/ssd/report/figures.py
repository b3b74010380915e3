"""Line charts as plain numbers: ticks, paths and points which the page's template turns into SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 480, 276
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 36
MOST_POINTS = 60


@dataclass(frozen=True)
class Series:
    """A line: its values at the chart's x (None leaves a gap), and its style in page.css: 1, 2 or 3."""

    name: str
    values: Sequence[float | None]
    style: int
    note: str = ""


@dataclass(frozen=True)
class Tick:
    """A place on an axis and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class Point:
    """A value that can be pointed at."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Line:
    """A series as drawn: an SVG path, and its points where they are few enough."""

    name: str
    note: str
    style: int
    path: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Mark:
    """A place on the x axis to draw a line at, with what is written beside it; `left`: to its left."""

    at: float
    text: str
    left: bool = False


@dataclass(frozen=True)
class Chart:
    """Everything there is to draw; lengths in units of a drawing of WIDTH by HEIGHT."""

    title: str
    x_name: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    mark: Mark | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def line_chart(
    title: str,
    x_name: str,
    x: Sequence[float],
    series: Sequence[Series],
    y_top: float | None = None,
    whole_x: bool = False,
    mark: tuple[float, str] | None = None,
) -> Chart | None:
    """A chart from y = 0 up; None where there is not one value to draw.

    Args:
        title: what the chart shows.
        x_name: what is along the x axis.
        x: ascending, as many as each series has values.
        series: the lines.
        y_top: the upper end of the y axis; None: just above the highest value.
        whole_x: x counts something, so ticks between two whole numbers mean nothing.
        mark: an x to mark with a line, and what to write there.
    """
    known = [value for line in series for value in line.values if value is not None]
    if not known:
        return None
    y_ticks = ticks(min(0.0, *known), max(known) if y_top is None else y_top)
    y_low, y_high = y_ticks[0], y_ticks[-1]
    x_low, x_high = (x[0], x[-1]) if x[-1] > x[0] else (x[0] - 1, x[0] + 1)
    x_marks = [tick for tick in ticks(x_low, x_high, whole_x) if x_low <= tick <= x_high]
    if whole_x and x[0] == x[-1]:
        x_marks = [x[0]]

    def across(value: float) -> float:
        return round(LEFT + (value - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT), 1)

    def up(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM), 1)

    def line(of: Series) -> Line:
        places = [(at, value) for at, value in zip(x, of.values, strict=True) if value is not None]
        points = tuple(
            Point(across(at), up(value), f"{x_name} {at:g}: {of.name} {value:.4g}") for at, value in places
        )
        path = _path([None if v is None else (across(at), up(v)) for at, v in zip(x, of.values, strict=True)])
        return Line(of.name, of.note, of.style, path, points if len(points) <= MOST_POINTS else ())

    return Chart(
        title=title,
        x_name=x_name,
        x_ticks=tuple(Tick(across(value), _written(value, x_marks)) for value in x_marks),
        y_ticks=tuple(Tick(up(value), _written(value, y_ticks)) for value in y_ticks),
        lines=tuple(line(of) for of in series),
        mark=None
        if mark is None
        else Mark(across(mark[0]), mark[1], across(mark[0]) > (LEFT + WIDTH - RIGHT) / 2),
    )


def _path(places: Sequence[tuple[float, float] | None]) -> str:
    steps, drawing = [], False
    for place in places:
        if place is not None:
            steps.append(f"{'L' if drawing else 'M'}{place[0]:g} {place[1]:g}")
        drawing = place is not None
    return "".join(steps)


def ticks(low: float, high: float, whole: bool = False) -> list[float]:
    """Round numbers that enclose `low` and `high`, about five steps of 1, 2, 2.5 or 5 × 10ⁿ apart."""
    if high <= low:
        high = low + 1
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    if whole:
        step = 1.0 if high - low <= 12 else float(math.ceil(step))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{index * step:.10g}") for index in range(first, last + 1)]


def _written(value: float, all_ticks: Sequence[float]) -> str:
    """The number with as many decimals as the neighbouring ticks need; very small ones as a power of ten."""
    largest = max(abs(tick) for tick in all_ticks)
    if value == 0:
        return "0"
    if largest < 1e-3 or largest >= 1e6:
        return f"{value:.3g}"
    decimals = max(len(f"{tick:.6f}".rstrip("0").split(".")[1]) for tick in all_ticks)
    return f"{value:.{decimals}f}"
