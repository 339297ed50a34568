"""Convolutional autoencoder (Bergmann et al. 2018, arXiv 1807.02011): reconstruct normal patches, score the residual.

Axes: b batch, h height, w width, c channels.
"""

import optax

from adjax.losses import weighted_map, weighted_terms
from adjax.losses.names import parse
from adjax.nets.autoencoder import ConvAutoencoder
from adjax.optim import gradient_update, learner, weights
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction


def conv_ae(
    *,
    tx: optax.GradientTransformation,
    latent: int = 100,
    width: float = 1.0,
    dropout: float = 0.0,
    loss: str = "l2",
    score: str = "",
    rule: str = "max",
    ema_decay: float = 0.0,
) -> Method:
    """`loss` and `score` are weighted sums of names in losses.LOSSES, as in "ssim + 0.5*l1"; no `score` means `loss`.

    The published settings: latent 100 for woven textures and 500 for the nanofibre set, width 1, "l2" or "ssim".
    """
    loss_weights = parse(loss)
    residual, errors = weighted_map(parse(score or loss)), weighted_terms(loss_weights)
    network = ConvAutoencoder(latent=latent, width=width, dropout=dropout)

    def init(key: Key, batch: Batch, info: Info):
        del info
        params = network.init(key, batch["image"][:1])["params"]
        return learner(params, tx, ema_decay=ema_decay)

    def terms(params, stats, batch: Batch, key: Key):
        image = batch["image"]
        rebuilt = network.apply({"params": params}, image, train=True, rngs={"dropout": key})
        return errors(rebuilt, image, batch.get("_ignore")), stats

    def reconstruct(state, batch: Batch, keys):
        del keys
        return network.apply({"params": weights(state)}, batch["image"])

    def score_images(state, batch: Batch, keys) -> Prediction:
        rebuilt = reconstruct(state, batch, keys)
        anomaly_map = residual(rebuilt, batch["image"], batch.get("_ignore"))
        scores = pool(anomaly_map, rule, valid_pixels(batch))
        return Prediction(scores, anomaly_map, {"reconstruction": rebuilt})

    def embed(state, batch: Batch):
        return network.apply({"params": weights(state)}, batch["image"], method="encode")

    update = gradient_update(terms, tx, loss_weights=loss_weights, ema_decay=ema_decay)
    return Method(init, {"train": Phase(update)}, score_images, reconstruct, embed)
