"""The chains as wholes: what each does, that chance is the generator's, and where the boxes end up."""

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pictures import CAFFE, NO_BOXES, NO_LABELS, NOTHING, boxes_of, noise, some_objects, white_box_px

from ssd.config import Augment
from ssd.data.augment import policies
from ssd.data.augment.distort import distort, shuffle_channels
from ssd.data.augment.expand import expand
from ssd.data.augment.mirror import mirror
from ssd.data.augment.policies import augment
from ssd.data.augment.resize import resize
from ssd.data.augment.samplers import crop_to_sample
from ssd.geometry.boxes import area

TUTORIAL = dataclasses.replace(
    NOTHING, crop=1.0, mirror=1.0, colour=1.0, brightness=0.4, contrast=0.4, saturation=0.4
)
EVERYTHING = dataclasses.replace(CAFFE, colour=1.0, expand=1.0, shuffle_channels=1.0)
POLICIES = {"tutorial": TUTORIAL, "ssd": CAFFE, "ssd with everything": EVERYTHING}
each_policy = pytest.mark.parametrize("rules", POLICIES.values(), ids=POLICIES)
SIZE = 60


@each_policy
@pytest.mark.parametrize("seed", range(12))
def test_through_all_steps_a_box_stays_on_its_pixels(rules: Augment, seed: int) -> None:
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[30:90, 40:120] = 255
    rules = dataclasses.replace(rules, mirror=0.5, colour=0.0, shuffle_channels=0.0)
    changed, boxes, labels = augment(
        picture,
        boxes_of([[30, 40, 90, 120]], 120, 160),
        np.array([3]),
        rules,
        SIZE,
        np.random.default_rng(seed),
    )
    assert changed.shape == (SIZE, SIZE, 3)
    if not len(labels):
        return
    assert labels.tolist() == [3]
    # white against black or, beyond the image, grey; a resize blurs the border by about a pixel
    brighter = np.where((changed > 190).all(axis=2)[..., None], 255, 0) * np.ones(3)
    np.testing.assert_allclose(boxes[0] * SIZE, white_box_px(brighter), atol=1.1)


def test_the_steps_of_ssd_come_in_caffes_order(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for step in (distort, shuffle_channels, expand, crop_to_sample, resize, mirror):

        def noted(*given, step=step):
            made.append(step.__name__)
            return step(*given)

        monkeypatch.setattr(policies, step.__name__, noted)
    always = dataclasses.replace(EVERYTHING, mirror=1.0)
    augment(noise(9, 9), NO_BOXES, NO_LABELS, always, SIZE, np.random.default_rng(1))
    assert made == ["distort", "shuffle_channels", "expand", "crop_to_sample", "resize", "mirror"]


def test_the_values_in_the_parameters_are_those_that_the_steps_get(monkeypatch: pytest.MonkeyPatch) -> None:
    got = {}

    def no_distort(image, *values):
        got["distort"] = values[:-1]
        return image

    def no_expand(image, boxes, max_ratio, rng):
        got["expand"] = max_ratio
        return image, boxes

    monkeypatch.setattr(policies, "distort", no_distort)
    monkeypatch.setattr(policies, "expand", no_expand)
    rules = dataclasses.replace(CAFFE, contrast=0.4, saturation=0.3, expand=1.0, expand_max=3.0)
    augment(noise(9, 9), NO_BOXES, NO_LABELS, rules, SIZE, np.random.default_rng(1))
    assert got == {"distort": (0.5, 32.0, 0.4, 0.3, 18.0), "expand": 3.0}


@pytest.mark.parametrize("policy", ["tutorial", "ssd"])
def test_a_policy_whose_chances_are_zero_only_resizes(policy: str) -> None:
    picture, boxes, labels = noise(30, 40), some_objects(np.random.default_rng(1), 30, 40, 3), np.arange(3)
    rules = dataclasses.replace(NOTHING, policy=policy)
    changed = augment(picture, boxes, labels, rules, SIZE, np.random.default_rng(1))
    for after, before in zip(changed, (resize(picture, SIZE), boxes, labels), strict=True):
        np.testing.assert_array_equal(after, before)


def test_none_only_resizes_bilinearly_whatever_the_chances_are() -> None:
    picture, boxes, labels = noise(30, 40), some_objects(np.random.default_rng(1), 30, 40, 3), np.arange(3)
    rules = dataclasses.replace(EVERYTHING, policy="none")
    for seed in range(5):
        changed, same_boxes, same_labels = augment(
            picture, boxes, labels, rules, SIZE, np.random.default_rng(seed)
        )
        np.testing.assert_array_equal(changed, resize(picture, SIZE))
        assert same_boxes is boxes and same_labels is labels


@each_policy
def test_chance_comes_from_the_generator_alone(rules: Augment) -> None:
    picture, boxes, labels = noise(90, 70), some_objects(np.random.default_rng(1), 90, 70, 3), np.arange(3)
    given = [array.copy() for array in (picture, boxes, labels)]
    before = np.random.get_state()
    for seed in range(10):
        once = augment(picture, boxes, labels, rules, SIZE, np.random.default_rng(seed))
        again = augment(picture, boxes, labels, rules, SIZE, np.random.default_rng(seed))
        other = augment(picture, boxes, labels, rules, SIZE, np.random.default_rng(seed + 100))
        for one, two in zip(once, again, strict=True):
            np.testing.assert_array_equal(one, two)
        assert not np.array_equal(once[0], other[0])
    after = np.random.get_state()
    assert before[2:] == after[2:] and (before[1] == after[1]).all()
    for array, before in zip((picture, boxes, labels), given, strict=True):
        np.testing.assert_array_equal(array, before)


def changes_at(picture: np.ndarray, chance: str, **values: object) -> float:
    """How often a picture is changed where one chance is a quarter and all others are none."""
    rules = dataclasses.replace(NOTHING, **values, **{chance: 0.25})
    unchanged = resize(picture, SIZE)
    return np.mean(
        [
            not np.array_equal(
                augment(picture, NO_BOXES, NO_LABELS, rules, SIZE, np.random.default_rng(seed))[0], unchanged
            )
            for seed in range(400)
        ]
    )


@pytest.mark.parametrize(
    ("chance", "values"),
    [
        ("mirror", {}),
        ("colour", {"brightness": 0.4}),
        ("mirror", {"policy": "ssd"}),
        ("colour", {"policy": "ssd", "brightness_shift": 32.0}),
        ("colour", {"policy": "ssd", "contrast": 0.5}),
        ("colour", {"policy": "ssd", "saturation": 0.5}),
        ("colour", {"policy": "ssd", "hue": 18.0}),
        ("expand", {"policy": "ssd", "expand_max": 4.0}),
    ],
)
def test_a_chance_is_how_often_a_change_happens(chance: str, values: dict) -> None:
    assert changes_at(noise(40, 40), chance, **values) == pytest.approx(0.25, abs=0.065)  # 3 standard errors


def test_shuffled_channels_are_in_another_order_five_times_of_six() -> None:
    changed = changes_at(noise(9, 9), "shuffle_channels", policy="ssd")
    assert changed == pytest.approx(0.25 * 5 / 6, abs=0.062)


@each_policy
def test_a_photo_without_objects_has_none_afterwards(rules: Augment) -> None:
    for seed in range(10):
        changed, boxes, labels = augment(
            noise(30, 40), NO_BOXES, NO_LABELS, rules, SIZE, np.random.default_rng(seed)
        )
        assert changed.shape == (SIZE, SIZE, 3) and changed.dtype == np.uint8
        assert boxes.shape == (0, 4) and labels.shape == (0,)


@given(
    st.sampled_from(list(POLICIES)),
    st.integers(0, 10**6),
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 4),
)
@example("ssd with everything", 1, 1, 1, 1)
@example("ssd with everything", 2, 1, 90, 3)
@settings(max_examples=200)
def test_boxes_stay_inside_with_an_area_and_with_their_labels(
    policy: str, seed: int, height: int, width: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    boxes = some_objects(rng, height, width, count) if count else NO_BOXES
    labels = np.arange(1, count + 1, dtype=np.int32)
    changed, kept_boxes, kept_labels = augment(
        noise(height, width), boxes, labels, POLICIES[policy], SIZE, rng
    )
    assert changed.shape == (SIZE, SIZE, 3) and changed.dtype == np.uint8
    assert kept_boxes.shape == (len(kept_labels), 4) and kept_labels.dtype == np.int32
    assert set(kept_labels.tolist()) <= set(labels.tolist())
    assert np.isfinite(kept_boxes).all() and (kept_boxes >= 0).all() and (kept_boxes <= 1).all()
    assert (area(kept_boxes.astype(np.float32)) > 0).all()


def test_policy_ssd_works_on_a_large_photo_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def noted(image, *given):
        seen.append(image.shape)
        return expand(image, *given)

    monkeypatch.setattr(policies, "expand", noted)
    augment(noise(900, 3000), NO_BOXES, NO_LABELS, EVERYTHING, SIZE, np.random.default_rng(1))
    assert seen == [(307, 1024, 3)]
