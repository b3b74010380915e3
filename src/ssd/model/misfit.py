"""In which ways the tensors of a file are not those of a network."""

from collections.abc import Mapping

Shape = tuple[int, ...]


def misfit(expected: Mapping[str, Shape], given: Mapping[str, Shape], at_most: int | None = None) -> str:
    """What is missing, extra and misshapen, in words; nothing where all fits.

    Args:
        expected: shapes by name.
        given: shapes by name.
        at_most: names told of each kind; the others are counted.
    """
    faults = {
        "missing": sorted(expected.keys() - given.keys()),
        "extra": sorted(given.keys() - expected.keys()),
        "misshapen": sorted(
            f"{name} {given[name]}, expected {expected[name]}"
            for name in expected.keys() & given.keys()
            if given[name] != expected[name]
        ),
    }
    return "; ".join(f"{kind}: {_listed(names, at_most)}" for kind, names in faults.items() if names)


def _listed(names: list[str], at_most: int | None) -> str:
    told = names[:at_most]
    others = [f"and {len(names) - len(told)} more"] if len(told) < len(names) else []
    return ", ".join(told + others)
