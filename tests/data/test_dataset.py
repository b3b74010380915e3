import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from pictures import CAFFE, NOTHING

from ssd.config import Augment, Mindrecord
from ssd.data.augment.policies import augment
from ssd.data.dataset import (
    EvaluationSample,
    TrainingData,
    TrainingSample,
    evaluation_batches,
    example_pixels,
    network_input,
)
from ssd.data.photo_reader import Example
from ssd.data.record_writer import write_records
from ssd.data.records import Records, open_records
from ssd.data.source import Annotation, Category, Photo, Source, Split
from ssd.data.targets import TargetEncoder
from ssd.geometry.anchors import make_anchors
from ssd.geometry.offsets import decode

HEIGHT, WIDTH = 48, 64
TRAIN_IDS = (2, 3, 5, 7, 11, 13, 2**40)
EMPTY_ID = 5
BMP_IDS = (7, 9)
VAL_IDS = (4, 6, 8, 9, 10)
SIZE = 32
VARIANCES = (0.1, 0.2)
ANCHORS = make_anchors(SIZE, (8, 16), (0.2, 0.5, 1.0), ((2,), (2,)), "last")
ALWAYS = dataclasses.replace(
    NOTHING, crop=1.0, mirror=0.5, colour=1.0, brightness=0.4, contrast=0.4, saturation=0.4
)
BEFORE = json.loads((Path(__file__).parents[1] / "golden" / "tutorial_samples.json").read_text())
NO_OBJECTS = np.zeros((0, 4), np.float32), np.zeros(0, np.int32)
SAMPLE = TrainingSample(ANCHORS, SIZE, "imagenet_rgb", 0.5, VARIANCES, NOTHING, seed=1)


def picture(image_id: int) -> np.ndarray:
    """A picture of noise of its own under a black line, [48, 64, 3] uint8 RGB."""
    pixels = np.random.default_rng(image_id).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    pixels[0] = 0
    return pixels


def encoded(image_id: int) -> bytes:
    """That picture as BMP, whose end is the black line: zero bytes, without which it is cut off; or as PNG."""
    kind, after = (".bmp", b"") if image_id in BMP_IDS else (".png", b"\0" * 5)
    return cv2.imencode(kind, picture(image_id)[:, :, ::-1])[1].tobytes() + after


def photo(image_id: int) -> Photo:
    boxes_px = {7: (4.0, 6.0, 32.0, 24.0), 3: (40.0, 20.0, 16.0, 12.0)}  # by category
    annotations = tuple(
        Annotation(category_id, category_id, box_px, box_px[2] * box_px[3], False)
        for category_id, box_px in boxes_px.items()
    )
    objects = () if image_id == EMPTY_ID else annotations
    return Photo(image_id, f"{image_id}.png", HEIGHT, WIDTH, encoded(image_id), objects)


def split(name: str, image_ids: tuple[int, ...]) -> Split:
    def photos() -> Iterator[Photo]:
        return map(photo, image_ids)

    return Split(name, f"{name}.json", photos, len(image_ids), HEIGHT * WIDTH * 5, 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("records")
    categories = (Category(1, 3, "disc"), Category(2, 7, "square"))
    source = Source(categories, split("train", TRAIN_IDS), split("val", VAL_IDS), ())
    write_records(path, source, Mindrecord("error", "error", "error", "error", images_per_file=3))
    return path


@pytest.fixture(scope="module")
def train_records(folder: Path) -> Records:
    records = open_records(folder, "train")
    assert len(records.files) == 3  # 3 + 3 + 1 photos
    return records


@pytest.fixture(scope="module")
def val_records(folder: Path) -> Records:
    return open_records(folder, "val")


def pixels_of(image_id: int) -> np.ndarray:
    return network_input(picture(image_id), SIZE, "imagenet_rgb")


def ids_of(batches: list) -> list[int]:
    """Which photos are in batches of unchanged pixels, in order."""
    known = {pixels_of(image_id).tobytes(): image_id for image_id in (*TRAIN_IDS, *VAL_IDS)}
    return [known[pixels.tobytes()] for batch in batches for pixels in batch[0]]


def sample_of(
    sample: TrainingSample, image_id: int, image: np.ndarray, boxes: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels, target offsets and labels of one photo in the first epoch."""
    example = Example(image_id, image, boxes, labels)
    pixels, offsets, anchor_labels = sample.batch(lambda row: example, 1, np.arange(1))
    return pixels[0], offsets[0], anchor_labels[0]


def targets_of(boxes: np.ndarray, labels: np.ndarray, iou_threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Target offsets and labels of the objects of one photo."""
    offsets, anchor_labels = TargetEncoder(ANCHORS, iou_threshold, VARIANCES)([boxes], [labels])
    return offsets[0], anchor_labels[0]


def epoch_of(
    records: Records, batch_size: int = 1, workers: int = 1, epoch: int = 1, **changes: object
) -> list:
    sample = dataclasses.replace(SAMPLE, **changes)
    return list(TrainingData(records, sample, batch_size, workers).batches(epoch))


def test_an_input_is_normalised_rgb_planes() -> None:
    colour = np.full((10, 20, 3), (10, 128, 250), np.uint8)
    made = network_input(colour, SIZE, "imagenet_rgb")
    assert made.shape == (3, SIZE, SIZE) and made.dtype == np.float32
    assert made.flags["C_CONTIGUOUS"]
    expected = [(10 - 123.675) / 58.395, (128 - 116.28) / 57.12, (250 - 103.53) / 57.375]
    np.testing.assert_allclose(made[:, 7, 30], expected, rtol=1e-5)


def test_an_input_for_caffes_weights_is_bgr_from_0_to_255_less_the_mean() -> None:
    colour = np.full((10, 20, 3), (10, 128, 250), np.uint8)
    made = network_input(colour, SIZE, "caffe_bgr")
    assert made.shape == (3, SIZE, SIZE) and made.dtype == np.float32
    assert made.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(made[:, 7, 30], [250 - 104, 128 - 117, 10 - 123])


@pytest.mark.parametrize("wanted", ["imagenet_rgb", "caffe_bgr"])
def test_samples_of_training_and_of_evaluation_are_of_the_input_that_is_wanted(wanted: str) -> None:
    expected = network_input(picture(EMPTY_ID), SIZE, wanted)
    shown = picture(EMPTY_ID)
    training, _, _ = sample_of(dataclasses.replace(SAMPLE, input=wanted), EMPTY_ID, shown, *NO_OBJECTS)
    np.testing.assert_array_equal(training, expected)
    np.testing.assert_array_equal(EvaluationSample(SIZE, wanted).pixels(shown), expected)


def test_an_input_of_its_own_size_is_only_normalised() -> None:
    given = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    expected = (given[5, 9, 2] - 0.406 * 255) / (0.225 * 255)
    assert network_input(given, SIZE, "imagenet_rgb")[2, 5, 9] == pytest.approx(expected, rel=1e-5)


def test_targets_decode_to_the_boxes_they_were_made_of() -> None:
    boxes = np.array([[0.1, 0.05, 0.6, 0.55], [0.4, 0.6, 0.7, 0.95]], np.float32)
    offsets, labels = targets_of(boxes, np.array([2, 1]), 0.4)
    assert offsets.shape == ANCHORS.shape and offsets.dtype == np.float32
    assert labels.shape == (len(ANCHORS),) and labels.dtype == np.int32
    assert set(labels.tolist()) == {0, 1, 2}
    found = decode(offsets, ANCHORS, VARIANCES)
    for label, box in ((2, boxes[0]), (1, boxes[1])):
        np.testing.assert_allclose(found[labels == label], np.tile(box, (sum(labels == label), 1)), atol=1e-5)
    assert (offsets[labels == 0] == 0).all()


def test_a_photo_without_objects_is_all_background() -> None:
    offsets, labels = targets_of(*NO_OBJECTS, 0.5)
    assert not offsets.any() and not labels.any()
    assert offsets.shape == (len(ANCHORS), 4) and labels.shape == (len(ANCHORS),)


def test_an_epoch_visits_every_photo_once(train_records: Records) -> None:
    assert sorted(ids_of(epoch_of(train_records))) == sorted(TRAIN_IDS)


def test_an_incomplete_batch_is_left_out_of_training(train_records: Records) -> None:
    batches = epoch_of(train_records, batch_size=3)
    assert [len(batch[0]) for batch in batches] == [3, 3]
    seen = ids_of(batches)
    assert len(set(seen)) == 6
    assert seen == ids_of(epoch_of(train_records))[:6]


def test_batches_have_the_shapes_and_types_that_the_network_takes(train_records: Records) -> None:
    pixels, offsets, labels = epoch_of(train_records, batch_size=3)[0]
    assert (pixels.shape, pixels.dtype) == ((3, 3, SIZE, SIZE), np.float32)
    assert (offsets.shape, offsets.dtype) == ((3, len(ANCHORS), 4), np.float32)
    assert (labels.shape, labels.dtype) == ((3, len(ANCHORS)), np.int32)


def test_the_order_is_drawn_from_seed_and_epoch(train_records: Records) -> None:
    order = ids_of(epoch_of(train_records))
    assert order != sorted(order)
    assert ids_of(epoch_of(train_records)) == order
    assert ids_of(epoch_of(train_records, epoch=2)) != order
    assert ids_of(epoch_of(train_records, seed=2)) != order


@pytest.mark.parametrize("policy", [ALWAYS, CAFFE], ids=["tutorial", "ssd"])
def test_the_number_of_workers_changes_no_byte(train_records: Records, policy: Augment) -> None:
    one, two, many = (
        epoch_of(train_records, batch_size=2, workers=workers, policy=policy) for workers in (1, 2, 1000)
    )
    assert len(one) == len(two) == len(many) == 3
    for batch_of_one, *others in zip(one, two, many, strict=True):
        for other in others:
            for ours, theirs in zip(batch_of_one, other, strict=True):
                assert ours.tobytes() == theirs.tobytes()


def test_an_epoch_changes_every_photo_in_its_own_way(train_records: Records) -> None:
    seen = [
        {
            pixels.tobytes()
            for (batch, _, _) in epoch_of(train_records, policy=ALWAYS, epoch=epoch)
            for pixels in batch
        }
        for epoch in (1, 2)
    ]
    assert len(seen[0]) == len(seen[1]) == len(TRAIN_IDS)
    assert not seen[0] & seen[1]


def test_a_photo_is_changed_by_seed_epoch_and_id_whatever_the_order(train_records: Records) -> None:
    boxes = np.array([[0.125, 0.0625, 0.625, 0.5625], [20 / 48, 0.625, 32 / 48, 0.875]], np.float32)
    sample = dataclasses.replace(SAMPLE, policy=ALWAYS)
    expected = set()
    for image_id in TRAIN_IDS:
        objects = NO_OBJECTS if image_id == EMPTY_ID else (boxes, np.array([2, 1], np.int32))
        made = sample_of(sample, image_id, picture(image_id), *objects)
        expected.add(b"".join(part.tobytes() for part in made))
    found = {
        b"".join(part[0].tobytes() for part in batch) for batch in epoch_of(train_records, policy=ALWAYS)
    }
    assert found == expected


def test_a_sample_is_the_augmented_photo() -> None:
    sample = dataclasses.replace(SAMPLE, policy=ALWAYS)
    pixels, _, labels = sample_of(sample, EMPTY_ID, picture(EMPTY_ID), *NO_OBJECTS)
    rng = np.random.default_rng([1, 1, EMPTY_ID])
    changed, _, _ = augment(picture(EMPTY_ID), *NO_OBJECTS, ALWAYS, SIZE, rng)
    np.testing.assert_array_equal(pixels, network_input(changed, SIZE, "imagenet_rgb"))
    assert not labels.any()


def test_the_drawn_interpolation_is_the_one_that_the_network_sees() -> None:
    """Two pixels, white and black, made four wide: nearest repeats them, the others have greys."""
    sample = dataclasses.replace(SAMPLE, size=4, policy=dataclasses.replace(NOTHING, interpolation="random"))
    two = np.zeros((2, 2, 3), np.uint8)
    two[:, 0] = 255
    seen = [sample_of(sample, image_id, two, *NO_OBJECTS)[0][0, 0] for image_id in range(60)]
    white, black = (255 - 123.675) / 58.395, (0 - 123.675) / 58.395
    nearest = [np.allclose(line, [white, white, black, black], atol=1e-5) for line in seen]
    assert 0 < sum(nearest) < 60
    assert len({line.tobytes() for line in seen}) >= 3
    # evaluation: a quarter and three quarters between them
    evaluated = EvaluationSample(4, "imagenet_rgb").pixels(two)
    levels = np.rint(evaluated[0, 0] * 58.395 + 123.675)
    assert levels.tolist() == [255, 191, 64, 0]


def drawn_picture(number: int) -> np.ndarray:
    """Blocks of colours of a size of its own, as the golden samples were made of."""
    rng = np.random.default_rng(number)
    height, width = (int(side) for side in rng.integers(40, 120, 2))
    blocks = rng.integers(0, 256, (5, 7, 3), np.uint8)
    return cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)


@pytest.mark.parametrize(("made", "colour"), [("crop_and_mirror", 0.0), ("with_colour", 1.0)])
def test_the_tutorials_policy_makes_what_it_made_before_there_was_another(made: str, colour: float) -> None:
    policy = dataclasses.replace(
        ALWAYS, crop=1.0, mirror=0.5, colour=colour, brightness=0.3, contrast=0.3, saturation=0.3
    )
    sample = dataclasses.replace(SAMPLE, policy=policy)
    boxes = np.array([[0.125, 0.0625, 0.625, 0.5625], [0.25, 0.5, 0.75, 0.9375]], np.float32)
    for number, expected in enumerate(BEFORE[made]):
        objects = boxes, np.array([2, 1], np.int32)
        pixels, offsets, labels = sample_of(sample, number, drawn_picture(number), *objects)
        assert labels.sum() == expected["labels_sum"]
        assert np.abs(offsets.astype(np.float64)).sum() == pytest.approx(expected["offsets_sum"], abs=1e-3)
        if colour:  # its last bits are the processor's: less than a level of one pixel, which is 0.017
            total = pixels.astype(np.float64).sum()
            assert total == pytest.approx(expected["pixels_sum"], abs=0.01)
        else:
            assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == expected["pixels_sha256"]


def test_targets_of_a_batch_are_those_of_its_photos(train_records: Records) -> None:
    batches = epoch_of(train_records)
    boxes_px = np.array([[6, 4, 30, 36], [20, 40, 32, 56]])
    boxes = (boxes_px / (HEIGHT, WIDTH, HEIGHT, WIDTH)).astype(np.float32)
    expected = targets_of(boxes, np.array([2, 1]), 0.5)
    for image_id, (_, offsets, labels) in zip(ids_of(batches), batches, strict=True):
        if image_id == EMPTY_ID:
            assert not labels.any() and not offsets.any()
        else:
            np.testing.assert_array_equal(labels[0], expected[1])
            np.testing.assert_allclose(offsets[0], expected[0], atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 8])
def test_evaluation_sees_every_photo_in_order_also_in_an_incomplete_last_batch(
    val_records: Records, batch_size: int
) -> None:
    batches = list(evaluation_batches(val_records, EvaluationSample(SIZE, "imagenet_rgb"), batch_size))
    assert sum(len(pixels) for pixels, _, _ in batches) == len(VAL_IDS)
    assert np.concatenate([image_ids for _, image_ids, _ in batches]).tolist() == [[each] for each in VAL_IDS]
    assert ids_of(batches) == list(VAL_IDS)
    sizes = np.concatenate([photos_px for _, _, photos_px in batches])
    assert sizes.tolist() == [[HEIGHT, WIDTH]] * len(VAL_IDS)


def test_a_photo_that_ends_in_zero_bytes_is_read_to_its_end(
    train_records: Records, val_records: Records
) -> None:
    assert all(encoded(image_id).endswith(b"\0" * 5) for image_id in (*TRAIN_IDS, *VAL_IDS))
    for image_id in BMP_IDS:
        assert (
            cv2.imdecode(np.frombuffer(encoded(image_id).rstrip(b"\0"), np.uint8), cv2.IMREAD_COLOR) is None
        )
    seen = (
        ids_of(epoch_of(train_records)),
        ids_of(list(evaluation_batches(val_records, EvaluationSample(SIZE, "imagenet_rgb"), 1))),
    )
    assert 7 in seen[0] and 9 in seen[1]


def test_an_id_beyond_32_bits_comes_through_whole(train_records: Records) -> None:
    batches = evaluation_batches(train_records, EvaluationSample(SIZE, "imagenet_rgb"), 4)
    assert [int(each) for _, image_ids, _ in batches for each in image_ids[:, 0]] == list(TRAIN_IDS)


def test_what_was_read_stays_when_more_is_read(val_records: Records) -> None:
    kept, copies = [], []
    for batch in evaluation_batches(val_records, EvaluationSample(SIZE, "imagenet_rgb"), 2):
        kept.append(batch)
        copies.append([part.copy() for part in batch])
    for batch, copied in zip(kept, copies, strict=True):
        for part, copy in zip(batch, copied, strict=True):
            np.testing.assert_array_equal(part, copy)


def test_an_epoch_that_is_broken_off_disturbs_no_other(train_records: Records) -> None:
    batches = TrainingData(train_records, SAMPLE, 1, 1).batches(1)
    next(iter(batches))
    assert sorted(ids_of(epoch_of(train_records))) == sorted(TRAIN_IDS)


@pytest.mark.parametrize("start", [0, 1, 2])
def test_an_epoch_goes_on_from_any_of_its_steps(train_records: Records, start: int) -> None:
    data = TrainingData(train_records, SAMPLE, 3, 1)
    whole, rest = list(data.batches(4)), list(data.batches(4, start))
    assert len(whole) == 2 and len(rest) == 2 - start
    for batch, again in zip(whole[start:], rest, strict=True):
        for part, same in zip(batch, again, strict=True):
            np.testing.assert_array_equal(part, same)


def test_the_images_of_a_batch_are_known_by_their_ids(train_records: Records) -> None:
    data = TrainingData(train_records, SAMPLE, 3, 1)
    for step, batch in enumerate(data.batches(2)):
        assert ids_of([batch]) == list(data.image_ids(2, step))


def test_examples_are_the_first_images_unchanged(train_records: Records) -> None:
    pixels = example_pixels(train_records, SIZE, "imagenet_rgb", 2)
    assert ids_of([(pixels,)]) == list(TRAIN_IDS[:2])
    assert len(example_pixels(train_records, SIZE, "imagenet_rgb", 99)) == len(TRAIN_IDS)


@pytest.mark.parametrize("kept_bytes", [0, HEIGHT * WIDTH * 3 * 2, 1 << 30])
def test_keeping_photos_in_memory_changes_no_byte(train_records: Records, kept_bytes: int) -> None:
    sample = dataclasses.replace(SAMPLE, policy=ALWAYS)
    data = TrainingData(train_records, sample, 2, 2, kept_bytes=kept_bytes)
    for epoch in (1, 2, 3):
        expected = epoch_of(train_records, batch_size=2, policy=ALWAYS, epoch=epoch)
        for batch, same in zip(data.batches(epoch), expected, strict=True):
            for part, other in zip(batch, same, strict=True):
                assert part.tobytes() == other.tobytes()
    assert sum(each.image.nbytes for each in data.photos.kept.values()) <= kept_bytes
    assert len(data.photos.kept) == min(kept_bytes // (HEIGHT * WIDTH * 3), len(TRAIN_IDS))


def test_a_photo_that_does_not_decode_is_named(
    train_records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssd.data.decode.decode", lambda encoded: None)
    with pytest.raises(ValueError, match=r"train-\d\d\.mindrecord: row \d: expected a photo, got \d+ bytes"):
        epoch_of(train_records, batch_size=7)
