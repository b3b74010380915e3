"""The confusion of classes as it is laid out."""

import numpy as np
import pytest

from ssd.analysis.confusion import Confusion
from ssd.report.matrix import MOST_PAIRS, lay_out


def test_a_cell_has_the_share_of_its_row_and_says_what_it_means():
    matrix = lay_out(Confusion(("cat", "dog"), np.array([[6, 3, 1], [0, 4, 0], [2, 2, 0]])))
    assert matrix.names == ("cat", "dog", "background")
    assert [[cell.share for cell in row] for row in matrix.rows] == [
        [0.6, 0.3, 0.1],
        [0, 1, 0],
        [0.5, 0.5, 0],
    ]
    assert [cell.title for cell in matrix.cells] == [
        "cat found: 6",
        "cat taken for dog: 3",
        "cat missed: 1",
        "dog found: 4",
        "cat where there is none: 2",
        "dog where there is none: 2",
    ]
    assert [cell.kind for cell in matrix.rows[0]] == ["right", "wrong", "missed"]


def test_pairs_have_the_share_of_the_objects_of_the_first_class():
    matrix = lay_out(Confusion(("cat", "dog"), np.array([[6, 3, 1], [0, 4, 0], [2, 2, 0]])))
    (pair,) = matrix.pairs
    assert (pair.actual, pair.detected, pair.count, pair.share) == ("cat", "dog", 3, 0.3)
    assert matrix.confused == 3


def test_of_many_pairs_only_the_most_frequent_are_shown():
    counts = np.ones((6, 6), dtype=np.int64)
    counts[4, 0] = 7
    matrix = lay_out(Confusion(tuple("abcde"), counts))
    assert len(matrix.pairs) == MOST_PAIRS
    assert (matrix.pairs[0].actual, matrix.pairs[0].detected) == ("e", "a")
    assert matrix.confused == 5 * 4 + 6


@pytest.mark.parametrize(("classes", "table"), [(1, True), (20, True), (21, False)])
def test_more_than_twenty_classes_are_no_table(classes: int, table: bool):
    names = tuple(f"class{i}" for i in range(classes))
    assert lay_out(Confusion(names, np.zeros((classes + 1, classes + 1), dtype=np.int64))).table == table
