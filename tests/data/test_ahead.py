import threading

import pytest

from ssd.data.ahead import AHEAD, made_ahead


@pytest.mark.parametrize("workers", [1, 2, 1000])
def test_things_come_in_the_order_of_their_items(workers: int) -> None:
    assert list(made_ahead(lambda item: item * item, range(20), workers)) == [
        item * item for item in range(20)
    ]
    assert list(made_ahead(str, [], workers)) == []


def test_no_more_are_made_than_are_soon_asked_for() -> None:
    made = []
    coming = made_ahead(made.append, range(100), 1)
    next(coming)
    coming.close()
    assert len(made) <= 1 + 1 + AHEAD


def test_an_error_comes_where_its_thing_would_have_come() -> None:
    coming = made_ahead(lambda item: 6 // item, [3, 2, 0, 1], 2)
    assert [next(coming), next(coming)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(coming)


def test_no_thread_is_left_when_the_reader_stops_early() -> None:
    before = threading.active_count()
    coming = made_ahead(str, range(50), 2)
    next(coming)
    coming.close()
    assert threading.active_count() == before
