"""The confusion of classes as something to look at: a table of few classes, a map of many."""

from dataclasses import dataclass

from ssd.analysis.confusion import BACKGROUND, Confusion

MOST_IN_TABLE = 20
MOST_PAIRS = 10


@dataclass(frozen=True)
class Cell:
    """How often it was so, as a share of its row, and what kind it is: right, wrong, missed or imagined."""

    row: int
    column: int
    count: int
    share: float
    kind: str
    title: str


@dataclass(frozen=True)
class Pair:
    """A class that was taken for another, how often, and the share of its objects."""

    actual: str
    detected: str
    count: int
    share: float


@dataclass(frozen=True)
class Matrix:
    """Rows: what there was, columns: what was detected; the last of both is background.

    Attributes:
        names: of rows and columns.
        rows: [C + 1] of [C + 1] cells.
        pairs: the most frequent confusions of two classes.
        confused: how many objects were taken for another class, in all.
        table: few enough classes to write every count.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    pairs: tuple[Pair, ...]
    confused: int
    table: bool

    @property
    def cells(self) -> list[Cell]:
        """Those that are not empty."""
        return [cell for row in self.rows for cell in row if cell.count]


def lay_out(confusion: Confusion) -> Matrix:
    """The counts with all that is drawn of them."""
    names = (*confusion.names, BACKGROUND)
    last = len(names) - 1
    sums = confusion.counts.sum(axis=1).tolist()

    def cell(row: int, column: int, count: int) -> Cell:
        kind = (
            "imagined"
            if row == last
            else "missed"
            if column == last
            else "right"
            if row == column
            else "wrong"
        )
        title = {
            "imagined": f"{names[column]} where there is none: {count}",
            "missed": f"{names[row]} missed: {count}",
            "right": f"{names[row]} found: {count}",
            "wrong": f"{names[row]} taken for {names[column]}: {count}",
        }[kind]
        return Cell(row, column, count, count / sums[row] if sums[row] else 0.0, kind, title)

    pairs = confusion.pairs()
    of_class = dict(zip(confusion.names, sums, strict=False))
    return Matrix(
        names,
        tuple(
            tuple(cell(row, column, count) for column, count in enumerate(counts))
            for row, counts in enumerate(confusion.counts.tolist())
        ),
        tuple(
            Pair(actual, detected, count, count / of_class[actual])
            for actual, detected, count in pairs[:MOST_PAIRS]
        ),
        sum(count for *_, count in pairs),
        len(confusion.names) <= MOST_IN_TABLE,
    )
