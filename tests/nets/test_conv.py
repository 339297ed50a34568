"""The convolution that is quick on CPUs against XLA's own."""

import jax
import jax.numpy as jnp
import numpy as np
import programs
import pytest
from flax import linen as nn
from jax import lax

from adjax import parallel
from adjax.nets import conv, winograd
from adjax.nets.conv import ENOUGH, Conv, Geometry, by_blocks

SETTINGS = {
    "padded": {"padding": 1},
    "unpadded": {"padding": "VALID"},
    "padded on one side": {"padding": ((0, 1), (2, 0))},
    "same, strided": {"strides": (2, 2), "padding": "SAME"},
    "unpadded, strided": {"strides": (3, 2), "padding": "VALID"},
    "dilated": {"kernel_dilation": (2, 1), "padding": "VALID"},
    "grouped": {"feature_group_count": 2},
}
DEFAULTS = {
    "lhs_dilation": (1, 1),
    "dimension_numbers": ("NHWC", "HWIO", "NHWC"),
    "feature_group_count": 1,
    "precision": None,
}


@pytest.mark.parametrize("channels", [2, ENOUGH])
@pytest.mark.parametrize("setting", SETTINGS)
def test_equals_flax(setting, channels, monkeypatch):
    """Same values, gradients, and gradients of gradients; of more blocks than one, the last one not full."""
    monkeypatch.setattr(conv, "PIXELS", 30)
    monkeypatch.setattr(conv, "WORTH", 0)
    settings = {"features": channels, "kernel_size": (3, 2)} | SETTINGS[setting]
    theirs, ours = nn.Conv(**settings), Conv(**settings)
    x = jax.random.normal(jax.random.key(0), (2, 11, 8, channels))
    variables = jax.jit(theirs.init)(jax.random.key(1), x)

    def everything(layer):
        loss = lambda v, x: (jnp.tanh(layer.apply(v, x)) ** 2).sum()
        slope = lambda v, x: sum((leaf**2).sum() for leaf in jax.tree.leaves(jax.grad(loss, argnums=(0, 1))(v, x)))
        return jax.jit(lambda v, x: (layer.apply(v, x), *(jax.grad(f, argnums=(0, 1))(v, x) for f in (loss, slope))))

    found = [jax.tree.leaves(everything(layer)(variables, x)) for layer in (theirs, ours)]
    for wanted, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5 * float(jnp.abs(wanted).max()))


@pytest.mark.parametrize("kernel, channels, row", [((3, 2), 3, "3x1x6"), ((1, 4), 2, "1x1x8")])
def test_what_a_row_of_the_kernel_sees_becomes_a_pixel(kernel, channels, row):
    """Of few channels, without padding: same values and gradients."""
    theirs, ours = (layer(features=ENOUGH, kernel_size=kernel, padding="VALID") for layer in (nn.Conv, Conv))
    x = jax.random.normal(jax.random.key(0), (2, 11, 8, channels))
    variables = jax.jit(theirs.init)(jax.random.key(1), x)

    def everything(layer):
        loss = lambda v, x: (jnp.tanh(layer.apply(v, x)) ** 2).sum()
        return jax.jit(lambda v, x: (layer.apply(v, x), *jax.grad(loss, argnums=(0, 1))(v, x)))

    if jax.default_backend() == "cpu":
        assert f"tensor<{row}x{ENOUGH}xf32>" in everything(ours).lower(variables, x).as_text()
    found = [jax.tree.leaves(everything(layer)(variables, x)) for layer in (theirs, ours)]
    for wanted, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5 * float(jnp.abs(wanted).max()))


@pytest.mark.parametrize(
    "side, sides, padding, orders, strip",
    [
        (3, (8, 5), ((1, 1), (1, 1)), 2, 1),
        (3, (7, 10), ((0, 2), (2, 1)), 1, 1),
        (3, (4, 4), ((0, 0), (0, 0)), 1, 10**6),
        (4, (9, 7), ((3, 0), (1, 2)), 1, 3000),
        (4, (6, 8), ((0, 0), (0, 0)), 1, 10**6),
        (5, (7, 8), ((4, 1), (0, 2)), 1, 1),
    ],
)
def test_by_winograd_equals_the_plain_sum(side, sides, padding, orders, strip, monkeypatch):
    """Same values and gradients, and gradients of gradients; of more strips than one, the last one not full."""
    for name, value in {"ENOUGH": 1, "WORTH": 0, "MANY": 0}.items():
        monkeypatch.setattr(conv, name, value)
    monkeypatch.setattr(winograd, "STRIP", strip)
    if orders == 2:  # of a short rule, for the compiler's sake
        monkeypatch.setitem(winograd.RULES, 3, winograd.rule(2, 3, winograd.POINTS[:3]))
    geometry = Geometry((1, 1), padding)
    random = lambda seed, *shape: jax.random.normal(jax.random.key(seed), shape)
    x, kernel = random(0, 2, *sides, 3), random(1, side, side, 3, 4)

    def everything(convolve):
        loss = lambda x, kernel: (jnp.tanh(convolve(x, kernel, geometry)) ** 2).sum()
        slope = lambda x, kernel: sum((g**2).sum() for g in jax.grad(loss, argnums=(0, 1))(x, kernel))
        scalars = (loss, slope)[:orders]
        return jax.jit(lambda *a: (convolve(*a, geometry), *(jax.grad(f, argnums=(0, 1))(*a) for f in scalars)))

    if jax.default_backend() == "cpu":
        assert "stablehlo.convolution" not in everything(conv.conv).lower(x, kernel).as_text()
    found = [jax.tree.leaves(everything(convolve)(x, kernel)) for convolve in (conv._conv, conv.conv)]
    for wanted, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5 * float(jnp.abs(wanted).max()))


@pytest.mark.parametrize("padding, dilation", [(((0, 0), (0, 0)), (2, 2)), (((5, 0), (1, 2)), (2, 3))])
def test_a_dilated_kernel_by_winograd_equals_the_plain_sum(padding, dilation, monkeypatch):
    """Same values and gradients."""
    for name, value in {"ENOUGH": 1, "WORTH": 0, "MANY": 0}.items():
        monkeypatch.setattr(conv, name, value)
    random = lambda seed, *shape: jax.random.normal(jax.random.key(seed), shape)
    x, kernel = random(0, 2, 13, 16, 3), random(1, 4, 4, 3, 5)

    def everything(convolve):
        found = lambda x, kernel: convolve(x, kernel, (1, 1), padding, rhs_dilation=dilation, **DEFAULTS)
        loss = lambda x, kernel: (jnp.tanh(found(x, kernel)) ** 2).sum()
        return jax.jit(lambda *a: (found(*a), *jax.grad(loss, argnums=(0, 1))(*a)))

    if jax.default_backend() == "cpu":
        assert "stablehlo.convolution" not in everything(conv.convolve).lower(x, kernel).as_text()
    found = [everything(convolve)(x, kernel) for convolve in (lax.conv_general_dilated, conv.convolve)]
    for wanted, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5 * float(jnp.abs(wanted).max()))


def test_the_points_of_4x4_kernels_leave_less_rounding_than_opposites(monkeypatch):
    random = np.random.default_rng(0)
    x, kernel = random.normal(size=(1, 18, 18, 64)), random.normal(size=(4, 4, 64, 32))
    seen = np.lib.stride_tricks.sliding_window_view(x[0], (4, 4), (0, 1))
    exact = np.einsum("hwckl,klcf->hwf", seen, kernel)

    def rounding():
        found = jax.jit(lambda x, k: winograd.conv(x, k, ((0, 0), (0, 0))))(jnp.float32(x), jnp.float32(kernel))
        return np.sqrt(((found[0] - exact) ** 2).mean()) / exact.std()

    ours = rounding()
    monkeypatch.setitem(winograd.RULES, 4, winograd.rule(3, 4, (0, 1, -1, 2, -2)))
    assert 0 < ours < 0.9 * rounding()


@pytest.mark.parametrize(
    "side, channels, kernel, dtype, filtered",
    [
        (256, 128, 3, "float32", True),
        (1024, 128, 3, "float32", True),
        (256, 128, 4, "float32", True),
        (256, 128, 5, "float32", True),
        (128, 128, 5, "float32", True),
        (256, 64, 6, "float32", False),
        (128, 32, 3, "float32", False),
        (16, 1024, 3, "float32", False),  # the kernel is larger than the image
        (256, 128, 3, "bfloat16", False),
    ],
)
def test_the_cpu_convolves_by_winograd_what_is_large(side, channels, kernel, dtype, filtered):
    shapes = (2, side, side, channels), (kernel, kernel, channels, channels)
    x, kernel = (jax.ShapeDtypeStruct(s, dtype) for s in shapes)
    convolve = jax.jit(lambda x, kernel: conv.conv(x, kernel, Geometry((1, 1), ((1, 1), (1, 1)))))
    if jax.default_backend() == "cpu":
        assert ("stablehlo.convolution" not in convolve.lower(x, kernel).as_text()) == filtered


@pytest.mark.parametrize("pixels", [1, 50, 10**6])
def test_sums_in_float32_whatever_the_blocks(pixels):
    """Ones all through: 31 · 9 is odd and above 256, which no bfloat16 is."""
    geometry = Geometry((1, 1), ((0, 0), (0, 0)))
    ones = lambda *shape: jnp.ones(shape, jnp.bfloat16)
    total = jax.jit(lambda x, g: by_blocks(x, g, (2, 3), geometry, pixels))(ones(1, 32, 11, 2), ones(1, 31, 9, 3))
    np.testing.assert_array_equal(total, np.full((2, 3, 2, 3), 279.0))


@pytest.mark.parametrize("many", [0, 10**12])  # by Winograd's sums, by blocks
def test_devices_add_up_a_kernels_gradient_once_and_not_in_the_loop(many, monkeypatch):
    """Where a loop waits for another device, what comes after it may wait already: then nobody goes on."""
    monkeypatch.setattr(conv, "PIXELS", 30)
    monkeypatch.setattr(winograd, "STRIP", 1)
    monkeypatch.setattr(conv, "WORTH", 0)
    monkeypatch.setattr(conv, "MANY", many)
    mesh = parallel.mesh(jax.devices()[:2])
    random = lambda seed: jax.random.normal(jax.random.key(seed), (4, 9, 8, ENOUGH))
    rows = parallel.put({"x": np.asarray(random(0)), "g": np.asarray(random(1))}, mesh)
    geometry = Geometry((1, 1), ((1, 1), (1, 1)))
    found = jax.jit(lambda x, g: conv.kernel_gradient(x, g, (3, 3), geometry), out_shardings=parallel.whole(mesh))
    program = found.lower(rows["x"], rows["g"]).compile()
    monkeypatch.setattr(conv, "WORTH", 10**12)
    plain = jax.jit(lambda x, g: conv.kernel_gradient(x, g, (3, 3), geometry))(random(0), random(1))
    np.testing.assert_allclose(program(rows["x"], rows["g"]), plain, rtol=1e-4, atol=1e-3)
    if jax.default_backend() == "cpu":
        text = program.as_text()
        assert " while(" in text
        assert (len(programs.waits(text, inner=True)), len(programs.waits(text, inner=False))) == (0, 1)


@pytest.mark.parametrize("dilation", [1, 2])
def test_devices_convolve_their_own_images_in_strips(dilation, monkeypatch):
    for name, value in {"ENOUGH": 1, "WORTH": 0, "MANY": 0}.items():
        monkeypatch.setattr(conv, name, value)
    monkeypatch.setattr(winograd, "STRIP", 1)
    x = parallel.put({"x": np.ones((4, 13, 12, 3), np.float32)}, parallel.mesh(jax.devices()[:2]))["x"]
    settings = DEFAULTS | {"rhs_dilation": (dilation, dilation)}
    convolve = jax.jit(lambda x: conv.convolve(x, jnp.ones((3, 3, 3, 5)), (1, 1), "SAME", **settings))
    if jax.default_backend() == "cpu":
        text = convolve.lower(x).compile().as_text()
        assert " while(" in text
        assert not programs.waits(text, inner=True) and not programs.waits(text, inner=False)
    np.testing.assert_allclose(convolve(x)[:, 4, 4], np.full((4, 5), 27.0), rtol=1e-5)


def test_the_cpu_convolves_neither_for_kernels_nor_without_padding_nor_colours_with_a_stride(monkeypatch):
    """Those three are what it is slow at."""
    monkeypatch.setattr(conv, "WORTH", 0)
    x, kernel = jnp.zeros((1, 9, 9, ENOUGH)), jnp.zeros((3, 3, ENOUGH, ENOUGH))
    geometry = Geometry((1, 1), ((0, 0), (0, 0)))
    text = lambda function: jax.jit(function).lower(x, kernel).as_text()
    value = lambda x, kernel: conv.conv(x, kernel, geometry)
    if jax.default_backend() == "cpu":
        assert "pad = [[0, 0], [1, 0]]" in text(value)
        colours, few = jnp.zeros((1, 8, 8, 3)), jnp.zeros((3, 3, 3, 5))
        halved = jax.jit(lambda x, kernel: conv.conv(x, kernel, Geometry((2, 2), ((0, 1), (1, 0)))))
        assert "tensor<2x2x12x5xf32>" in halved.lower(colours, few).as_text()
        assert "stablehlo.convolution" not in text(jax.grad(lambda x, kernel: value(x, kernel).sum(), argnums=1))
