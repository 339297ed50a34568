"""Autoencoder with skip connections that removes stains (Collin, De Vleeschouwer 2020, arXiv 2008.12977).

Axes: b batch, h height, w width, c channels.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from adjax.losses import weighted_map, weighted_terms
from adjax.losses.names import parse
from adjax.nets.skip_autoencoder import RATES, SkipAutoencoder
from adjax.optim import gradient_update, learner, weights
from adjax.pooling import pool, valid_pixels
from adjax.synthesis import TEXTURED, batched
from adjax.synthesis import synthesis as named
from adjax.types import Batch, Info, Key, Method, Phase, Prediction


def stain_ae(
    *,
    tx: optax.GradientTransformation,
    synthesis: str = "stain",
    noise: float = 0.0,
    passes: int = 0,
    rates: tuple[float, ...] = RATES,
    skips: bool = True,
    width: float = 1.0,
    loss: str = "l2",
    score: str = "l1",
    rule: str = "max",
    ema_decay: float = 0.0,
) -> Method:
    """Learns to give back the image without what `synthesis` planted in it, which lets it keep skip connections.

    The map is the residual `score`; with `passes` it is the variance of so many reconstructions under dropout of
    `rates`, which training does without (the paper takes 30). `noise` is the standard deviation of Gaussian noise in
    both the input and what is to be given back, see filtering_ae.
    """
    loss_weights = parse(loss)
    residual, errors = weighted_map(parse(score)), weighted_terms(loss_weights)
    network, plant = SkipAutoencoder(width, skips, tuple(rates)), batched(named(synthesis))

    def init(key: Key, batch: Batch, info: Info):
        del info
        variables = network.init(key, batch["image"][:1])
        return learner(variables["params"], tx, stats=variables["batch_stats"], ema_decay=ema_decay)

    def terms(params, stats, batch: Batch, key: Key):
        k_plant, k_noise = jax.random.split(key)
        image = batch["image"]
        stained = plant(k_plant, image, batch.get("texture")).image
        grain = noise * jax.random.normal(k_noise, image.shape)
        variables = {"params": params, "batch_stats": stats}
        clean, after = network.apply(variables, stained + grain, train=True, mutable=["batch_stats"])
        return errors(clean, image + grain, batch.get("_ignore")), after["batch_stats"]

    def variables_of(state):
        return {"params": weights(state), "batch_stats": state.stats}

    def reconstruct(state, batch: Batch, keys):
        del keys
        return network.apply(variables_of(state), batch["image"])

    def uncertainty(state, batch: Batch, keys):
        """Of the passes, the mean over channels."""
        variables = variables_of(state)
        one = lambda x, key: network.apply(variables, x[None], drop=True, rngs={"dropout": key})[0]
        return variance(one, batch["image"], keys, passes).mean(-1)

    def score_images(state, batch: Batch, keys) -> Prediction:
        rebuilt = reconstruct(state, batch, keys)
        anomaly_map = (
            uncertainty(state, batch, keys) if passes else residual(rebuilt, batch["image"], batch.get("_ignore"))
        )
        scores = pool(anomaly_map, rule, valid_pixels(batch))
        return Prediction(scores, anomaly_map, {"reconstruction": rebuilt})

    update = gradient_update(terms, tx, loss_weights=loss_weights, ema_decay=ema_decay)
    needs = frozenset({"texture"} if synthesis in TEXTURED else ())
    return Method(init, {"train": Phase(update)}, score_images, reconstruct, needs=needs)


def variance(
    draw: Callable[[Array, Array], Array], image: Float[Array, "b h w c"], keys, number: int
) -> Float[Array, "b h w c"]:
    """Of `number` random images `draw(image, key)`, in one running computation (Welford's)."""

    def step(carry, index):
        mean, squares = carry
        drawn = jax.vmap(draw)(image, jax.vmap(lambda key: jax.random.fold_in(key, index))(keys))
        change = drawn - mean
        mean = mean + change / (index + 1).astype(jnp.float32)
        return (mean, squares + change * (drawn - mean)), None

    (_, squares), _ = jax.lax.scan(step, (jnp.zeros_like(image), jnp.zeros_like(image)), jnp.arange(number))
    return squares / number
