"""Shapes, blending, squares, texture changes and feature noise against independent references and closed forms."""

import colorsys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from adjax.synthesis import augment, boxes, confetti, features, nsa, shapes
from adjax.synthesis.cutpaste import cutpaste, scar, three_way

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it


def key():
    return jax.random.key(0)


def many(function, number, *arguments):
    """`function` for that many keys, as NumPy."""
    keys = jax.random.split(key(), number)
    arguments = [jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
    return jax.tree.map(np.array, jax.jit(jax.vmap(lambda k: function(k, *arguments)))(keys))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.1, 0.9, shape).astype(np.float32)


def test_stains_cover_what_their_ellipses_cover_and_stay_inside():
    """Area πab with a, b whole numbers of 1 to 15 px; the moved points and the spline change it by less than 5 %."""
    side = 128
    cover = many(shapes.stain(), 750, (side, side))
    assert set(np.unique(cover)) == {0.0, 1.0}
    assert np.mean(cover) == pytest.approx(np.pi * 8.0**2 / side**2, rel=0.06)
    rim = np.concatenate([cover[:, 0], cover[:, -1], cover[:, :, 0], cover[:, :, -1]], 1)
    assert np.mean(rim.any(1)) < 0.1  # by the jitter alone
    assert all(ndimage.label(c, np.ones((3, 3)))[1] == 1 for c in cover[:100])


def test_a_stain_without_irregularity_is_an_ellipse():
    """Its moments are those of a, b: λ = a²/4 and b²/4."""
    for cover in many(shapes.stain(axes=(0.1, 0.12), irregularity=0.0), 20, (256, 256)):
        y, x = np.nonzero(cover)
        axes = 2 * np.sqrt(np.linalg.eigvalsh(np.cov(np.stack([y, x]))))
        assert 25 - 0.5 < axes[0] <= axes[1] < 30 + 0.5
        assert len(y) == pytest.approx(np.pi * axes[0] * axes[1], rel=0.01)


def test_a_blurred_stain_falls_off_like_a_blurred_mask():
    hard, soft = (many(shapes.stain((0.1, 0.12), irregularity=0.0, blur=b), 6, (128, 128)) for b in (0.0, 0.15))
    for h, s in zip(hard, soft):
        y, x = np.nonzero(h)
        reach = np.hypot(y - y.mean(), x - x.mean()).max()
        np.testing.assert_allclose(s, ndimage.gaussian_filter(h, 0.15 * reach), atol=0.12)


def test_strokes_are_as_wide_as_stated():
    for cover in many(shapes.stroke(width=(2.0, 5.0), length=(0.5, 0.8)), 30, (96, 96)):
        assert cover.min() >= 0 and cover.max() <= 1
        inner = np.pad(cover >= 0.5, 8)
        assert 1 <= ndimage.distance_transform_edt(inner).max() <= 3.6
        assert inner.sum() < 5 * 96 * 1.3


def test_rectangles_have_the_stated_areas():
    cover = many(shapes.rectangle(area=(0.05, 0.15)), 300, (64, 80))
    share = cover.mean((1, 2))
    assert share.min() > 0.045 and share.max() < 0.16
    assert share.mean() == pytest.approx(0.1, abs=0.006)
    for c in cover[:50]:
        y, x = np.nonzero(c)
        assert c[y.min() : y.max() + 1, x.min() : x.max() + 1].all()


def test_bilinear_sampling_is_scipys():
    image, (y, x) = noise(20, 30, 2), np.random.default_rng(1).uniform(-3, 32, (2, 9, 11)).astype(np.float32)
    framed, clamped = boxes.bilinear(image, y, x, outside=0.0), boxes.bilinear(image, y, x)
    for c in range(2):
        reference = partial(ndimage.map_coordinates, image[..., c], [y, x], order=1)
        np.testing.assert_allclose(framed[..., c], reference(mode="grid-constant"), atol=1e-5)
        np.testing.assert_allclose(clamped[..., c], reference(mode="nearest"), atol=1e-5)


def test_cutpaste_moves_a_piece_of_the_image():
    """Without jitter, what is pasted stands elsewhere in the image, pixel for pixel."""
    image = noise(24, 32, 1)
    made = many(cutpaste(area=(0.05, 0.1), jitter=0.0), 10, image)
    for after, mask in zip(made.image, made.mask):
        y, x = np.nonzero(mask)
        patch = after[y.min() : y.max() + 1, x.min() : x.max() + 1]
        windows = np.lib.stride_tricks.sliding_window_view(image, patch.shape)
        assert np.any(np.all(windows == patch, axis=(-3, -2, -1)))


def test_pasting_what_lies_there_changes_nothing():
    for sampler in (cutpaste(jitter=0.0), scar(jitter=0.0)):
        made = many(sampler, 4, np.full((32, 32, 3), 0.5, np.float32))
        assert not made.mask.any() and np.all(made.image == 0.5) and np.all(made.severity == 0)


def test_scars_are_thin_and_three_ways_differ():
    made = many(scar(), 40, noise(128, 128, 3))  # half as large as in the paper's images
    area = made.mask.sum((1, 2))
    assert area.min() > 1 * 5 * 0.5 and area.max() < 8.5 * 13 * 1.2
    kinds = jax.jit(three_way())(key(), noise(64, 64, 3))
    share = np.asarray(kinds.mask).mean((1, 2))
    assert kinds.image.shape == (3, 64, 64, 3)
    assert share[0] == 0 < share[2] < share[1]


def test_harmonic_is_the_solution_of_the_sparse_system():
    rim = noise(20, 24, 2)
    for height, width in ((9, 13), (18, 22), (3, 3)):
        found = np.array(jax.jit(nsa.harmonic)(rim, jnp.int32(height), jnp.int32(width)))

        def second(n):
            return sparse.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n))

        system = sparse.kronsum(second(width), second(height), format="csr")
        load = np.zeros((height, width, 2))
        load[0] += rim[0, 1 : width + 1]
        load[-1] += rim[height + 1, 1 : width + 1]
        load[:, 0] += rim[1 : height + 1, 0]
        load[:, -1] += rim[1 : height + 1, width + 1]
        for c in range(2):
            expected = spsolve(system, load[..., c].ravel()).reshape(height, width)
            np.testing.assert_allclose(found[1 : height + 1, 1 : width + 1, c], expected, atol=2e-5)
        found[1 : height + 1, 1 : width + 1] = 0
        assert not found.any()


def test_blending_forgets_constant_offsets():
    """A patch of a flat image, however bright, vanishes on another flat image; a textured one does not."""
    flat = np.full((40, 40, 1), 0.3, np.float32)
    assert not many(nsa.nsa(), 5, flat, flat + 0.5).mask.any()
    assert many(nsa.nsa(), 5, flat, noise(40, 40, 1)).mask.any((1, 2)).all()


def test_confetti_squares_hold_their_area():
    """Blurring keeps the sum: sides of 8 to 54 px at 240, here half as large."""
    fields = many(lambda k: confetti.squares(k, (120, 120), (0.0,), (8.0, 54.0), 5.0), 200)
    assert fields.shape[1] == confetti.MOST and not fields[:, 1:].any()  # at least one, and here one
    fields = fields[:, 0]
    rim = np.concatenate([fields[:, [0, -1]], fields[:, :, [0, -1]].swapaxes(1, 2)], 1)
    whole = fields[rim.max((1, 2)) < 1e-4]
    sides = np.sqrt(whole.sum((1, 2)))
    assert len(sides) > 60 and 3.9 < sides.min() < 8 and 20 < sides.max() < 27.2
    assert fields.max() < 1 + 1e-5


def test_sharpness_is_pillows():
    image = np.random.default_rng(0).integers(60, 190, (24, 24, 3)).astype(np.uint8)
    ours = many(augment._sharpness, 3, image.astype(np.float32) / 255)
    for made, k in zip(ours, jax.random.split(key(), 3)):
        factor = float(jax.random.uniform(k, (), maxval=2.0))
        theirs = np.asarray(ImageEnhance.Sharpness(Image.fromarray(image)).enhance(factor))
        np.testing.assert_allclose(made[1:-1, 1:-1] * 255, theirs[1:-1, 1:-1], atol=1.6)


def test_hue_and_saturation_are_colorsys():
    image = noise(6, 6, 3)
    turn, more = jax.random.uniform(key(), (2,), minval=-50 / 255, maxval=50 / 255)
    made = np.asarray(augment._hue_and_saturation(key(), image))
    for before, after in zip(image.reshape(-1, 3), made.reshape(-1, 3)):
        h, s, v = colorsys.rgb_to_hsv(*before.astype(float))
        expected = colorsys.hsv_to_rgb((h + float(turn)) % 1, np.clip(s + float(more), 0, 1), v)
        np.testing.assert_allclose(after, expected, atol=1e-4)


def tabular(change, image):
    """The change, as a table that is looked up."""
    values = jnp.concatenate([augment.ramp(image.shape[-1]), augment.sample(jnp.asarray(image))])
    changed = jnp.clip(change(key(), values), 0.0, 1.0)
    return np.asarray(augment.look_up(changed[: augment.LEVELS], jnp.asarray(image)))


def test_equalized_values_are_even_and_ordered():
    image = noise(64, 64, 2) ** 3
    made = tabular(augment._equalize, image)
    for c in range(2):
        order = np.argsort(image[..., c], axis=None)
        assert np.all(np.diff(made[..., c].ravel()[order]) >= -0.01)
        np.testing.assert_allclose(np.quantile(made[..., c], [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.1)


def test_autocontrast_fills_the_range():
    image = np.random.default_rng(0).integers(60, 190, (64, 64)).astype(np.uint8)
    cut = float(jax.random.uniform(key(), (), maxval=0.2))
    theirs = np.asarray(ImageOps.autocontrast(Image.fromarray(image), 100 * cut))
    ours = tabular(augment._autocontrast, image[..., None].astype(np.float32) / 255)[..., 0]
    np.testing.assert_allclose(ours * 255, theirs, atol=6)


def test_looked_up_values_are_the_formulas():
    image = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16, 1)
    np.testing.assert_allclose(tabular(augment._invert, image), 1 - image, atol=1e-6)
    exponent = np.asarray(jax.random.uniform(key(), (1, 1), minval=0.5, maxval=2.0))
    np.testing.assert_allclose(tabular(augment._gamma, image), image**exponent, atol=1e-3)
    bins = 2 ** int(jax.random.randint(key(), (), 1, 9))
    assert len(np.unique(tabular(augment._posterize, image))) == bins


def test_three_of_ten_changes_stay_in_range():
    image = noise(32, 32, 3)
    made = many(augment.three_of_ten, 32, image)
    assert made.min() >= 0 and made.max() <= 1
    assert np.mean(np.any(made != image, axis=(1, 2, 3))) > 0.9
    assert np.ptp(made.mean((1, 2, 3))) > 0.1


def test_feature_noise_has_its_deviation_and_its_mask():
    clean, where = noise(50, 60, 8), np.zeros((50, 60), bool)
    where[:20] = True
    noisy = np.asarray(features.gaussian(key(), clean, where=where)) - clean
    assert not noisy[~where].any()
    assert noisy[where].std() == pytest.approx(0.015, rel=0.03)


def test_shells_hold_what_is_put_on_them():
    centre, point = noise(200, 8, seed=1), 3 * noise(200, 8, seed=2)
    moved = np.asarray(features.shell(point, centre, 0.5, 1.0))
    assert np.all(np.abs(np.linalg.norm(moved - centre, axis=1) - 0.75) < 0.25 + 1e-5)
    cosine = np.sum((moved - centre) * (point - centre), 1) / np.linalg.norm(moved - centre, axis=1)
    np.testing.assert_allclose(cosine, np.linalg.norm(point - centre, axis=1), rtol=1e-4)


def test_ascent_makes_anomalies_harder():
    clean = noise(100, 8)
    noisy = features.gaussian(key(), clean)
    loss = lambda f: jnp.sum((f - 2.0) ** 2, axis=-1)
    climbed = features.ascend(noisy, loss, clean, radii=(0.0, 9.0))
    assert np.all(loss(climbed) > loss(noisy))
    held = features.ascend(noisy, loss, clean)
    distance = np.linalg.norm(held - clean, axis=1)
    assert np.all((distance > 0.5 - 1e-4) & (distance < 1 + 1e-4))
    assert not np.any(jax.grad(lambda f: jnp.sum(features.ascend(f, loss, clean)))(noisy))
