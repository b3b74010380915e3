import random

import pytest

from ssd.data.sources.held_out import hold_out, is_held_out

NAMES = [f"{number:012d}.jpg" for number in range(1000)]


def test_the_first_eight_bytes_of_the_names_sha256_decide():
    # printf a.jpg | sha256sum: 509b0d46…
    assert not is_held_out("a.jpg", 0.314)
    assert is_held_out("a.jpg", 0.315)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_val_has_about_its_share(share):
    assert abs(len(hold_out(NAMES, share, "")) - 1000 * share) < 4 * (1000 * share * (1 - share)) ** 0.5


def test_photos_that_are_added_or_reordered_move_no_other():
    few = NAMES[::3]
    mixed = random.Random(1).sample(NAMES, len(NAMES))
    assert hold_out(mixed, 0.2, "") & set(few) == hold_out(few, 0.2, "")


def test_a_larger_share_keeps_the_photos_of_a_smaller_one():
    assert hold_out(NAMES, 0.1, "") < hold_out(NAMES, 0.2, "") < hold_out(NAMES, 0.7, "")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_all_versions_of_a_photo_that_roboflow_makes_are_in_one_split(share):
    for number in range(20):
        versions = [
            f"{number}_jpg.rf.{tail}.jpg" for tail in ("0d1a69af4ce5b4eaba6df8b8d6d1c06b", "Xy-2_Zk9")
        ]
        assert len({is_held_out(name, share) for name in [*versions, f"{number}_jpg.jpg"]}) == 1


def test_photos_whose_names_differ_elsewhere_are_told_apart():
    pairs = [(f"{n}.rf.jpg", f"{n}.jpg") for n in range(50)]
    assert any(is_held_out(one, 0.5) != is_held_out(other, 0.5) for one, other in pairs)


@pytest.mark.parametrize("names", [[], ["a.jpg"]])
def test_too_few_photos_for_two_splits_are_refused_in_one_sentence(names):
    with pytest.raises(
        ValueError, match=r"^here: expected photos for train and for val, got \d and \d by the sh"
    ):
        hold_out(names, 0.5, "here")


def test_a_name_that_is_no_text_for_a_disk_is_decided_too():
    assert is_held_out("\ud800", 0.999999) or not is_held_out("\ud800", 0.000001)
