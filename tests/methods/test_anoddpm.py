"""The first loss, no diffusion, where noise hides a defect, and the published network."""

import functools

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import optax
import pytest

from adjax.methods.anoddpm import anoddpm
from adjax.methods.partial_diffusion import network
from adjax.nets.unet import UNet
from adjax.tiling import Grid
from adjax.transforms import tiled
from adjax.types import UserError

SMALL = {"unet": {"features": (8,), "blocks": 0, "attention": (), "heads": 0, "patch": 4}}


def fresh(**options):
    return anoddpm(tx=optax.sgd(0.0), **SMALL, **options), state(), matrix.batch(matrix.normals(16, seed=0))


@functools.cache
def state():
    """Untrained, whatever the options."""
    method, rows = anoddpm(tx=optax.sgd(0.0), **SMALL), matrix.batch(matrix.normals(1, seed=0))
    return jax.jit(lambda key: method.init(key, rows, None))(jax.random.key(0, impl="rbg"))


def test_the_first_loss_is_the_noise_s_power():
    """The network starts at zero, and the noise's deviation is 0.506."""
    method, fitted, rows = fresh()
    _, scalars = jax.jit(method.phases["train"].update)(fitted, rows, jax.random.key(1))
    assert scalars["loss/l2"] == pytest.approx(0.256, rel=0.15)


def test_without_diffusion_the_image_comes_back():
    method, fitted, _ = fresh(top=0, calls=0)
    found = matrix.score(method, fitted, matrix.normals(2, seed=0))
    np.testing.assert_allclose(found.map, 0, atol=1e-12)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpm_solver"])
def test_what_predicts_no_noise_leaves_it_in(sampler):
    """x_t / signal_t is all that an untrained network makes of x_t: the error is of the noise's size there."""
    method, fitted, _ = fresh(sampler=sampler, calls=2, top=100, noise="coloured")
    found = matrix.score(method, fitted, matrix.normals(8, seed=0)).map.mean()
    variance = 1 - np.prod(1 - np.linspace(1e-4, 0.02, 1000)[:100])
    assert found == pytest.approx(variance / (1 - variance) / 4, rel=0.6)


def test_draws_differ_and_their_mean_is_the_map():
    images = matrix.normals(2, seed=0)
    methods = [fresh(top=50, calls=2, noise="gaussian", draws=draws)[0] for draws in (1, 4)]
    single, mean = (matrix.score(method, state(), images).map for method in methods)
    assert not np.allclose(single, mean)
    assert single.mean() == pytest.approx(mean.mean(), rel=0.1)
    assert single.std() > 1.5 * mean.std()


def test_several_steps_are_averaged():
    """Each with draws of its own: the second step's is the second."""
    images = matrix.normals(2, seed=0)

    def scored(top, draws=1):
        return matrix.score(fresh(top=top, calls=1, noise="gaussian", draws=draws)[0], state(), images)

    first, both, second, seconds = scored(50), scored((50, 100)), scored([100]), scored(100, draws=2)
    for name in ("map", "reconstruction"):
        a, b, c, d = (p.map if name == "map" else p.aux[name] for p in (first, both, second, seconds))
        np.testing.assert_allclose(2 * b - a, 2 * d - c, atol=1e-5)
    assert second.map.mean() > 1.2 * first.map.mean()


def test_a_large_image_is_diffused_tile_by_tile_in_the_memory_of_a_few_tiles():
    """Each tile with its own randomness; of 1024² only the image and its sums of maps are held beside the tiles."""
    method, _, _ = fresh(noise="gaussian", calls=1, top=50)
    side, chunk = matrix.SIDE, 2
    score = jax.jit(tiled(method, Grid(side, side), "max", chunk).score)
    key, large = jax.random.split(jax.random.key(5), 1), np.zeros((1, 1024, 1024, 1), np.float32)
    tiles = matrix.normals(4, seed=0)
    large[0, :side] = np.concatenate([*tiles, *np.zeros((28, side, side, 1), np.float32)], axis=1)
    rows = {"image": jnp.asarray(large), "_mask": jnp.ones(1, bool)}
    program = score.lower(state(), rows, key).compile()
    found = program(state(), rows, key).map[0, :side, : 4 * side]
    keys = jax.vmap(lambda number: jax.random.fold_in(key[0], number))(jnp.arange(4))
    alone = jax.jit(method.score)(state(), {"image": jnp.asarray(tiles), "_mask": jnp.ones(4, bool)}, keys).map
    np.testing.assert_allclose(found, np.concatenate(list(alone), axis=1), rtol=1e-4, atol=1e-6)
    assert program.memory_analysis().temp_size_in_bytes < 2 * large.nbytes  # all 1,024 tiles at once take 6 times


def test_the_published_network_is_the_default():
    """Its parameters are counted in nets/test_unet.py."""
    assert network({}, 1) == UNet(1)


@pytest.mark.slow
@pytest.mark.budget(60)
def test_with_simplex_noise_the_planted_defects_are_found():
    """The matrix's task; there the noise is another, for the sake of its time."""
    method = anoddpm(tx=matrix.SMALL["tx"], **matrix.DIFFUSED | {"noise": "simplex"})
    assert matrix.detection(method, matrix.train(method).state) >= 0.9


def test_steps_that_were_not_trained_are_refused():
    with pytest.raises(UserError, match="top 900 and trained 800; choose 0 <= top <= trained <= 1000"):
        fresh(top=900)
    with pytest.raises(UserError, match=r"top \(0, 900\) and trained 800"):
        fresh(top=(0, 900))


def test_an_unknown_setting_of_the_network_names_the_choices():
    with pytest.raises(UserError, match="unknown setting 'width' of the U-Net; choose from features, blocks"):
        anoddpm(tx=optax.sgd(0.0), unet={"width": 1}).init(jax.random.key(0), {"image": jnp.zeros((1, 8, 8, 1))}, None)
