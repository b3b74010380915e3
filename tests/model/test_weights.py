import numpy as np
import pytest
from mindspore import Tensor
from tiny_network import ANCHORS_PER_CELL, slim_network

from ssd.model.detector import SSD
from ssd.model.weights import initialise


def first_weights(seed: int, heads: str, batch_norm: bool, classes: int = 3) -> dict[str, np.ndarray]:
    net = slim_network(classes, batch_norm, heads, seed)
    return {parameter.name: parameter.asnumpy() for parameter in net.trainable_params()}


@pytest.fixture(scope="module")
def plain() -> dict[str, np.ndarray]:
    return first_weights(1, "conv", False)


def test_a_weight_depends_on_the_seed_and_its_name_alone(plain: dict[str, np.ndarray]) -> None:
    other = first_weights(1, "separable", True, classes=5)
    shared = [name for name in plain.keys() & other.keys() if plain[name].shape == other[name].shape]
    kernels = [name for name in shared if plain[name].ndim == 4]
    assert len(kernels) == 15 + 8  # all of the backbone and of the extra layers
    for name in shared:
        np.testing.assert_array_equal(plain[name], other[name], err_msg=name)


def test_another_seed_draws_other_kernels(plain: dict[str, np.ndarray]) -> None:
    other = first_weights(2, "conv", False)
    for name, weights in plain.items():
        if weights.ndim == 4:
            assert not np.array_equal(weights, other[name]), name


def test_kernels_of_one_shape_differ(plain: dict[str, np.ndarray]) -> None:
    one, two = "backbone.block5.0.conv.weight", "backbone.block5.1.conv.weight"
    assert plain[one].shape == plain[two].shape
    assert not np.array_equal(plain[one], plain[two])


def test_kernels_have_the_deviation_that_keeps_the_scale_and_outputs_start_small(
    plain: dict[str, np.ndarray],
) -> None:
    fc7 = plain["backbone.fc6.conv.weight"]  # [32, 16, 3, 3]
    assert fc7.std() == pytest.approx(np.sqrt(2 / (16 * 9)), rel=0.05)
    assert plain["box_heads.heads.1.out.weight"].std() == pytest.approx(0.01, rel=0.05)
    assert plain["class_heads.heads.1.out.weight"].std() == pytest.approx(0.01, rel=0.05)


def test_norms_start_as_identity_and_biases_at_zero_except_those_of_the_classes() -> None:
    weights = first_weights(1, "separable", True)
    for name, values in weights.items():
        if values.ndim == 1 and not (name.startswith("class_heads") and name.endswith("out.bias")):
            assert (values == (1 if name.endswith("gamma") else 0)).all(), name


def test_at_the_start_every_class_is_as_rare_as_the_prior_and_the_background_likely(
    slim: SSD, photos: np.ndarray
) -> None:
    scores = 1 / (1 + np.exp(-slim(Tensor(photos))[1].asnumpy()))
    assert np.median(scores[..., 1:]) == pytest.approx(0.01, rel=0.05)
    assert np.quantile(scores[..., 1:], 0.99) < 0.03
    assert np.median(scores[..., 0]) == pytest.approx(0.99, abs=0.001)


def test_the_l2_normalisation_starts_at_a_scale_of_twenty() -> None:
    net = SSD(300, 3, ANCHORS_PER_CELL, 0.03125, False, "conv", l2_norm=True)
    net.l2_norm.scale.set_data(Tensor(np.zeros(16, np.float32)))
    initialise(net, 1, 0.01)
    np.testing.assert_array_equal(net.l2_norm.scale.asnumpy(), np.full(16, 20))


def test_a_prior_of_a_half_leaves_the_classes_without_bias() -> None:
    net = slim_network(3, False, "conv", 1)
    initialise(net, 1, 0.5)
    for head in net.class_heads.heads:
        assert (head.out.bias.asnumpy() == 0).all()
    assert np.abs(net.class_heads.heads[0].out.weight.asnumpy()).max() > 0


def test_the_first_kernel_answers_images_of_0_to_255_as_it_does_images_of_deviation_one() -> None:
    answers = []
    for images, scale in (("imagenet_rgb", 1), ("caffe_bgr", 0.225 * 255)):
        net = slim_network(3, False, "conv", 1)
        initialise(net, 1, 0.01, images)
        pixels = np.random.default_rng(0).standard_normal((1, 3, 16, 16)).astype(np.float32) * scale
        answers.append(net.backbone.block1[0](Tensor(pixels)).asnumpy())
    np.testing.assert_allclose(answers[0], answers[1], rtol=2e-3, atol=1e-4)
    assert answers[0].std() > 0.3
