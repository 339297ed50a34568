"""Memory-augmented autoencoder (Gong et al. 2019, arXiv 1904.02639): few learned prototypes rebuild the image.

Axes: b batch, h height, w width, c channels, n items of the memory.
"""

import jax.numpy as jnp
import optax

from adjax.losses import term_entropy, weighted_map, weighted_terms
from adjax.losses.names import parse
from adjax.nets.memory_autoencoder import MemoryAutoencoder
from adjax.optim import gradient_update, learner, masked_mean, weights
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction


def memae(
    *,
    tx: optax.GradientTransformation,
    items: int = 2000,
    shrink: float = 2.0,
    similarity: str = "dot",
    temperature: float = 1.0,
    entropy: float = 5e-5,
    width: float = 1.0,
    loss: str = "l2",
    score: str = "",
    rule: str = "max",
    ema_decay: float = 0.0,
) -> Method:
    """`loss` and `score` as in conv_ae; `entropy` weighs the sharpness of addressing.

    The published weight is 2e-4 beside errors of images in [-1, 1], which are four times ours. `shrink` counts in
    equal shares, 1 / items: the paper has 1 to 3, the public code 5. The scalar `unaddressed` is the share of the
    code's places whose weights were all shrunk to 0. Nothing is learned there: with 5 that is most places at first,
    and with little training it stays so.
    """
    pixel_weights = parse(loss)
    residual, errors = weighted_map(parse(score or loss)), weighted_terms(pixel_weights)
    network = MemoryAutoencoder(items, shrink / items, similarity, temperature, width)

    def init(key: Key, batch: Batch, info: Info):
        del info
        variables = network.init(key, batch["image"][:1])
        stats = {"batch_stats": variables["batch_stats"], "unaddressed": jnp.zeros(())}
        return learner(variables["params"], tx, stats=stats, ema_decay=ema_decay)

    def terms(params, stats, batch: Batch, key: Key):
        del key
        variables = {"params": params, "batch_stats": stats["batch_stats"]}
        (rebuilt, asked), after = network.apply(variables, batch["image"], train=True, mutable=["batch_stats"])
        nothing = (asked.max(-1) == 0.0).mean((1, 2))
        stats = {"batch_stats": after["batch_stats"], "unaddressed": masked_mean(nothing, batch["_mask"])}
        return errors(rebuilt, batch["image"], batch.get("_ignore")) | {"entropy": term_entropy(asked)}, stats

    descend = gradient_update(terms, tx, loss_weights=pixel_weights | {"entropy": entropy}, ema_decay=ema_decay)

    def update(state, batch: Batch, key: Key):
        state, scalars = descend(state, batch, key)
        return state, scalars | {"unaddressed": state.stats["unaddressed"]}

    def run(state, batch: Batch):
        variables = {"params": weights(state), "batch_stats": state.stats["batch_stats"]}
        return network.apply(variables, batch["image"])

    def reconstruct(state, batch: Batch, keys):
        del keys
        return run(state, batch)[0]

    def score_images(state, batch: Batch, keys) -> Prediction:
        rebuilt = reconstruct(state, batch, keys)
        anomaly_map = residual(rebuilt, batch["image"], batch.get("_ignore"))
        scores = pool(anomaly_map, rule, valid_pixels(batch))
        return Prediction(scores, anomaly_map, {"reconstruction": rebuilt})

    return Method(init, {"train": Phase(update)}, score_images, reconstruct)
