import dataclasses
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from small_detector import ANCHORS, DESCRIPTION, RECIPE, Learnt, weights_of

from ssd.engine.checkpoint import (
    Checkpoint,
    Description,
    build_network,
    digest,
    load_anchors,
    load_checkpoint,
    load_network,
    save_checkpoint,
)
from ssd.model.weights import initialise

SAVE_ELSEWHERE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from small_detector import ANCHORS, DESCRIPTION
from ssd.engine.checkpoint import build_network, save_checkpoint
from ssd.model.weights import initialise
net = build_network(DESCRIPTION)
initialise(net, 1, 0.01)
save_checkpoint(Path(sys.argv[2]), net, ANCHORS, DESCRIPTION)
"""

CATEGORIES = [{"id": 3, "name": "disc"}, {"id": 7, "name": "square"}]


@pytest.fixture(scope="module")
def saved(checkpoint_path: Path) -> bytes:
    return checkpoint_path.read_bytes()


@pytest.fixture(scope="module")
def checkpoint(checkpoint_path: Path) -> Checkpoint:
    return load_checkpoint(checkpoint_path)


def rewritten(
    saved: bytes,
    path: Path,
    description: Callable[[dict[str, Any]], Any] | None = None,
    tensors: dict[str, np.ndarray | None] | None = None,
) -> Path:
    """A copy of the checkpoint with another description, or with other tensors; None takes one out."""
    found = safetensors.numpy.load(saved)
    found.update({name: tensor for name, tensor in (tensors or {}).items() if tensor is not None})
    for name, tensor in (tensors or {}).items():
        if tensor is None:
            del found[name]
    length = int.from_bytes(saved[:8], "little")
    told = json.loads(json.loads(saved[8 : 8 + length])["__metadata__"]["ssd"])
    if description:
        told = description(told)
    if isinstance(told, dict) and "sha256" in told:
        parts = {key: value for key, value in told.items() if key not in ("format", "sha256")}
        told["sha256"] = digest(parts, found)
    text = told if isinstance(told, str) else json.dumps(told)
    path.write_bytes(safetensors.numpy.save(found, metadata={"ssd": text}))
    return path


def test_what_was_saved_comes_back(checkpoint: Checkpoint, learnt: Learnt) -> None:
    assert checkpoint.description == DESCRIPTION
    np.testing.assert_array_equal(checkpoint.anchors, ANCHORS)
    expected = weights_of(learnt.net)
    assert checkpoint.weights.keys() == expected.keys()
    for name, weights in weights_of(load_network(checkpoint)).items():
        np.testing.assert_array_equal(weights, expected[name], err_msg=name)


def test_moving_statistics_are_weights_too(checkpoint: Checkpoint) -> None:
    statistics = [name for name in checkpoint.weights if "moving" in name]
    # mean and variance of each convolution of the backbone, and of the extra layers to 10 and to 5 cells
    assert len(statistics) == 2 * (15 + 4)
    assert any((checkpoint.weights[name] != 0).any() for name in statistics if "mean" in name)


def test_saving_again_gives_the_same_bytes(
    checkpoint_path: Path, checkpoint: Checkpoint, learnt: Learnt, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "again", learnt.net, ANCHORS, DESCRIPTION)
    save_checkpoint(tmp_path / "loaded", load_network(checkpoint), checkpoint.anchors, checkpoint.description)
    assert (tmp_path / "again").read_bytes() == checkpoint_path.read_bytes()
    assert (tmp_path / "loaded").read_bytes() == checkpoint_path.read_bytes()


def test_another_process_draws_the_same_weights_and_saves_the_same_bytes(tmp_path: Path) -> None:
    net = build_network(DESCRIPTION)
    initialise(net, 1, 0.01)
    save_checkpoint(tmp_path / "here", net, ANCHORS, DESCRIPTION)
    script = tmp_path / "save_elsewhere.py"
    script.write_text(SAVE_ELSEWHERE)
    subprocess.run([sys.executable, script, Path(__file__).parent, tmp_path / "there"], check=True)
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


def test_a_new_checkpoint_takes_the_place_of_the_old_one_and_leaves_nothing_beside_it(
    learnt: Learnt, tmp_path: Path
) -> None:
    path = tmp_path / "models" / "ssd.safetensors"
    for _ in range(2):
        save_checkpoint(path, learnt.net, ANCHORS, DESCRIPTION)
    assert [each.name for each in path.parent.iterdir()] == ["ssd.safetensors"]


def test_a_missing_checkpoint_says_which_stage_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.safetensors: no such checkpoint; run the train stage"):
        load_checkpoint(tmp_path / "none.safetensors")


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("length", [0, 1, 8, 9, 500, -1, -4, -1000])
def test_a_truncated_checkpoint_is_refused(saved: bytes, tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut"
    path.write_bytes(saved[:length])
    with pytest.raises(ValueError, match=r"cut: expected a safetensors file, got a damaged or another one"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04" * 99, b"\x00" * 999, b"hello\n", b"\xff" * 999])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="other: expected a safetensors file"):
        load_checkpoint(path)


def test_a_safetensors_file_of_another_project_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(safetensors.numpy.save({"anchors": ANCHORS}, metadata={"format": "pt"}))
    with pytest.raises(ValueError, match="expected a checkpoint of this project"):
        load_checkpoint(path)


@given(data=st.data())
def test_a_flipped_bit_in_the_header_is_refused_or_changes_no_more_than_a_name(
    saved: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    length = 8 + int.from_bytes(saved[:8], "little")
    damaged = bytearray(saved)
    damaged[data.draw(st.integers(0, length - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    path.write_bytes(damaged)
    try:
        load_network(load_checkpoint(path))
    except ValueError as error:
        assert str(path) in str(error) or "anchors.steps" in str(error)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda told: told | {"format": 3}, "expected a checkpoint of format 4, got another; train again"),
        (lambda told: [told], "expected a checkpoint of format 4"),
        (lambda told: "{format", "description: expected JSON, got "),
        (lambda told: "[" * 100_000, "description: expected JSON, got lists or objects nested too deeply"),
        (lambda told: "9" * 5000, "description: expected JSON, got Exceeds the limit"),
        (
            lambda told: {name: told[name] for name in told if name != "sha256"},
            "sha256: expected text, got None",
        ),
        (lambda told: told | {"colour": 1}, "unknown key colour"),
        (lambda told: {name: told[name] for name in told if name != "model"}, "missing key model"),
        (lambda told: told | {"model": told["model"] | {"width": "1"}}, "model.width: expected a number"),
        (lambda told: told | {"model": told["model"] | {"heads": "round"}}, "expected separable or conv"),
        (lambda told: told | {"variances": [0.1, 0.2, 0.3]}, "variances: expected 2, got 3"),
        (lambda told: told | {"category_ids": [3]}, "category_ids: expected 2, one a class name, got 1"),
        (lambda told: told | {"class_names": []}, "class_names: expected a list"),
        (
            lambda told: told | {"anchors": told["anchors"] | {"steps": [8, 16, 32, 64, 100, 150]}},
            r"anchors: expected \[8744, 4\], got \[8732, 4\]",
        ),
    ],
)
def test_a_description_that_was_changed_is_refused(
    saved: bytes, tmp_path: Path, change: Callable[[dict[str, Any]], Any], sentence: str
) -> None:
    path = rewritten(saved, tmp_path / "changed", description=change)
    with pytest.raises(ValueError, match=f"changed: .*{sentence}"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"anchors": None}, r"anchors: expected \[8732, 4\], got \[0\]"),
        ({"anchors": ANCHORS[:-1]}, r"anchors: expected \[8732, 4\], got \[8731, 4\]"),
        ({"anchors": ANCHORS.astype(np.float64)}, "anchors: expected finite float32, got float64"),
        ({"anchors": np.where(ANCHORS > 0.9, np.nan, ANCHORS)}, "got NaN or infinity"),
        ({"backbone.fc6.norm.beta": np.full(32, np.inf, np.float32)}, "fc6.norm.beta: expected finite"),
        ({"backbone.fc6.norm.beta": np.zeros(32, np.int32)}, "expected finite float32, got int32"),
    ],
)
def test_tensors_that_were_changed_are_refused(
    saved: bytes, tmp_path: Path, tensors: dict[str, np.ndarray | None], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        load_checkpoint(rewritten(saved, tmp_path / "changed", tensors=tensors))


def test_weights_that_do_not_fit_the_network_are_listed_by_what_is_wrong(
    saved: bytes, tmp_path: Path
) -> None:
    path = rewritten(
        saved,
        tmp_path / "misfit",
        tensors={
            "backbone.fc6.norm.beta": None,
            "backbone.fc7.norm.beta": np.zeros(31, np.float32),
            "backbone.fc8.norm.beta": np.zeros(32, np.float32),
        },
    )
    with pytest.raises(ValueError) as raised:
        load_network(load_checkpoint(path))
    sentence = str(raised.value)
    assert sentence.startswith(f"{path}: the weights do not fit the network it describes: ")
    assert "missing: backbone.fc6.norm.beta;" in sentence
    assert "extra: backbone.fc8.norm.beta;" in sentence
    assert sentence.endswith("misshapen: backbone.fc7.norm.beta (31,), expected (32,)")


def test_a_flipped_bit_anywhere_is_refused(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "flipped"
    for place in np.random.default_rng(0).integers(0, len(saved), 40).tolist():
        path.write_bytes(saved[:place] + bytes([saved[place] ^ 1]) + saved[place + 1 :])
        with pytest.raises(ValueError, match=f"^{path}: "):
            load_checkpoint(path)


def test_a_changed_weight_is_told_by_the_digest(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "flipped"
    path.write_bytes(saved[:-1] + bytes([saved[-1] ^ 1]))
    with pytest.raises(
        ValueError, match=r"expected contents of sha256 \w{64}, got \w{64}: changed since they"
    ):
        load_checkpoint(path)


def test_a_description_of_another_network_does_not_fit(saved: bytes, tmp_path: Path) -> None:
    path = rewritten(
        saved,
        tmp_path / "wider",
        description=lambda told: told | {"model": told["model"] | {"width": 0.0625}},
    )
    with pytest.raises(ValueError, match="do not fit the network it describes: misshapen: backbone"):
        load_network(load_checkpoint(path))


def test_anchors_on_maps_that_the_network_does_not_have_are_refused_before_it_is_built() -> None:
    steps = (8.0, 16.0, 32.0, 64.0, 100.0, 150.0)
    description = dataclasses.replace(DESCRIPTION, anchors=dataclasses.replace(RECIPE, steps=steps))
    with pytest.raises(
        ValueError, match=r"anchors\.steps: .*\[38, 19, 10, 5, 3, 1\].*\[38, 19, 10, 5, 3, 2\]"
    ):
        build_network(description)


def test_anchors_of_ssd300_do_not_fit_ssd512() -> None:
    description = dataclasses.replace(
        DESCRIPTION, model=dataclasses.replace(DESCRIPTION.model, input_size=512)
    )
    with pytest.raises(ValueError) as raised:
        build_network(description)
    assert str(raised.value) == (
        "anchors.steps: expected those of SSD512's 7 feature maps, [64, 32, 16, 8, 4, 2, 1] cells a side, "
        "got [64, 32, 16, 8, 6, 2]"
    )


def test_the_classes_of_the_data_must_be_those_it_was_trained_on(checkpoint: Checkpoint) -> None:
    checkpoint.require_categories(CATEGORIES)
    for other in (
        CATEGORIES[:1],
        CATEGORIES[::-1],
        [{"id": 3, "name": "disc"}, {"id": 8, "name": "square"}],
        [{"id": 3, "name": "disc"}, {"id": 7, "name": "Square"}],
        [*CATEGORIES, {"id": 9, "name": "star"}],
    ):
        with pytest.raises(
            ValueError, match=f"the data's {len(other)} classes .*got a checkpoint of 2"
        ) as raised:
            checkpoint.require_categories(other)
        assert "disc 3, square 7" in str(raised.value)


def test_a_description_counts_its_own_classes() -> None:
    with pytest.raises(ValueError, match="category_ids: expected 2"):
        Description(DESCRIPTION.model, RECIPE, (0.1, 0.2), ("disc", "square"), (3, 7, 9), "sigmoid")


def as_npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def as_npz(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, array)
    return file.getvalue()


def test_anchors_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "anchors.npy"
    path.write_bytes(as_npy(ANCHORS))
    np.testing.assert_array_equal(load_anchors(path), ANCHORS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        as_npy(ANCHORS)[:100],
        as_npy(ANCHORS).replace(b"(8732", b"((873"),
        as_npz(ANCHORS),
    ],
    ids=["empty", "text", "cut header", "damaged header", "npz"],
)
def test_a_file_that_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "anchors.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"anchors\.npy: expected a NumPy array, got a damaged or another"):
        load_anchors(path)


def test_an_array_that_cannot_be_anchors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "anchors.npy"
    path.write_bytes(as_npy(np.zeros((5, 3))))
    with pytest.raises(ValueError, match=r"expected \[A, 4\] float32, got \[5, 3\] float64"):
        load_anchors(path)
    path.write_bytes(as_npy(np.array([{}], object)))  # a pickle, which is not read
    with pytest.raises(ValueError, match=r"expected \[A, 4\] float32, got \[1\] object"):
        load_anchors(path)
    with pytest.raises(ValueError, match="no such file; run the anchors stage first"):
        load_anchors(tmp_path / "none.npy")


def test_a_file_of_another_length_than_its_header_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "anchors.npy"
    for content, got in ((as_npy(ANCHORS)[:-1], 139711), (as_npy(ANCHORS) + b"\0", 139713)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"expected 139712 bytes of \[8732, 4\] float32, got {got}"):
            load_anchors(path)
    path.write_bytes(as_npy(ANCHORS).replace(b"(8732, 4), }" + 11 * b" ", b"(87320000000000, 4), } "))
    with pytest.raises(ValueError, match=r"expected 1397120000000000 bytes of .*, got 139712"):
        load_anchors(path)
