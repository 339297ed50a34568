"""DRAEM (Zavrtanik, Kristan, Skočaj 2021, arXiv 2108.07610): rebuild without the planted texture, then segment it.

Axes: b batch, h height, w width, c channels.
"""

import jax
import jax.numpy as jnp
import optax

from adjax.losses import term_focal, weighted_terms
from adjax.losses.filters import blur
from adjax.losses.names import parse
from adjax.nets.draem import BASE, MULTIPLES, Draem
from adjax.optim import gradient_update, learner, weights
from adjax.pooling import pool, valid_pixels
from adjax.synthesis import TEXTURED, batched, sometimes
from adjax.synthesis import synthesis as named
from adjax.types import Batch, Info, Key, Method, Phase, Prediction


def draem(
    *,
    tx: optax.GradientTransformation,
    synthesis: str = "draem",
    share: float = 0.5,
    base: int = BASE,
    multiples: tuple[int, ...] = MULTIPLES,
    loss: str = "l2 + ssim",
    focal: float = 1.0,
    window: int = 21,
    rule: str = "max",
    ema_decay: float = 0.0,
) -> Method:
    """An update plants the synthesis in a `share` of the images. `loss` is the reconstruction's, `focal` weighs the
    segmentation's (gamma 2, both classes alike), whose gradient flows into both networks.

    The map is the probability of "anomalous"; the score is pooled from it after a mean over `window` x `window`, with
    the border reflected (the public code pads with zeros, so that anomalies at the border count less).
    """
    pixel_weights = parse(loss)
    errors, network = weighted_terms(pixel_weights), Draem(base, tuple(multiples))
    plant = batched(sometimes(named(synthesis), share))

    def init(key: Key, batch: Batch, info: Info):
        del info
        variables = network.init(key, batch["image"][:1])
        return learner(variables["params"], tx, stats=variables["batch_stats"], ema_decay=ema_decay)

    def terms(params, stats, batch: Batch, key: Key):
        image = batch["image"]
        planted = plant(key, image, batch.get("texture"))
        variables = {"params": params, "batch_stats": stats}
        (rebuilt, logits), after = network.apply(variables, planted.image, train=True, mutable=["batch_stats"])
        found = term_focal(logits[..., 1] - logits[..., 0], planted.mask.astype(jnp.float32))
        return errors(rebuilt, image, batch.get("_ignore")) | {"focal": found}, after["batch_stats"]

    def run(state, batch: Batch):
        return network.apply({"params": weights(state), "batch_stats": state.stats}, batch["image"])

    def reconstruct(state, batch: Batch, keys):
        del keys
        return run(state, batch)[0]

    def score_images(state, batch: Batch, keys) -> Prediction:
        del keys
        rebuilt, logits = run(state, batch)
        anomaly_map = jax.nn.sigmoid(logits[..., 1] - logits[..., 0])
        smooth = blur(anomaly_map[..., None], (1 / window,) * window, pad=True)[..., 0]
        scores = pool(smooth, rule, valid_pixels(batch))
        return Prediction(scores, anomaly_map, {"reconstruction": rebuilt})

    update = gradient_update(terms, tx, loss_weights=pixel_weights | {"focal": focal}, ema_decay=ema_decay)
    needs = frozenset({"texture"} if synthesis in TEXTURED else ())
    return Method(init, {"train": Phase(update)}, score_images, reconstruct, needs=needs)
