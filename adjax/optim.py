"""The gradient step that every trained method shares, and optimisers by name.

`gradient_update` is the one place that differentiates a loss. A loss is unreduced: it returns named terms of shape
[b]; the weighted sum of their means over the batch's real rows is minimised, and each mean is logged as `loss/<name>`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from adjax.types import Batch, Key, Scalars, UserError


class Learner(NamedTuple):
    """A network under training; a field of a method's state, or the whole of it."""

    params: Any
    stats: Any  # what the network keeps besides: batch statistics; {} without them
    opt_state: Any
    average: Any  # exponential moving average of params, () when none is kept
    step: Int[Array, ""]


def learner(params, tx: optax.GradientTransformation, *, stats=None, ema_decay: float = 0.0) -> Learner:
    average = params if ema_decay else ()
    # A copy: params and average may not share buffers, since fit donates the state.
    average = jax.tree.map(jnp.copy, average)
    return Learner(params, {} if stats is None else stats, tx.init(params), average, jnp.zeros((), jnp.int32))


def weights(net: Learner):
    """What to score with: the moving average where one is kept, else the trained parameters."""
    return net.average if jax.tree.leaves(net.average) else net.params


def masked_mean(values: Float[Array, "b"], mask: Bool[Array, "b"]) -> Float[Array, ""]:
    """Mean over the real rows of a batch; 0 for a batch that is all padding."""
    return jnp.sum(jnp.where(mask, values, 0.0)) / jnp.maximum(jnp.sum(mask), 1).astype(values.dtype)


def gradient_update(
    loss: Callable,
    tx: optax.GradientTransformation,
    *,
    loss_weights: Mapping[str, float],
    ema_decay: float = 0.0,
) -> Callable[..., tuple[Learner, Scalars]]:
    """An update `(net, batch, key, *rest) -> (net, scalars)` that descends `loss`.

    `loss(params, stats, batch, key, *rest) -> (terms, stats)` with terms {name: f32[b]}, one per key of `loss_weights`.
    The moving average warms up: its decay at step t is min(ema_decay, (1 + t) / (10 + t)).
    """

    def update(net: Learner, batch: Batch, key: Key, *rest) -> tuple[Learner, Scalars]:
        def total(params):
            terms, stats = loss(params, net.stats, batch, key, *rest)
            means = {name: masked_mean(term, batch["_mask"]) for name, term in terms.items()}
            return sum(loss_weights[name] * mean for name, mean in means.items()), (means, stats)

        (value, (means, stats)), grads = jax.value_and_grad(total, has_aux=True)(net.params)
        # optax mixes integer counts and floats: the only place exempt from strict promotion.
        with jax.numpy_dtype_promotion("standard"):
            updates, opt_state = tx.update(grads, net.opt_state, net.params)
            params = optax.apply_updates(net.params, updates)
        scalars = {f"loss/{name}": mean for name, mean in means.items()} | {"loss/total": value}
        average = _averaged(net, params, ema_decay)
        return Learner(params, stats, opt_state, average, net.step + 1), scalars

    return update


def _averaged(net: Learner, params, ema_decay: float):
    if not ema_decay:
        return ()
    t = net.step.astype(jnp.float32)
    decay = jnp.minimum(jnp.float32(ema_decay), (1.0 + t) / (10.0 + t))
    return jax.tree.map(lambda old, new: decay.astype(new.dtype) * (old - new) + new, net.average, params)


def optimizer(
    *,
    steps: int,
    name: str = "adam",
    learning_rate: float = 2e-4,
    schedule: str = "constant",
    warmup: int = 0,
    weight_decay: float = 0.0,
    clip_norm: float = 0.0,
    momentum: float = 0.9,
) -> optax.GradientTransformation:
    """An optimiser whose schedule ends after `steps` updates; "drop" has a tenth of the rate in the last 5 % of them.

    adam and sgd add `weight_decay` to the gradient, as PyTorch's Adam(weight_decay=...) does; adamw decouples it.
    `momentum` is Adam's first beta, too.
    """
    schedules = {
        "constant": lambda: optax.constant_schedule(learning_rate),
        "cosine": lambda: optax.cosine_decay_schedule(learning_rate, max(1, steps - warmup)),
        "drop": lambda: optax.piecewise_constant_schedule(learning_rate, {int(0.95 * steps): 0.1}),
        "linear": lambda: optax.linear_schedule(learning_rate, 0.0, max(1, steps - warmup)),
    }
    if schedule not in schedules:
        raise UserError(f"unknown schedule '{schedule}'; choose from {', '.join(schedules)}")
    rate = schedules[schedule]()
    if warmup:
        rate = optax.join_schedules([optax.linear_schedule(0.0, learning_rate, warmup), rate], [warmup])
    decayed = [optax.add_decayed_weights(weight_decay)] if weight_decay else []
    rules = {
        "adam": lambda: [*decayed, optax.scale_by_adam(b1=momentum)],
        "adamw": lambda: [optax.scale_by_adam(b1=momentum), *decayed],
        "sgd": lambda: [*decayed, optax.trace(momentum)],
    }
    if name not in rules:
        raise UserError(f"unknown optimiser '{name}'; choose from {', '.join(rules)}")
    clip = [optax.clip_by_global_norm(clip_norm)] if clip_norm else []
    return optax.chain(*clip, *rules[name](), optax.scale_by_learning_rate(rate))
