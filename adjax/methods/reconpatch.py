"""After ReConPatch (Hyun et al. 2024, arXiv 2305.16713): PatchCore on features that a linear layer was taught.

Axes: b batch, i grid height, j grid width, n patches, d channels, e channels learned.

The layer brings patches together that a moving average of it finds alike, by distance and by common neighbours, and
parts others. There is no code of the authors, and two public versions contradict each other: the temperature, the
number of neighbours, the margin and the average's decay are not to be taken for theirs.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float, Int

from adjax.backbones import lazily
from adjax.fitted import reservoir
from adjax.losses.contrastive import degrees, relaxed_contrastive
from adjax.methods import banks
from adjax.methods.patchcore import check, judged, selected
from adjax.nets.patches import aligned, neighbourhood_mean, valid_patches
from adjax.optim import Learner, gradient_update, learner
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError


class Head(nn.Module):
    """f, which is kept, and g, from whose output the loss is computed."""

    channels: int

    def setup(self):
        self.f, self.g = nn.Dense(self.channels), nn.Dense(self.channels)

    def __call__(self, x: Float[Array, "n d"]) -> Float[Array, "n e"]:
        return self.g(self.f(x))

    def mapped(self, x: Float[Array, "... d"]) -> Float[Array, "... e"]:
        return self.f(x)


class State(NamedTuple):
    backbone: Any
    head: Learner
    bank: reservoir.Reservoir
    left: Int[Array, ""]  # images to come of the first pass of phase "bank"


def reconpatch(
    *,
    tx: optax.GradientTransformation,
    backbone: str = "efficientnet_lite0",
    layers: tuple[str, ...] = ("stage3", "stage5"),
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    dimensions: int = 512,
    patches: int = 512,
    nearest: int = 5,
    temperature: float = 1.0,
    alpha: float = 0.5,
    margin: float = 1.0,
    ema_decay: float = 0.99,
    ratio: float = 0.01,
    memory_mb: float = 0.0,
    neighbours: int = 1,
    reweight: int = 1,
    score: str = "distance",
    sigma: float = 4.0,
    rule: str = "max",
) -> Method:
    """`dimensions`: of the learned features. `patches`: of a batch, that one step learns from. `nearest`: of a patch,
    by which contexts are compared. `alpha`: the share of the distance in how alike two patches are, exp(-|a - b|² /
    temperature); the rest is their contexts'. `margin`: of mean distances, beyond which patches no longer repel each
    other. Phase "bank" is PatchCore's, as are the other arguments.
    """
    check(score, reweight, rule)
    if not 1 <= nearest <= patches:
        raise UserError(f"nearest={nearest} of patches={patches} of reconpatch; choose 1 to patches")
    network, head = lazily(backbone, layers, weights, maps=layers, rgb=rgb), Head(dimensions)

    def features(state: State, batch: Batch) -> Float[Array, "b i j d"]:
        found = network().apply(state.backbone, batch["image"])
        return aligned({name: neighbourhood_mean(found[name]) for name in layers}, "bilinear")

    def embed(state: State, batch: Batch) -> Float[Array, "b i j e"]:
        return head.apply({"params": state.head.params}, features(state, batch), method=head.mapped)

    def init(key: Key, batch: Batch, info: Info) -> State:
        variables = network().variables
        _, i, j, d = jax.eval_shape(features, State(variables, None, None, None), batch).shape
        net = learner(head.init(key, jnp.zeros((1, d)))["params"], tx, ema_decay=ema_decay)
        return State(variables, net, *banks.empty(info, i * j, dimensions, memory_mb))

    def loss(params, stats, rows, key: Key, teacher):
        del key
        z = head.apply({"params": params}, rows["patch"])
        degree = degrees(head.apply({"params": teacher}, rows["patch"]), nearest, temperature, alpha)
        return {"contrastive": relaxed_contrastive(z, degree, margin)}, stats

    step = gradient_update(loss, tx, loss_weights={"contrastive": 1.0}, ema_decay=ema_decay)

    def train(state: State, batch: Batch, key: Key):
        k_draw, k_step = jax.random.split(key)
        found = features(state, batch)
        valid = (batch["_mask"][:, None, None] & valid_patches(batch, found.shape[1:3])).reshape(-1)
        order = jax.random.uniform(k_draw, valid.shape) + valid.astype(jnp.float32)  # those that count come first
        _, drawn = jax.lax.top_k(order, min(patches, len(valid)))
        rows = {"patch": found.reshape(len(valid), -1)[drawn], "_mask": valid[drawn]}
        net, scalars = step(state.head, rows, k_step, state.head.average)
        return state._replace(head=net), scalars

    def collect(state: State, batch: Batch, key: Key):
        return banks.collect_patches(state, embed(state, batch), batch, key)

    def finish(state: State, key: Key) -> State:
        return state._replace(bank=selected(state.bank, ratio, key))

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        rules = {"neighbours": neighbours, "reweight": reweight, "score": score, "sigma": sigma, "rule": rule}
        return judged(embed(state, batch), state.bank.rows, batch, **rules)

    phases = {"train": Phase(train, augment=False), "bank": Phase(collect, finish, augment=False)}
    return Method(init, phases, score_images, embed=embed, shared=frozenset({"backbone"}))
