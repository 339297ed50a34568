"""Variational autoencoder (Kingma, Welling 2013, arXiv 1312.6114), scored by its bound, gradients or attention.

Axes: b batch, h height, w width, c channels.
"""

import jax.numpy as jnp
import optax

from adjax.losses import term_kl, weighted_terms
from adjax.losses.names import parse
from adjax.methods.variational import SUMMED, Bound, chosen, inattention_map
from adjax.nets.vae import VariationalAutoencoder, reparameterised
from adjax.optim import gradient_update, learner, weights
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction


def vae(
    *,
    tx: optax.GradientTransformation,
    latent: int = 100,
    width: float = 1.0,
    spatial: bool = False,
    loss: str = "l2",
    sigma: float = 0.1,
    beta: float = 1.0,
    warmup: int = 0,
    attention: float = 0.0,
    score: str = "reconstruction",
    samples: int = 0,
    layer: int = 4,
    rule: str = "max",
    ema_decay: float = 0.0,
) -> Method:
    """The negative bound is minimised in nats per pixel value: loss / (2 sigma²) + beta KL / (h w c).

    `loss`, a weighted sum of names in losses.LOSSES, is a mean over the h w c values of an image, so that "l2" is the
    Gaussian bound itself (its constant left out) and any other loss the energy of a likelihood of its own. `beta`
    rises from 0 in the first `warmup` updates. `attention` weighs CAVGA's attention expansion, the mean of 1 - A
    (after the paper: no adversarial term).

    `score` is a name in variational.SCORES, or a loss such as "ssim": the map of the reconstruction under it. "elbo"
    and "kl" give the image their sum, in nats; under tiles or smoothing they are pooled as all maps are. `samples`
    draws of the code are averaged; 0 takes its mean. `layer` is the encoder's convolution that attention looks at.
    """
    loss_weights = parse(loss)
    errors, (map_of, likelihood) = weighted_terms(loss_weights), chosen(score, loss_weights, sigma)
    all_weights = {name: weight / (2 * sigma**2) for name, weight in loss_weights.items()} | {"kl": beta}
    if attention:
        all_weights["attention"] = attention
    network = VariationalAutoencoder(latent=latent, width=width, spatial=spatial)

    def bound(params) -> Bound:
        return Bound(network, params, likelihood, beta, layer, samples)

    def init(key: Key, batch: Batch, info: Info):
        del info
        params = network.init(key, batch["image"][:1])["params"]
        return learner(params, tx, ema_decay=ema_decay)

    def terms(params, stats, batch: Batch, key: Key, warm):
        image, q = batch["image"], bound(params)
        mean, log_variance = q.apply(image, method="encode")
        rebuilt = q.apply(reparameterised(mean, log_variance, key), image.shape[1:], method="decode")
        found = errors(rebuilt, image, batch.get("_ignore"))
        found["kl"] = warm * term_kl(mean, log_variance) / image[0].size
        if attention:
            found["attention"] = inattention_map(q, image, None).mean((1, 2))
        return found, stats

    step = gradient_update(terms, tx, loss_weights=all_weights, ema_decay=ema_decay)

    def update(state, batch: Batch, key: Key):
        return step(state, batch, key, jnp.minimum(1.0, (state.step + 1).astype(jnp.float32) / max(1, warmup)))

    def reconstruct(state, batch: Batch, keys):
        del keys
        return network.apply({"params": weights(state)}, batch["image"])

    def score_images(state, batch: Batch, keys) -> Prediction:
        anomaly_map, valid = map_of(bound(weights(state)), batch["image"], keys), valid_pixels(batch)
        summed = jnp.sum(jnp.where(valid, anomaly_map, 0.0), axis=(1, 2))
        scores = summed if score in SUMMED else pool(anomaly_map, rule, valid)
        return Prediction(scores, anomaly_map, {"reconstruction": reconstruct(state, batch, keys)})

    def embed(state, batch: Batch):
        mean, _ = bound(weights(state)).apply(batch["image"], method="encode")
        return mean.reshape(mean.shape[0], -1)

    return Method(init, {"train": Phase(update)}, score_images, reconstruct, embed)
