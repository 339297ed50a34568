"""Reconstruction by inpainting (Zavrtanik, Kristan, Skočaj 2021): no pixel is seen by the network that predicts it.

Axes: b batch, h height, w width, c channels, n sets of cells, k cell sizes.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from einops import rearrange
from jaxtyping import Array, Bool, Float, Int

from adjax.losses import map_msgms, weighted_terms
from adjax.losses.filters import blur
from adjax.losses.names import parse
from adjax.nets.inpainting_unet import FEATURES, InpaintingUNet
from adjax.optim import gradient_update, learner, weights
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction


def riad(
    *,
    tx: optax.GradientTransformation,
    cells: tuple[int, ...] = (2, 4, 8, 16),
    sets: int = 3,
    levels: tuple[int, ...] = FEATURES,
    drawn: int = 1,
    loss: str = "l2 + msgms + ssim",
    window: int = 21,
    rule: str = "max",
    ema_decay: float = 0.0,
) -> Method:
    """The image's square cells fall at random into `sets` disjoint sets; each set is erased and inpainted in turn.

    An update draws one of the cell sizes `cells` (in pixels) and inpaints `drawn` of the sets: the published code all
    of them, at three times the cost. A score takes the mean over all cell sizes of 1 - MSGMS, filtered by a mean over
    `window` x `window`. Sizes as published for images of 256 px; `levels` are the features of the U-Net's levels.

    A filament is continued across cells that are not at least twice as wide as it: small ones hide no line.
    """
    loss_weights = parse(loss)
    errors = weighted_terms(loss_weights)

    def init(key: Key, batch: Batch, info: Info):
        del info
        image = batch["image"][:1]
        variables = network(image).init(key, image)
        return learner(variables["params"], tx, stats=variables["batch_stats"], ema_decay=ema_decay)

    def network(image):
        return InpaintingUNet(image.shape[-1], tuple(levels))

    def terms(params, stats, batch: Batch, key: Key):
        image = batch["image"]
        b, h, w, _ = image.shape
        k_cell, k_sets = jax.random.split(key)
        cell = jnp.asarray(cells, jnp.int32)[jax.random.randint(k_cell, (), 0, len(cells))]
        owner = partitions(jax.random.split(k_sets, b), cell, sets, h, w)
        hole = erased(owner, drawn)
        masked = rearrange(jnp.where(hole, 0.0, image[:, None]), "b n h w c -> (b n) h w c")
        variables = {"params": params, "batch_stats": stats}
        filled, after = network(image).apply(variables, masked, train=True, mutable=["batch_stats"])
        rebuilt = assemble(rearrange(filled, "(b n) h w c -> b n h w c", b=b), hole, image)
        return errors(rebuilt, image, batch.get("_ignore")), after["batch_stats"]

    def score_images(state, batch: Batch, keys) -> Prediction:
        image = batch["image"]
        variables = {"params": weights(state), "batch_stats": state.stats}
        forward = lambda masked: network(image).apply(variables, masked)

        def one_size(cell):
            k_cell = jax.vmap(lambda key: jax.random.fold_in(key, cell))(keys)
            rebuilt = inpaint(forward, image, k_cell, cell, sets)
            return rebuilt, map_msgms(rebuilt, image)

        rebuilt, maps = jax.lax.map(one_size, jnp.asarray(cells, jnp.int32))
        anomaly_map = blur(maps.mean(0)[..., None], (1 / window,) * window, pad=True)[..., 0]
        scores = pool(anomaly_map, rule, valid_pixels(batch))
        return Prediction(scores, anomaly_map, {"reconstruction": rebuilt.mean(0)})

    update = gradient_update(terms, tx, loss_weights=loss_weights, ema_decay=ema_decay)
    return Method(init, {"train": Phase(update)}, score_images)


def inpaint(
    forward: Callable[[Array], Array], image: Float[Array, "b h w c"], keys, cell: Int[Array, ""], sets: int
) -> Float[Array, "b h w c"]:
    """All sets, one at a time, so that memory is that of one forward pass."""
    holes = erased(partitions(keys, cell, sets, *image.shape[1:3]), sets)
    filled = jax.lax.map(lambda hole: forward(jnp.where(hole, 0.0, image)), jnp.moveaxis(holes, 1, 0))
    return assemble(jnp.moveaxis(filled, 0, 1), holes, image)


def partitions(keys, cell: Int[Array, ""], sets: int, h: int, w: int) -> Int[Array, "b h w"]:
    """For each image the set that each pixel belongs to: whole cells at random, as evenly as their number allows.

    A cell is ranked by the random number of its first pixel, so that one program does for all cell sizes.
    """
    y, x = jnp.arange(h, dtype=jnp.int32), jnp.arange(w, dtype=jnp.int32)
    first = (y % cell == 0)[:, None] & (x % cell == 0)[None]

    def one(key):
        order = jnp.argsort(jnp.where(first, jax.random.uniform(key, (h, w)), 2.0).reshape(-1))
        rank = jnp.zeros_like(order).at[order].set(jnp.arange(h * w, dtype=order.dtype))
        return (rank % sets).reshape(h, w)[y // cell * cell][:, x // cell * cell]

    return jax.vmap(one)(keys)


def erased(owner: Int[Array, "b h w"], sets: int) -> Bool[Array, "b n h w 1"]:
    """True where each of the first `sets` sets erases."""
    return (owner[:, None] == jnp.arange(sets, dtype=owner.dtype)[None, :, None, None])[..., None]


def assemble(
    filled: Float[Array, "b n h w c"], hole: Bool[Array, "b n h w 1"], image: Float[Array, "b h w c"]
) -> Float[Array, "b h w c"]:
    """Each pixel from the pass in which it was erased; where none erased it, as it is."""
    inpainted = jnp.sum(jnp.where(hole, filled, 0.0), axis=1)
    return jnp.where(hole.any(1), inpainted, image)
