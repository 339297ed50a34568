"""AnomalyDINO (Damm et al. 2025, arXiv 2405.14529): cosine distance of a vision transformer's patches to normal ones.

Axes: b batch, h height, w width, c channels, i grid height, j grid width, p places, n bank, d channels of features.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from adjax.backbones import lazily
from adjax.fitted import reservoir
from adjax.fitted.neighbours import nearest, unit
from adjax.methods import banks
from adjax.nets.patches import aligned, to_pixels, valid_patches
from adjax.pooling import pool
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError

CENTRE, FEWEST = 0.6, 0.35  # the middle of the image, of which an object fills more than this share


class State(NamedTuple):
    backbone: Any
    bank: reservoir.Reservoir
    left: Int[Array, ""]  # images to come of the first pass; no more are taken


def anomaly_dino(
    *,
    backbone: str = "dinov2_vits14",
    layers: tuple[str, ...] = ("norm",),
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    rotations: int = 8,
    masked: bool = False,
    foreground: float = 10.0,
    neighbours: int = 1,
    memory_mb: float = 0.0,
    sigma: float = 4.0,
    rule: str = "top:0.01",
) -> Method:
    """`rotations`: of each training image, evenly over the circle, that are remembered; published for few images.
    `masked`: patches of the background score 0, where the first principal component of the image's own patches is at
    most `foreground`; published for single objects, by a look at training images. Remembered images are not masked.

    Images are cut at the right and at the bottom to a multiple of a patch; what was cut off has the map of its
    neighbours. `neighbours`, `memory_mb`, `sigma`: as for patchcore. The image score is pooled by `rule` from patches.
    """
    if rotations < 1:
        raise UserError(f"rotations={rotations} of anomaly_dino; choose 1 for the images as they are, or more")
    network = lazily(backbone, layers, weights, maps=layers, rgb=rgb)
    step = lambda: math.lcm(*network().strides.values())

    def embed(state: State, batch: Batch) -> Float[Array, "b i j d"]:
        return aligned(network().apply(state.backbone, cropped(batch, step())["image"]), "bilinear")

    def init(key: Key, batch: Batch, info: Info) -> State:
        del key
        variables = network().variables
        _, i, j, d = jax.eval_shape(embed, State(variables, None, None), batch).shape
        return State(variables, *banks.empty(info, rotations * i * j, d, memory_mb))

    def update(state: State, batch: Batch, key: Key):
        found, real = [], []
        for number in range(rotations):
            turned = batch | rotated(batch, 2 * math.pi * number / rotations) if number else batch
            features = embed(state, turned)
            b, i, j, d = features.shape
            found.append(unit(features).reshape(b, i * j, d))
            real.append(valid_patches(cropped(turned, step()), (i, j)).reshape(b, i * j))
        rows, wanted = jnp.concatenate(found, axis=1), jnp.concatenate(real, axis=1)
        return banks.collect(state, "patches", rows, wanted, batch, key)

    def finish(state: State, key: Key) -> State:
        del key
        return state._replace(bank=state.bank._replace(rows=reservoir.contents(state.bank)))

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        features, inside = embed(state, batch), cropped(batch, step())
        b, i, j, d = features.shape
        near, _ = nearest(unit(features).reshape(-1, d), state.bank.rows, neighbours)
        patches = (near**2 / 2).mean(1).reshape(b, i, j)
        if masked:
            patches = jnp.where(object_mask(features, foreground), patches, 0.0)
        (h, w), (h_in, w_in) = batch["image"].shape[1:3], inside["image"].shape[1:3]
        anomaly_map = to_pixels(patches, (h_in, w_in), sigma)
        anomaly_map = jnp.pad(anomaly_map, ((0, 0), (0, h - h_in), (0, w - w_in)), mode="edge")
        return Prediction(pool(patches, rule, valid_patches(inside, (i, j))), anomaly_map)

    train = Phase(update, finish, augment=False)
    return Method(init, {"train": train}, score_images, embed=embed, shared=frozenset({"backbone"}))


def cropped(batch: Batch, step: int) -> dict[str, Array]:
    """Cut at the right and at the bottom to multiples of `step`."""
    h, w = (n // step * step for n in batch["image"].shape[1:3])
    if not h or not w:
        raise UserError(
            f"images of {batch['image'].shape[1:3]} are smaller than a patch of {step}; set config.data.size"
        )
    return dict(batch) | {name: batch[name][:, :h, :w] for name in ("image", "_ignore") if name in batch}


def rotated(batch: Batch, angle: float) -> dict[str, Array]:
    """Images about their centres, bilinearly, their border repeated beyond it; and what to ignore."""
    h, w = batch["image"].shape[1:3]
    y, x = jnp.mgrid[:h, :w].astype(jnp.float32) - jnp.array([(h - 1) / 2, (w - 1) / 2])[:, None, None]
    cos, sin = math.cos(angle), math.sin(angle)
    places = [cos * y - sin * x + (h - 1) / 2, sin * y + cos * x + (w - 1) / 2]
    plane = lambda pixels: jax.scipy.ndimage.map_coordinates(pixels, places, order=1, mode="nearest")
    found = {"image": jax.vmap(jax.vmap(plane, in_axes=2, out_axes=2))(batch["image"])}
    if "_ignore" in batch:
        found["_ignore"] = jax.vmap(plane)(batch["_ignore"].astype(jnp.float32)) > 0
    return found


def object_mask(features: Float[Array, "b i j d"], foreground: float) -> Bool[Array, "b i j"]:
    """Where the first principal component exceeds `foreground`, dilated and closed; its sign is such that the middle
    of the image is filled."""
    b, i, j, d = features.shape
    tokens = features.reshape(b, i * j, d)
    tokens = tokens - tokens.mean(1, keepdims=True)
    scatter = jnp.einsum("bpd,bpe->bde", tokens, tokens, precision=lax.Precision.HIGHEST)
    axis = jnp.linalg.eigh(scatter)[1][..., -1]
    largest = jnp.take_along_axis(axis, jnp.abs(axis).argmax(1)[:, None], 1)
    component = jnp.einsum("bpd,bd->bp", tokens, axis * jnp.sign(largest)).reshape(b, i, j)
    mask = component > foreground
    top, start = int(i * (1 - CENTRE) / 2), int(j * (1 - CENTRE) / 2)
    filled = mask[:, top : i - top, start : j - start].mean((1, 2), dtype=jnp.float32) > FEWEST
    mask = jnp.where(filled[:, None, None], mask, -component > foreground).astype(jnp.float32)
    dilated = lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3), (1, 1, 1), "SAME")
    return -dilated(-dilated(dilated(mask))) > 0.5
