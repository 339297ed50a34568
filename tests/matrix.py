"""One small task for every method: faint planted defects on stripes, that no trivial detector finds.

Axes: b batch, h height, w width.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adjax import parallel
from adjax.methods import METHODS
from adjax.types import Info, Method

SIDE, BATCH, STEPS = 32, 16, 150
PASSES = 2 * 128 // BATCH  # steps in which a phase that learns nothing by gradient sees all images twice
OPTIMISED = {"xla_backend_optimization_level": 1}  # conftest has 0: for a program that runs often it is too slow
# What a factory takes of it, it gets.
SMALL = {"tx": optax.adam(4e-3), "width": 0.25, "latent": 24, "base": 2, "multiples": (1, 2)}
SMALL |= {"levels": (4, 8, 16), "window": 5, "cells": (4,)}  # the sizes in px: defaults are for 256 px
SMALL |= {"padding": True}  # for small images
# Of a pretrained network; later layers take longer.
SMALL |= {"backbone": "efficientnet_lite0", "layers": ("stage1", "stage2"), "image_layer": "stage2", "blocks": 1}
SMALL |= {"channels": 40, "words": 20, "variance": 0.999, "dimensions": 32, "patches": 64, "rotations": 1}
SMALL |= {"sizes": (17,), "sides": (1, 2), "crops": 16, "region_side": 8, "students": 2}  # patches of images of 32 px
DIFFUSED = {"unet": {"features": (32,), "blocks": 0, "attention": (), "heads": 0, "patch": 4}}
DIFFUSED |= {"trained": 400, "top": 100, "calls": 2, "draws": 4}  # of 1000 steps of diffusion
DIFFUSED |= {"noise": "gaussian"}  # simplex noise takes as long to compile as all the rest: test_anoddpm.py has it
# Where a network of a teacher's kind is trained: quick to compile, and the teacher from no file.
STUDENT = {"backbone": "resnet18", "weights": "random", "layers": ("stem", "layer1"), "width": 1 / 32}
PATCHES = STUDENT | {"width": 1 / 16}
# Where features are rebuilt, many a gradient is as small as its rounding error: Adam's first step follows its sign.
DECODER = {"tx": optax.adam(4e-3, eps=1e-5)}


@functools.cache  # jax.jit compiles a function once; built anew it is another function
def build(factory: Callable) -> Method:
    known = inspect.signature(factory).parameters
    student = {"tx", "weights"} <= known.keys() and "dimensions" not in known  # not where what learns is on top of it
    kinds = {"decoder": DECODER, "unet": DIFFUSED, "words": {"side": 32}, "sizes": PATCHES}
    small = SMALL | next((more for name, more in kinds.items() if name in known), STUDENT if student else {})
    return factory(**{name: value for name, value in small.items() if name in known})


def normals(number: int, seed: int) -> np.ndarray:
    """Stripes of one period and direction; phase (a little), brightness and contrast vary: f32[b h w 1]."""
    random = np.random.default_rng([seed, 1])
    phase = random.normal(0, 0.3, (number, 1, 1))
    x = np.arange(SIDE)
    wave = np.sin(2 * np.pi * (x[None, :, None] + 0.5 * x[None, None]) / 8 + phase)
    level, contrast = random.uniform(0.4, 0.6, (number, 1, 1)), random.uniform(0.14, 0.2, (number, 1, 1))
    noise = random.normal(0, 0.01, (number, SIDE, SIDE))
    return (level + contrast * wave + noise)[..., None].astype(np.float32)


def planted(images: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A disc of radius 5 in which the stripes run the other way: grey values and contrast stay as they are."""
    random = np.random.default_rng([seed, 2])
    y, x = np.mgrid[:SIDE, :SIDE]
    images, masks = images.copy(), np.zeros(images.shape[:3], bool)
    for i in range(len(images)):
        cy, cx = random.uniform(7, SIDE - 7, 2)
        masks[i] = (y - cy) ** 2 + (x - cx) ** 2 <= 25
        images[i][masks[i]] = images[i].transpose(1, 0, 2)[::-1][masks[i]]
    return images, masks


def textures(number: int, seed: int) -> np.ndarray:
    """For methods that plant textures: squares of 4 pixels, each of one grey: f32[b h w 1]."""
    squares = np.random.default_rng([seed, 3]).uniform(size=(number, SIDE // 4, SIDE // 4, 1))
    return squares.repeat(4, axis=1).repeat(4, axis=2).astype(np.float32)


class Fitted(NamedTuple):
    state: Any
    losses: list[dict[str, float]]
    programs: list[str]  # of each phase's step, as XLA prints it


def start(method: Method, seed: int = 0) -> Any:
    """A fresh state, on the host."""
    info = Info({"train": 128, "calibration": 128}, dict.fromkeys(method.phases, STEPS), BATCH)
    images = batch(normals(BATCH, seed=7))
    key = jax.random.key(seed, impl="rbg")  # as fit does: quick to compile
    return jax.device_get(jax.jit(lambda k: method.init(k, images, info))(key))


def train(method: Method, state: Any = None, *, steps: int = STEPS, devices: int = 1, seed: int = 0) -> Fitted:
    """All phases, from a state of `start`, on batches that any number of devices sees alike."""
    mesh = parallel.mesh(jax.devices()[:devices])
    state = start(method, seed) if state is None else state
    state = jax.device_put(state, parallel.whole(mesh), may_alias=False)  # it is given away below
    key, whole, losses, programs = jax.random.key(seed), parallel.whole(mesh), [], []
    for index, phase in enumerate(method.phases.values()):
        k_phase = jax.random.fold_in(key, index + 1)
        update = jax.jit(phase.update, donate_argnums=0, out_shardings=(whole, whole))
        rows = parallel.put(draw(method, [seed, index, 0]), mesh)
        update = update.lower(state, rows, k_phase).compile(OPTIMISED if devices == 1 else None)
        programs.append(update.as_text())
        for step in range(steps):
            rows = parallel.put(draw(method, [seed, index, step]), mesh)
            state, scalars = update(state, rows, jax.random.fold_in(k_phase, step))
            losses.append(scalars)
            if "loss/total" not in scalars and step + 1 == PASSES:
                break
        state = phase.finish(state, jax.random.fold_in(k_phase, steps))
    return Fitted(state, jax.device_get(losses), programs)


def draw(method: Method, numbers: list[int]) -> dict[str, np.ndarray]:
    """A batch to learn from: what the method asks for."""
    images = learned()[np.random.default_rng(numbers).integers(0, 128, BATCH)]
    other = textures(BATCH, numbers[-1])
    rows = {"image": images, "_mask": np.ones(BATCH, bool), "texture": other, "penalty": other}
    return {name: rows[name] for name in ("image", "_mask", *method.needs)}


@functools.cache
def learned() -> np.ndarray:
    return normals(128, seed=7)


@functools.cache
def started(name: str) -> Any:
    return start(build(METHODS[name]))


@functools.cache
def fitted(name: str) -> Fitted:
    """A method of the table, trained once in a process: its tests belong into one group of pytest-xdist."""
    return train(build(METHODS[name]), started(name))


def batch(images) -> dict:
    """Every field that a method may ask for."""
    other = jnp.asarray(textures(len(images), 0))
    more = {"texture": other, "penalty": other}
    return {"image": jnp.asarray(images), "_mask": jnp.ones(len(images), bool)} | more


def score(method: Method, state, images, ids=None):
    """Scores with the randomness of the images' ids."""
    ids = np.arange(len(images)) if ids is None else ids
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(5), i))(jnp.asarray(ids))
    return jax.device_get(jax.jit(method.score)(state, batch(images), keys))


def detection(method: Method, state) -> float:
    """Image AUROC on 16 normal and 16 planted images, by counting pairs."""
    clean = normals(32, seed=11)
    defective, _ = planted(clean[16:], seed=11)
    good, bad = (score(method, state, images).score for images in (clean[:16], defective))
    return float(np.mean((bad[:, None] > good) + 0.5 * (bad[:, None] == good)))
