"""Before and after the network the graph does what the pipeline does, and the whole of it is the checkpoint."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor
from small_detector import ANCHORS, RULES, photo

from ssd.config import Input
from ssd.data.augment.resize import resize
from ssd.data.dataset import network_input
from ssd.engine.checkpoint import Checkpoint, load_network
from ssd.engine.detection import make_predict
from ssd.export.graph import Decode, Normalise, graph_bytes
from ssd.export.runners import make_run
from ssd.geometry.boxes import clip
from ssd.geometry.offsets import decode


@pytest.mark.parametrize("wanted", ["imagenet_rgb", "caffe_bgr"])
def test_normalisation_is_that_of_the_pipeline(wanted: Input) -> None:
    image = np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8)
    ours = Normalise(wanted)(Tensor(image[None])).asnumpy()
    assert ours.shape == (1, 3, 300, 300)
    np.testing.assert_allclose(ours[0], network_input(image, 300, wanted), rtol=0, atol=1e-6)


@pytest.mark.parametrize("clipped", [True, False])
def test_decoding_is_that_of_the_pipeline_also_of_wild_offsets(clipped: bool) -> None:
    offsets = np.random.default_rng(2).normal(0, 3, (1, len(ANCHORS), 4)).astype(np.float32)
    offsets[0, 0] = 1000
    expected = decode(offsets, ANCHORS, (0.1, 0.3))
    expected = clip(expected) if clipped else expected
    ours = Decode(ANCHORS, (0.1, 0.3), clipped)(Tensor(offsets)).asnumpy()
    assert ours.min() == 0 if clipped else ours.min() < 0
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_a_stretched_picture_is_not_changed_by_stretching_it_again() -> None:
    stretched = resize(photo(), 300)
    np.testing.assert_array_equal(resize(stretched, 300), stretched)


@pytest.mark.parametrize("wanted", ["imagenet_rgb", "caffe_bgr"])
def test_mindir_gives_the_boxes_and_scores_of_the_checkpoint(checkpoint: Checkpoint, wanted: Input) -> None:
    told = checkpoint.description
    model = dataclasses.replace(told.model, input=wanted)
    checkpoint = dataclasses.replace(checkpoint, description=dataclasses.replace(told, model=model))
    outputs = make_run(graph_bytes(checkpoint, True, "mindir"), "mindir")(resize(photo(), 300))
    assert outputs.detected is None
    predict = make_predict(load_network(checkpoint), told.scores, RULES.batch_size)
    offsets, scores = predict(network_input(photo(), 300, wanted)[None])
    boxes = clip(decode(offsets[0], ANCHORS, told.variances))
    np.testing.assert_allclose(outputs.boxes, boxes, rtol=0, atol=1e-4)
    np.testing.assert_allclose(outputs.scores, scores[0], rtol=0, atol=1e-4)


def test_nothing_is_left_in_the_working_folder(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(graph_bytes(checkpoint, True, "mindir")) > 1000
    assert list(tmp_path.iterdir()) == []
