"""Which class is taken for which, by hand."""

from pathlib import Path

from one_image import CAT, DOG, image

from ssd.analysis.confusion import confuse, write_confusion

SQUARE, ASIDE = (10.0, 10.0, 20.0, 20.0), (60.0, 60.0, 20.0, 20.0)
CLASSES = {CAT: "cat", DOG: "dog"}


def test_found_taken_for_another_missed_and_imagined_have_a_cell_each():
    one = image(
        [(CAT, SQUARE), (DOG, ASIDE), (DOG, (0.0, 80.0, 10.0, 10.0))],
        [(CAT, SQUARE, 0.9), (CAT, ASIDE, 0.8), (CAT, (90.0, 0.0, 9.0, 9.0), 0.7)],
    )
    # rows cat, dog, background; columns cat, dog, background
    assert confuse([one], CLASSES, 0.5).counts.tolist() == [[1, 0, 0], [1, 0, 1], [1, 0, 0]]
    assert confuse([one, one], CLASSES, 0.75).counts.tolist() == [[2, 0, 0], [2, 0, 2], [0, 0, 0]]


def test_a_right_detection_keeps_its_object_from_a_surer_one_of_another_class():
    one = image([(DOG, SQUARE)], [(CAT, SQUARE, 0.9), (DOG, SQUARE, 0.6)])
    assert confuse([one], CLASSES, 0.5).counts.tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert confuse([one], CLASSES, 0.7).counts.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_an_object_is_taken_once_and_a_second_detection_of_it_is_one_of_background():
    one = image([(DOG, SQUARE)], [(DOG, SQUARE, 0.9), (DOG, SQUARE, 0.8)])
    assert confuse([one], CLASSES, 0.5).counts.tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 0]]


def test_crowds_difficult_objects_and_what_they_excuse_are_left_out():
    one = image(
        [(DOG, SQUARE), (DOG, ASIDE)], [(DOG, SQUARE, 0.9), (DOG, ASIDE, 0.8)], crowd=(0,), difficult=(1,)
    )
    assert confuse([one], CLASSES, 0.5).counts.sum() == 0


def test_the_rows_of_the_classes_add_up_to_the_objects_and_the_columns_to_the_detections():
    one = image(
        [(CAT, SQUARE), (DOG, SQUARE), (DOG, ASIDE)],
        [(DOG, SQUARE, 0.9), (DOG, (12.0, 10.0, 20.0, 20.0), 0.8), (CAT, ASIDE, 0.7), (CAT, ASIDE, 0.6)],
    )
    counts = confuse([one], CLASSES, 0.0).counts
    assert counts[:-1].sum(axis=1).tolist() == [1, 2]
    assert counts[:, :-1].sum(axis=0).tolist() == [2, 2]


def test_the_most_frequent_pairs_come_first_without_background():
    one = image([(CAT, SQUARE)], [(DOG, SQUARE, 0.9)])
    other = image([(DOG, SQUARE)], [(CAT, SQUARE, 0.9)])
    confusion = confuse([one, other, other, image([(DOG, SQUARE)], [])], CLASSES, 0.5)
    assert confusion.pairs() == [("dog", "cat", 2), ("cat", "dog", 1)]


def test_the_table_has_a_row_for_each_pair_that_occurs(tmp_path: Path):
    one = image([(CAT, SQUARE), (DOG, ASIDE)], [(CAT, SQUARE, 0.9), (DOG, (90.0, 0.0, 9.0, 9.0), 0.7)])
    write_confusion(tmp_path / "c.csv", confuse([one, one], CLASSES, 0.5))
    assert (tmp_path / "c.csv").read_text() == (
        "actual,predicted,count\ncat,cat,2\ndog,background,2\nbackground,dog,2\n"
    )
