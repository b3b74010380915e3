import pytest

from ssd.geometry.feature_maps import MAP_CELLS, require_map_cells


def test_ssd300_has_six_maps_and_ssd512_seven() -> None:
    assert MAP_CELLS == {300: (38, 19, 10, 5, 3, 1), 512: (64, 32, 16, 8, 4, 2, 1)}


@pytest.mark.parametrize(
    ("input_size", "steps"),
    [
        (300, (8, 16, 32, 64, 100, 300)),
        (300, (8, 16, 30, 60, 100, 300)),
        (512, (8, 16, 32, 64, 128, 256, 512)),
    ],
)
def test_steps_that_give_the_maps_of_the_network_are_taken(input_size: int, steps: tuple[int, ...]) -> None:
    require_map_cells(input_size, steps)


@pytest.mark.parametrize(
    ("input_size", "steps", "sentence"),
    [
        (
            *(300, (8, 16, 32, 64, 100, 150)),
            "SSD300's 6 feature maps, [38, 19, 10, 5, 3, 1] cells a side, got [38, 19, 10, 5, 3, 2]",
        ),
        (
            *(300, (8, 16, 32, 64, 100)),
            "SSD300's 6 feature maps, [38, 19, 10, 5, 3, 1] cells a side, got [38, 19, 10, 5, 3]",
        ),
        (
            *(512, (8, 16, 32, 64, 100, 300)),
            "SSD512's 7 feature maps, [64, 32, 16, 8, 4, 2, 1] cells a side, got [64, 32, 16, 8, 6, 2]",
        ),
    ],
)
def test_other_maps_are_refused_with_what_was_expected_and_what_was_found(
    input_size: int, steps: tuple[int, ...], sentence: str
) -> None:
    with pytest.raises(ValueError) as raised:
        require_map_cells(input_size, steps)
    assert str(raised.value) == f"anchors.steps: expected those of {sentence}"
