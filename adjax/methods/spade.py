"""SPADE (Cohen, Hoshen 2020, arXiv 2005.02357): the most similar normal images, then the nearest of their patches.

Axes: b batch, i grid height, j grid width, n gallery, p places (i x j), k neighbours, d channels.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from adjax.backbones import lazily
from adjax.fitted import reservoir
from adjax.fitted.neighbours import nearest
from adjax.methods import banks
from adjax.nets.patches import aligned, pooled, to_pixels, valid_patches
from adjax.types import Batch, Info, Key, Method, Phase, Prediction

IMAGE, JOINT = "image", "joint"


class State(NamedTuple):
    backbone: Any
    bank: reservoir.Reservoir  # all features of an image in a row; once finished, one of them
    left: Int[Array, ""]  # images to come of the first pass; no more are taken
    gallery: Mapping[str, Float[Array, "n p d"]]  # filled when finished; "image": p is 1


def spade(
    *,
    backbone: str = "efficientnet_lite0",
    layers: tuple[str, ...] = ("stage2", "stage3", "stage5"),
    image_layer: str = "pool",
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    neighbours: int = 50,
    joint: bool = True,
    memory_mb: float = 0.0,
    sigma: float = 4.0,
    rule: str = "max",
) -> Method:
    """The image score is the mean distance of the (spatial mean) features of `image_layer` to the `neighbours` nearest
    training images; a patch's is its distance to the nearest patch of these images, wherever it lies.

    `joint`: patches are described by all layers at once, enlarged to the grid of the largest, as in the paper;
    otherwise each layer makes a map of its own, and their mean is taken. `memory_mb`: at most so much for images to
    remember, 0 for all. `sigma`: of the smoothing, in pixels. The score is not the map's: `rule` changes nothing.
    """
    del rule
    taken = tuple(dict.fromkeys((*layers, image_layer)))
    network = lazily(backbone, taken, weights, maps=layers, rgb=rgb)

    def features(state: State, batch: Batch) -> tuple[Float[Array, "b d"], dict[str, Float[Array, "b i j d"]]]:
        found = network().apply(state.backbone, batch["image"])
        levels = {layer: found[layer] for layer in layers}
        levels = {JOINT: aligned(levels, "bilinear")} if joint else levels
        return pooled({IMAGE: found[image_layer]}, batch)[IMAGE], levels

    def init(key: Key, batch: Batch, info: Info) -> State:
        del key
        variables = network().variables
        image, levels = jax.eval_shape(features, State(variables, None, None, None), batch)
        gallery = {name: jnp.zeros((1, x.shape[1] * x.shape[2], x.shape[3])) for name, x in levels.items()}
        gallery[IMAGE] = jnp.zeros((1, 1, image.shape[1]))
        return State(variables, *banks.empty(info, 1, sum(x.size for x in gallery.values()), memory_mb), gallery)

    def update(state: State, batch: Batch, key: Key):
        image, levels = features(state, batch)
        counted = {name: valid_patches(batch, x.shape[1:3]) for name, x in levels.items()}
        parts = {IMAGE: image} | {name: _counted(x, counted[name]) for name, x in levels.items()}
        rows = jnp.concatenate([parts[name].reshape(len(image), -1) for name in sorted(parts)], axis=1)
        some = jnp.stack([valid.any((1, 2)) for valid in counted.values()], axis=1).all(1, keepdims=True)
        return banks.collect(state, "images", rows[:, None], some, batch, key)

    def finish(state: State, key: Key) -> State:
        del key
        rows, names = np.asarray(reservoir.contents(state.bank)), sorted(state.gallery)
        ends = np.cumsum([state.gallery[name].size for name in names])
        parts = zip(names, np.split(rows, ends[:-1], axis=1))
        gallery = {name: jnp.asarray(part.reshape(-1, *state.gallery[name].shape[1:])) for name, part in parts}
        bank = state.bank._replace(rows=state.bank.rows[:1])  # a checkpoint holds no empty arrays
        return state._replace(bank=bank, gallery=gallery)

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        image, levels = features(state, batch)
        distances, similar = nearest(image, state.gallery[IMAGE][:, 0], neighbours)
        shape = batch["image"].shape[1:3]
        maps = [to_pixels(matched(x, state.gallery[name], similar), shape, sigma) for name, x in levels.items()]
        return Prediction(distances.mean(1), sum(maps) / len(maps))

    train = Phase(update, finish, augment=False)
    return Method(init, {"train": train}, score_images, shared=frozenset({"backbone"}))


def _counted(x: Float[Array, "b i j d"], valid: Array) -> Float[Array, "b p d"]:
    """Patches that count nowhere become copies of the first that counts: a gallery of them holds nothing else."""
    b, i, j, d = x.shape
    rows, valid = x.reshape(b, i * j, d), valid.reshape(b, i * j)
    first = jnp.take_along_axis(rows, valid.argmax(1)[:, None, None], 1)
    return jnp.where(valid[..., None], rows, first)


def matched(
    x: Float[Array, "b i j d"], gallery: Float[Array, "n p d"], similar: Int[Array, "b k"]
) -> Float[Array, "b i j"]:
    """Distances to the nearest patch of each image's own choice of the gallery, one image after another."""
    b, i, j, d = x.shape

    def match(pair):
        patches, images = pair
        return nearest(patches, gallery[images].reshape(-1, d))[0][:, 0]

    return jax.lax.map(match, (x.reshape(b, i * j, d), similar)).reshape(b, i, j)
