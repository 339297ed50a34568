"""Method -> Method, as JAX transforms functions.

Axes: b batch, h height, w width, k tiles scored at once, t tile side.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from adjax import tiling
from adjax.canonical import canonical
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, State, UserError


def tiled(method: Method, grid: tiling.Grid, rule: str = "max", chunk: int = 16) -> Method:
    """Scores images of any size by overlapping tiles; the method goes on learning from single tiles.

    Tiles of all images of the batch are cut, scored `chunk` at a time and stitched inside one compiled loop, so the
    memory beyond images and maps is that of `chunk` tiles. Where they lie follows from each image's own `_size`, not
    from its padding. A tile's randomness is fold_in(image key, tile index). The image score is pooled from the
    stitched map by `rule`; a method without maps gets the highest score of its tiles.
    """
    tiling.check(grid)

    def score(state, batch: Batch, keys) -> Prediction:
        images = batch["image"]
        b, h, w, _ = images.shape
        sizes = batch.get("_size", jnp.tile(jnp.array([[h, w]], jnp.int32), (b, 1)))
        counts = jnp.where(batch["_mask"], jax.vmap(lambda hw: tiling.count(hw, grid))(sizes), 0)
        ends = jnp.cumsum(counts)

        def step(carry):
            done, canvas = carry
            numbers = done + jnp.arange(chunk, dtype=jnp.int32)
            owner = jnp.minimum(jnp.searchsorted(ends, numbers, side="right"), b - 1)
            index = numbers - (ends - counts)[owner]
            real = numbers < ends[-1]
            ys, xs = jax.vmap(lambda i, hw: tiling.place(i, hw, grid))(index, sizes[owner])
            tiles = jax.vmap(lambda i, y, x: tiling.cut(images[i], (y, x), grid.size))(owner, ys, xs)
            rows = {"image": tiles, "_mask": real}
            if "_ignore" in batch:
                hidden = batch["_ignore"][..., None]
                rows["_ignore"] = jax.vmap(lambda i, y, x: tiling.cut(hidden[i], (y, x), grid.size)[..., 0])(
                    owner, ys, xs
                )
            seeds = jax.vmap(jax.random.fold_in)(keys[owner], index)
            prediction = canonical(method.score)(state, rows, seeds)
            return done + chunk, _paste(canvas, prediction, owner, ys, xs, real, grid.size)

        empty = (jnp.zeros((b, h, w)), jnp.zeros((b, h, w)), jnp.full((b,), -jnp.inf))
        _, canvas = jax.lax.while_loop(lambda carry: carry[0] < ends[-1], step, (jnp.int32(0), empty))
        total, weight, highest = canvas
        if _has_no_map(method, state, batch, keys, grid.size):
            return Prediction(highest, None)
        stitched = total / jnp.where(weight > 0, weight, 1.0)
        scores = highest if rule == "tile" else pool(stitched, rule, valid_pixels(batch))
        return Prediction(scores, stitched)

    return method._replace(score=score, reconstruct=None, embed=None)


def _has_no_map(method, state, batch, keys, size) -> bool:
    one = {"image": jnp.zeros((1, size, size, batch["image"].shape[-1])), "_mask": jnp.ones((1,), bool)}
    return jax.eval_shape(method.score, state, one, jax.ShapeDtypeStruct((1,), keys.dtype)).map is None


def _paste(canvas, prediction: Prediction, owner, ys, xs, real: Bool[Array, "k"], size: int):
    """Adds a chunk of tiles to their images; one after another, since tiles of a chunk overlap."""
    total, weight, highest = canvas
    highest = highest.at[owner].max(jnp.where(real, prediction.score, -jnp.inf))
    if prediction.map is None:
        return total, weight, highest
    window = jnp.asarray(tiling.window(size))

    def add(k, sums):
        total, weight = sums
        at = (owner[k], ys[k], xs[k])
        w = jnp.where(real[k], window, 0.0)
        # A padded row may hold anything, NaN too: select before multiplying.
        piece = jnp.where(real[k], prediction.map[k], 0.0)
        old = jax.lax.dynamic_slice(total, at, (1, size, size)), jax.lax.dynamic_slice(weight, at, (1, size, size))
        return (
            jax.lax.dynamic_update_slice(total, old[0] + (w * piece)[None], at),
            jax.lax.dynamic_update_slice(weight, old[1] + w[None], at),
        )

    total, weight = jax.lax.fori_loop(0, owner.shape[0], add, (total, weight))
    return total, weight, highest


def smoothed(method: Method, sigma: float, rule: str = "max") -> Method:
    """Blurs the map with a Gaussian of `sigma` pixels (cut at 4 sigma, padding left out) and pools it again."""

    def score(state, batch: Batch, keys) -> Prediction:
        prediction = method.score(state, batch, keys)
        if prediction.map is None:
            raise UserError(f"sigma={sigma} smooths anomaly maps, this method has none: set config.score.sigma=0")
        valid = valid_pixels(batch)
        maps = _blur(jnp.where(valid, prediction.map, 0.0), sigma) / _blur(valid.astype(jnp.float32), sigma)
        maps = jnp.where(valid, maps, 0.0)
        return Prediction(pool(maps, rule, valid), maps, prediction.aux)

    return method._replace(score=score)


def _blur(maps: Float[Array, "b h w"], sigma: float) -> Float[Array, "b h w"]:
    """Separable, zero beyond the border. Shifted adds: XLA's one-channel convolutions are slow on the CPU."""
    radius = max(1, int(np.ceil(4 * sigma)))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (1, 2):
        pad = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
        wide, length = jnp.pad(maps, pad), maps.shape[axis]
        maps = sum(float(k) * jax.lax.slice_in_dim(wide, i, i + length, axis=axis) for i, k in enumerate(kernel))
    return maps


def projected(
    method: Method, *, steps: int = 100, rate: float = 0.5, l1: float = 0.05, stop: float = 0.0, rule: str = "max"
) -> Method:
    """Scores how far an image must go to become one that the method rebuilds well (Dehaene et al. 2020, 2002.03734).

    The image x descends E(x) = sum (x - f(x))² + l1 sum |x - x0| from x0, with f the method's reconstruction, through
    which the gradient flows. Each step is weighted by (x - f(x))², pixel by pixel, so that what is rebuilt well stays
    where it is. An image rests once its mean squared error is at most `stop`: the paper takes the error of normal
    images, logged in training as loss/l2. The map is |x - x0|, the mean over channels.

    A step moves a pixel by about 2 rate e³, e its error: published rates are for images in [-1, 1], where they act
    4 times as strongly as for those in [0, 1].
    """
    if method.reconstruct is None:
        raise UserError("the projection needs a method that reconstructs its image; set config.score.projected.steps=0")

    def score(state, batch: Batch, keys) -> Prediction:
        image = batch["image"]

        def misfit(x, seeds):
            error = x - method.reconstruct(state, {**batch, "image": x}, seeds)
            return (error**2).sum(), error

        def step(carry):
            number, x, moving = carry
            seeds = jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
            gradient, error = canonical(jax.grad(misfit, has_aux=True))(x, seeds)
            # JAX's gradient of |x - x0| is 1 at 0, which would push every pixel off at the start.
            gradient += l1 * jnp.sign(x - image)
            moving &= (error**2).mean((1, 2, 3)) > stop
            return number + 1, jnp.where(moving[:, None, None, None], x - rate * gradient * error**2, x), moving

        going = lambda carry: (carry[0] < steps) & carry[2].any()
        _, x, _ = jax.lax.while_loop(going, step, (jnp.int32(0), image, batch["_mask"]))
        anomaly_map = jnp.abs(x - image).mean(-1)
        return Prediction(pool(anomaly_map, rule, valid_pixels(batch)), anomaly_map, {"reconstruction": x})

    return method._replace(score=score)


class Chained(NamedTuple):
    first: State
    second: State


def after(first: Method, second: Method) -> Method:
    """Fits the second method on what the first, once it has learned, embeds; the second one scores.

    It finds that in the batch field "features". Its phases follow the first's, with "_after" behind their names.
    """
    if first.embed is None:
        raise UserError("what comes after a method is fitted on its features, and this one has none")

    def with_features(state: Chained, batch: Batch) -> Batch:
        return {**batch, "features": first.embed(state.first, batch)}

    def init(key: Key, batch: Batch, info: Info) -> Chained:
        k_first, k_second = jax.random.split(key)
        state = first.init(k_first, batch, info)
        features = jax.eval_shape(first.embed, state, batch)
        rows = {**batch, "features": jnp.zeros(features.shape, features.dtype)}
        steps = {name: info.steps[f"{name}_after"] for name in second.phases}
        return Chained(state, second.init(k_second, rows, info._replace(steps=steps)))

    def score(state: Chained, batch: Batch, keys) -> Prediction:
        return second.score(state.second, with_features(state, batch), keys)

    phases = {name: _part("first", phase, lambda state, batch: batch) for name, phase in first.phases.items()}
    phases |= {f"{name}_after": _part("second", phase, with_features) for name, phase in second.phases.items()}
    return Method(init, phases, score, needs=first.needs | second.needs - {"features"})


def _part(field: str, phase: Phase, seen: Callable[[Chained, Batch], Batch]) -> Phase:
    """The phase of one part of a chained state."""

    def update(state: Chained, batch: Batch, key: Key):
        new, scalars = phase.update(getattr(state, field), seen(state, batch), key)
        return state._replace(**{field: new}), scalars

    def finish(state: Chained, key: Key) -> Chained:
        return state._replace(**{field: phase.finish(getattr(state, field), key)})

    return phase._replace(update=update, finish=finish)
