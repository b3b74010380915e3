"""Two ways of doing the same, measured side by side, and the table that shows them.

Times are those of the processor (of all threads of this process), not of the clock on the wall: what else runs on
the machine is left out, and "a second" is a second of one core, however many threads share the work.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """What was measured in a number of rounds, in seconds or in the unit that it was converted to."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Times":
        """Of all rounds."""
        return cls(statistics.median(values), min(values), max(values))

    def per(self, amount: float) -> "Times":
        """How much of an amount is done a second, where these are the seconds that it takes."""
        return Times(amount / self.median, amount / self.high, amount / self.low)

    def times(self, factor: float) -> "Times":
        """In another unit."""
        return Times(self.median * factor, self.low * factor, self.high * factor)

    def plus(self, more: "Times | float") -> "Times":
        """With an amount more, or with other times: the lowest with the lowest, the highest with the highest."""
        other = more if isinstance(more, Times) else Times(more, more, more)
        return Times(self.median + other.median, self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: is measured, and on what.
        ours, peer: in `unit`; no peer where there is nothing to compare with.
        ratio: what the goal is about: how many times as good as the peer we are, or a share; None: only told.
        goal: what the ratio should be, in words; empty where nothing is promised.
    """

    what: str
    ours: Times
    peer: Times | None
    unit: str
    ratio: float | None
    goal: str


def interleaved(
    calls: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, Times]:
    """Seconds of each call, taken in turn in every round, so that a slower minute hits all alike.

    Args:
        calls: by their names; each is called once more before the first round.
        rounds: how often each is measured.
        clock: gives seconds.
    """
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            begin = clock()
            call()
            seconds[name].append(clock() - begin)
    return {name: Times.of(each) for name, each in seconds.items()}


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown: medians, and from the lowest to the highest of all rounds."""
    lines = ["| what | unit | ours | peer | ratio | goal |", "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        peer = "" if row.peer is None else _told(row.peer)
        lines.append(f"| {row.what} | {row.unit} | {_told(row.ours)} | {peer} | {ratio} | {row.goal} |")
    return "\n".join(lines)


def _told(times: Times) -> str:
    return f"{times.median:.3g} ({times.low:.3g} to {times.high:.3g})"
