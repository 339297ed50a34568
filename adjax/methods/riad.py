"""Reconstruction by inpainting (Zavrtanik, Kristan, Skočaj 2021): no pixel is seen by the network that predicts it.

Axes: b batch, h height, w width, c channels, n sets of cells, k cell sizes.
"""

import jax
import jax.numpy as jnp
import optax
from einops import rearrange
from jaxtyping import Array, Float, Int

from adjax.losses import map_msgms, weighted_terms
from adjax.losses.filters import blur
from adjax.losses.names import parse
from adjax.nets.inpainting_unet import InpaintingUNet
from adjax.optim import gradient_update, learner, weights
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction


def riad(
    *,
    tx: optax.GradientTransformation,
    cells: tuple[int, ...] = (2, 4, 8, 16),
    sets: int = 3,
    width: float = 1.0,
    loss: str = "l2 + msgms + ssim",
    window: int = 21,
    rule: str = "max",
    ema_decay: float = 0.0,
) -> Method:
    """The image's square cells fall at random into `sets` disjoint sets; each set is erased and inpainted in turn.

    An update draws one of the cell sizes `cells` (in pixels), a score takes the mean over all of them of 1 - MSGMS,
    filtered by a mean over `window` x `window`. Defaults as published for images of 256 px.

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
        return InpaintingUNet(image.shape[-1], width)

    def terms(params, stats, batch: Batch, key: Key):
        image = batch["image"]
        b, h, w, _ = image.shape
        k_cell, k_sets = jax.random.split(key)
        keys = jax.random.split(k_sets, (len(cells), b))
        drawn = jnp.stack([partitions(keys[i], cell, sets, h, w) for i, cell in enumerate(cells)])
        owner = drawn[jax.random.randint(k_cell, (), 0, len(cells))]
        masked = rearrange(jnp.where(erased(owner, sets), 0.0, image[:, None]), "b n h w c -> (b n) h w c")
        variables = {"params": params, "batch_stats": stats}
        filled, after = network(image).apply(variables, masked, train=True, mutable=["batch_stats"])
        rebuilt = assemble(rearrange(filled, "(b n) h w c -> b n h w c", n=sets), owner)
        return errors(rebuilt, image), after["batch_stats"]

    def inpaint(state, image, keys, cell: int):
        """One set at a time, so that memory is that of one forward pass."""
        owner = partitions(keys, cell, sets, *image.shape[1:3])
        variables = {"params": weights(state), "batch_stats": state.stats}
        forward = lambda hole: network(image).apply(variables, jnp.where(hole, 0.0, image))
        filled = jax.lax.map(forward, jnp.moveaxis(erased(owner, sets), 1, 0))
        return assemble(jnp.moveaxis(filled, 0, 1), owner)

    def score_images(state, batch: Batch, keys) -> Prediction:
        image = batch["image"]
        k_cells = jax.vmap(lambda key: jax.random.split(key, len(cells)))(keys)
        rebuilt = [inpaint(state, image, k_cells[:, i], cell) for i, cell in enumerate(cells)]
        maps = sum(map_msgms(one, image) for one in rebuilt) / len(cells)
        anomaly_map = blur(maps[..., None], (1 / window,) * window, pad=True)[..., 0]
        scores = pool(anomaly_map, rule, valid_pixels(batch))
        return Prediction(scores, anomaly_map, {"reconstruction": sum(rebuilt) / len(cells)})

    update = gradient_update(terms, tx, loss_weights=loss_weights, ema_decay=ema_decay)
    return Method(init, {"train": Phase(update)}, score_images)


def partitions(keys, cell: int, sets: int, h: int, w: int) -> Int[Array, "b h w"]:
    """For each image the set that each pixel belongs to: whole cells, at random, as many in each set as can be."""
    rows, columns = -(-h // cell), -(-w // cell)

    def one(key):
        owner = (jax.random.permutation(key, rows * columns) % sets).reshape(rows, columns)
        return jnp.repeat(jnp.repeat(owner, cell, 0), cell, 1)[:h, :w]

    return jax.vmap(one)(keys)


def erased(owner: Int[Array, "b h w"], sets: int):
    """True where a set erases, bool[b n h w 1]: each pixel in one set and no other."""
    return (owner[:, None] == jnp.arange(sets, dtype=owner.dtype)[None, :, None, None])[..., None]


def assemble(filled: Float[Array, "b n h w c"], owner: Int[Array, "b h w"]) -> Float[Array, "b h w c"]:
    """Each pixel from the pass in which it was erased."""
    return jnp.sum(jnp.where(erased(owner, filled.shape[1]), filled, 0.0), axis=1)
