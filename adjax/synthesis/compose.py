"""Samplers of samplers: one of several, several after each other, sometimes, until, only here, weaker, in batches.

Axes: b batch, h height, w width, c channels.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from adjax.synthesis.planted import Image, Planted, Sampler, compare, of_bits
from adjax.types import Key, UserError


def one_of(functions: Sequence[Callable], weights: Sequence[float] = ()) -> Callable:
    """One of the functions of a key, drawn by `weights` (none: all alike): samplers, or shapes, or contents.

    Where the rows of a batch are one program (see `batched`), each of them computes all and keeps one.
    """
    weights = tuple(weights) or (1.0,) * len(functions)
    if len(weights) != len(functions) or min(weights) < 0 or sum(weights) <= 0:
        raise UserError(f"{len(functions)} samplers cannot be drawn by the weights {weights}")

    def sample(key: Key, *arguments):
        k_choice, k_sample = jax.random.split(key)
        edges = jnp.cumsum(jnp.array(weights, jnp.float32))
        number = jnp.sum(jax.random.uniform(k_choice) * edges[-1] >= edges, dtype=jnp.int32)
        branches = [of_bits(lambda k, f=f: f(k, *arguments), key) for f in functions]
        return jax.lax.switch(number, branches, jax.random.key_data(k_sample))

    return sample


def chain(*samplers: Sampler) -> Sampler:
    """Every sampler on the result of the one before; mask and severity are those of all of them together."""

    def sample(key: Key, image: Image, texture: Image | None = None) -> Planted:
        changed = image
        for k_each, sampler in zip(jax.random.split(key, len(samplers)), samplers):
            changed = sampler(k_each, changed, texture).image
        return compare(image, changed)

    return sample


def sometimes(sampler: Sampler, probability: float) -> Sampler:
    """The sampler with this probability, otherwise the image as it is and an empty mask."""

    def sample(key: Key, image: Image, texture: Image | None = None) -> Planted:
        k_happens, k_sample = jax.random.split(key)
        happens = jax.random.uniform(k_happens) < probability
        planted = of_bits(lambda k: sampler(k, image, texture).image, key)
        return compare(image, jax.lax.cond(happens, planted, lambda _: image, jax.random.key_data(k_sample)))

    return sample


def redrawn(sampler: Sampler, tries: int = 16) -> Sampler:
    """Draws until something changed; after so many tries the image stays as it is."""

    def sample(key: Key, image: Image, texture: Image | None = None) -> Planted:
        going = lambda carry: (carry[0] < tries) & ~carry[1].mask.any()
        draw = lambda carry: (carry[0] + 1, sampler(jax.random.fold_in(key, carry[0]), image, texture))
        return jax.lax.while_loop(going, draw, (jnp.int32(0), compare(image, image)))[1]

    return sample


def restricted(sampler: Sampler, foreground: Callable[[Image], Bool[Array, "h w"]] | Bool[Array, "h w"]) -> Sampler:
    """Changes nothing outside the foreground: a mask, or a function that finds it in the image."""

    def sample(key: Key, image: Image, texture: Image | None = None) -> Planted:
        where = foreground(image) if callable(foreground) else foreground
        return compare(image, jnp.where(where[..., None], sampler(key, image, texture).image, image))

    return sample


def scaled(sampler: Sampler, low: float, high: float) -> Sampler:
    """The change times a strength drawn evenly from [low, high] ⊂ [0, 1], as RealNet sets its anomalies' strength."""
    if not 0 <= low <= high <= 1:
        raise UserError(f"strength from {low} to {high} must lie in [0, 1]")

    def sample(key: Key, image: Image, texture: Image | None = None) -> Planted:
        k_strength, k_sample = jax.random.split(key)
        strength = jax.random.uniform(k_strength, (), minval=low, maxval=high)
        # In this form it adds exactly 0 where nothing changed.
        return compare(image, image + strength * (sampler(k_sample, image, texture).image - image))

    return sample


def batched(sampler: Sampler) -> Callable[..., Planted]:
    """(key, images[, textures]) -> Planted with a leading axis b. A row depends on its number and the key alone.

    An accelerator computes all rows at once. A CPU takes them one after another, and what a row did not draw (another
    of several samplers, seven of ten changes of a texture) costs nothing.
    """

    def sample(key: Key, images: Float[Array, "b h w c"], textures: Float[Array, "b h w c"] | None = None) -> Planted:
        keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(jnp.arange(len(images)))
        rows = jax.random.key_data(keys), images, textures
        one = of_bits(sampler, key)
        return jax.lax.platform_dependent(
            *rows, cpu=lambda *rows: jax.lax.map(lambda row: one(*row), rows), default=jax.vmap(one)
        )

    return sample
