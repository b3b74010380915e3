from ssd.model.misfit import misfit


def test_what_fits_is_nothing_to_tell() -> None:
    assert misfit({"a": (2, 3), "b": ()}, {"b": (), "a": (2, 3)}) == ""


def test_each_kind_of_fault_is_told_in_order_of_the_names() -> None:
    told = misfit({"a": (2,), "d": (3,), "c": (1,)}, {"a": (4,), "z": (), "b": ()})
    assert told == "missing: c, d; extra: b, z; misshapen: a (4,), expected (2,)"


def test_many_names_are_counted() -> None:
    assert misfit({}, {name: () for name in "edcba"}, at_most=2) == "extra: a, b, and 3 more"
    assert misfit({}, {name: () for name in "ba"}, at_most=2) == "extra: a, b"
