"""One vector of an image, and a classical model of the good ones: SVM, isolation forest, density, LOF or neighbours.

Axes: b batch, n images, d dimensions, k components.

Vectors: the spatial mean of a pretrained network's features, a histogram of hue, saturation and value, or whatever
`after` puts into the batch field "features". They are standardised by the learning images, as scikit-learn does it: a
channel that hardly varied among those weighs by thousands of deviations where it does, and may decide a score alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from adjax.backbones import lazily
from adjax.fitted import forest, kde, lof, reservoir, standard, svm
from adjax.fitted.histogram import histograms
from adjax.fitted.neighbours import nearest
from adjax.methods import banks
from adjax.nets.patches import pooled
from adjax.pooling import valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError

DESCRIPTORS = ("backbone", "hsv", "features")
# Principal components, where `components` is None. A density in many dimensions needs far more images than there are,
# and a forest's splits along one axis say little of correlated features; distances need no rotation.
COMPONENTS = {"svm": 0, "forest": 32, "kde": 16, "lof": 0, "knn": 0}


class State(NamedTuple):
    backbone: Any
    bank: reservoir.Reservoir  # vectors of whole images; once finished, one of them
    left: Int[Array, ""]  # images to come of the first pass; no more are taken
    standard: standard.Standard
    model: Any


class Model(NamedTuple):
    """A model of vectors on one scale."""

    empty: Any  # the structure of what `fit` gives
    fit: Callable[[Float[np.ndarray, "n k"], int], Any]  # (vectors, seed)
    score: Callable[[Any, Float[Array, "b k"]], Float[Array, "b"]]


def one_class(
    *,
    model: str = "svm",
    descriptor: str = "backbone",
    backbone: str = "efficientnet_lite0",
    layers: tuple[str, ...] = ("pool",),
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    bins: int = 32,
    components: int | None = None,
    nu: float = 0.5,
    trees: int = 100,
    bandwidth: str | float = "scott",
    neighbours: int | None = None,
    memory_mb: float = 0.0,
    rule: str = "max",
) -> Method:
    """`model`: "svm", "forest", "kde", "lof" or "knn". There is no map, so `rule` changes nothing.

    `components`: whitened principal ones that the model sees, 0 for all dimensions, standardised; None: COMPONENTS, but
    0 for histograms. `nu` (of "svm"), `trees` ("forest") and `neighbours` ("lof": 20) are scikit-learn's defaults;
    "knn" takes the nearest alone. `nu` bounds the share of learning images that score above 0: it is no promise about
    new ones. `bandwidth` (of "kde"): the rule of "scott" or "silverman", or a number. Results of a forest change by
    points of AUROC from seed to seed where images are few: give it more `trees`, or average over seeds.
    """
    del rule
    if descriptor not in DESCRIPTORS:
        raise UserError(f"unknown descriptor {descriptor!r} of one_class; choose from {', '.join(DESCRIPTORS)}")
    kde.check(bandwidth)
    models = _models(nu, trees, bandwidth, neighbours)
    if model not in models:
        raise UserError(f"unknown model {model!r} of one_class; choose from {', '.join(models)}")
    chosen = models[model]
    if components is None:
        components = 0 if descriptor == "hsv" else COMPONENTS[model]
    network = lazily(backbone, layers, weights, rgb=rgb)

    def describe(state: State, batch: Batch) -> Float[Array, "b d"]:
        if descriptor == "hsv":
            return histograms(batch["image"], valid_pixels(batch), bins)
        found = {"": batch["features"]} if descriptor == "features" else network().apply(state.backbone, batch["image"])
        return jnp.concatenate(list(pooled(found, batch).values()), axis=1)

    def init(key: Key, batch: Batch, info: Info) -> State:
        del key
        state = State(network().variables if descriptor == "backbone" else {}, None, None, None, chosen.empty)
        d = jax.eval_shape(describe, state, batch).shape[1]
        bank, left = banks.empty(info, 1, d, memory_mb)
        return state._replace(bank=bank, left=left, standard=standard.empty(d, components))

    def update(state: State, batch: Batch, key: Key):
        return banks.collect_images(state, describe(state, batch), batch, key)

    def finish(state: State, key: Key) -> State:
        vectors = np.asarray(reservoir.contents(state.bank))
        scale = standard.fit(vectors, components)
        seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
        fitted = chosen.fit(np.asarray(standard.apply(scale, vectors)), seed)
        bank = state.bank._replace(rows=state.bank.rows[:1])  # a checkpoint holds no empty arrays
        return state._replace(bank=bank, standard=scale, model=fitted)

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        return Prediction(chosen.score(state.model, standard.apply(state.standard, describe(state, batch))), None)

    train = Phase(update, finish, augment=False)
    needs = frozenset({"features"} if descriptor == "features" else ())
    return Method(init, {"train": train}, score_images, None, describe, needs, frozenset({"backbone"}))


def _models(nu: float, trees: int, bandwidth: str | float, number: int | None) -> Mapping[str, Model]:
    near, around = number or 1, number or 20

    def to_nearest(rows: Float[Array, "n k"], x: Float[Array, "b k"]) -> Float[Array, "b"]:
        return nearest(x, rows, min(near, len(rows)))[0].mean(1)

    return {
        "svm": Model(_blank(svm.Svm), lambda x, seed: svm.fit(x, nu=nu), svm.score),
        "forest": Model(_blank(forest.Forest), lambda x, seed: forest.fit(x, trees=trees, seed=seed), forest.score),
        "kde": Model(_blank(kde.Kde), lambda x, seed: kde.fit(x, bandwidth=bandwidth), kde.score),
        "lof": Model(
            _blank(lof.Lof),
            lambda x, seed: lof.fit(x, neighbours=around),
            lambda fitted, x: lof.score(fitted, x, neighbours=around),
        ),
        "knn": Model(np.zeros(1, np.float32), lambda x, seed: jnp.asarray(x), to_nearest),
    }


def _blank(kind: type) -> Any:
    """Before the fit: the fields, without their shapes."""
    return kind(*(np.zeros(1, np.float32) for _ in kind._fields))
