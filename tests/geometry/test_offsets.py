"""By hand, and there and back; recorded offsets are compared in test_matching and test_nms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ssd.geometry.boxes import to_cyxhw, to_yxyx
from ssd.geometry.offsets import MAX_LOG_SIZE_RATIO, decode, encode

VARIANCES = (0.1, 0.2)
ANCHOR = np.array([[0.25, 0.25, 0.75, 0.5]])  # centre (0.5, 0.375), 0.5 high, 0.25 wide


def boxes_cyxhw(count: int) -> st.SearchStrategy[np.ndarray]:
    """[count, 4] centre anywhere on the image, sizes from 0.02 to 1."""
    return st.tuples(
        arrays(np.float32, (count, 2), elements=st.floats(0, 1, width=32)),
        arrays(np.float32, (count, 2), elements=st.floats(0.03125, 1, width=32)),
    ).map(lambda parts: np.concatenate(parts, axis=1))


def test_a_box_that_is_its_anchor_has_offsets_zero() -> None:
    assert encode(ANCHOR, ANCHOR, VARIANCES).tolist() == [[0, 0, 0, 0]]


def test_offsets_by_hand() -> None:
    # a quarter of the anchor's height lower, half its width to the right, twice as high, as wide
    box = to_yxyx(np.array([[0.625, 0.5, 1.0, 0.25]]))
    assert encode(box, ANCHOR, VARIANCES)[0] == pytest.approx([2.5, 5.0, math.log(2) / 0.2, 0.0])


def test_variances_divide_centres_and_sizes() -> None:
    box = to_yxyx(np.array([[0.625, 0.5, 1.0, 0.5]]))
    plain, divided = encode(box, ANCHOR, (1.0, 1.0)), encode(box, ANCHOR, (0.5, 0.25))
    assert divided == pytest.approx(plain * [2, 2, 4, 4])


@given(boxes_cyxhw(4), boxes_cyxhw(4), st.sampled_from([(0.1, 0.2), (1.0, 1.0), (0.3, 0.05)]))
@settings(deadline=None)
def test_decode_gives_back_what_was_encoded(
    target: np.ndarray, anchor: np.ndarray, variances: tuple[float, float]
) -> None:
    boxes, anchors = to_yxyx(target), to_yxyx(anchor)
    offsets = encode(boxes, anchors, variances)
    decoded = decode(offsets, anchors, variances)
    assert offsets.dtype == decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, boxes, atol=3e-6)


@given(boxes_cyxhw(3), arrays(np.float64, (3, 4), elements=st.floats(-5, 5)))
@settings(deadline=None)
def test_encode_gives_back_what_was_decoded(anchor: np.ndarray, offsets: np.ndarray) -> None:
    anchors = to_yxyx(anchor.astype(np.float64))
    np.testing.assert_allclose(
        encode(decode(offsets, anchors, VARIANCES), anchors, VARIANCES), offsets, atol=1e-9
    )


def test_a_batch_is_decoded_as_its_images_are() -> None:
    rng = np.random.default_rng(0)
    anchors = to_yxyx(rng.uniform(0.2, 0.8, (5, 4)).astype(np.float32))
    offsets = rng.normal(size=(3, 5, 4)).astype(np.float32)
    batch = decode(offsets, anchors, VARIANCES)
    assert batch.shape == (3, 5, 4)
    np.testing.assert_array_equal(batch, np.stack([decode(image, anchors, VARIANCES) for image in offsets]))


def test_a_box_without_area_is_encoded_finitely() -> None:
    line = np.array([[0.5, 0.5, 0.5, 0.75]], np.float32)
    offsets = encode(line, ANCHOR.astype(np.float32), VARIANCES)
    assert offsets[0, 2] == pytest.approx(math.log(1e-6) / 0.2)
    assert np.isfinite(offsets).all()


def test_a_wild_output_is_decoded_finitely_to_at_most_62_and_a_half_anchors() -> None:
    decoded = decode(np.full((1, 4), 1e4, np.float32), ANCHOR.astype(np.float32), VARIANCES)
    assert np.isfinite(decoded).all()
    assert to_cyxhw(decoded)[0, 2:] == pytest.approx([62.5 * 0.5, 62.5 * 0.25], rel=1e-4)
    assert math.exp(MAX_LOG_SIZE_RATIO) == pytest.approx(62.5)


def test_no_boxes_have_no_offsets() -> None:
    none = np.zeros((0, 4), np.float32)
    assert encode(none, none, VARIANCES).shape == (0, 4)
