"""Partial diffusion with simplex noise (AnoDDPM: Wyatt, Leach, Schmon, Willcocks 2022): noise, denoise, compare.

Axes: b batch, h height, w width, c channels.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from adjax.diffusion import noises, samplers, schedules
from adjax.diffusion.process import denoiser, diffused, guided
from adjax.losses import weighted_map, weighted_terms
from adjax.losses.names import parse
from adjax.nets.unet import UNet
from adjax.optim import gradient_update, learner, weights
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError


def anoddpm(
    *,
    tx: optax.GradientTransformation,
    features: tuple[int, ...] = (128, 128, 256, 256, 512, 512),
    blocks: int = 2,
    attention: tuple[int, ...] = (8, 16, 32),
    heads: int = 2,
    noise: str = "simplex",
    schedule: str = "linear",
    trained: int = 800,
    top: int = 200,
    sampler: str = "ddim",
    steps: int = 10,
    eta: float = 0.0,
    guidance: float = 0.0,
    distance: Callable[[Array, Array], Float[Array, "b h w"]] | None = None,
    draws: int = 1,
    loss: str = "l2",
    score: str = "l2",
    rule: str = "max",
    ema_decay: float = 0.9999,
    dtype: str = "float32",
    remat: bool = False,
) -> Method:
    """A network learns the `noise` in images at steps 1 to `trained` of 1000; what is scored is diffused to step `top`.

    The map is the named `score` between an image and its reconstruction, averaged over `draws` of the noise. Published
    are sampler "ddpm" and all 200 steps, which costs 20 times as much. "ddim" adds noise only with `eta`, "dpm_solver"
    none. For `guidance` and `distance` see ddad, for `features` and what follows it nets.unet: images' sides are
    multiples of 2^(levels - 1).
    """
    whole = schedules.named(schedule, 1000)
    if not 0 <= top <= trained <= whole.steps:
        raise UserError(f"top {top} and trained {trained}; choose 0 <= top <= trained <= {whole.steps}")
    part, sample, draw = schedules.respaced(whole, steps, top), samplers.named(sampler, eta), noises.named(noise)
    loss_weights = parse(loss)
    pixels, errors = weighted_map(parse(score)), weighted_terms(loss_weights)

    def network(channels: int) -> UNet:
        options = {"blocks": blocks, "attention": tuple(attention), "heads": heads, "remat": remat}
        return UNet(channels, tuple(features), dtype=jnp.dtype(dtype), **options)

    def noise_in(params):
        """What the network says."""
        return lambda x, time: network(x.shape[-1]).apply({"params": params}, x, time)

    def init(key: Key, batch: Batch, info: Info):
        del info
        image = batch["image"][:1]
        params = network(image.shape[-1]).init(key, image, jnp.zeros(1, jnp.int32))["params"]
        return learner(params, tx, ema_decay=ema_decay)

    def terms(params, stats, batch: Batch, key: Key):
        k_step, k_noise = jax.random.split(key)
        x0 = 2 * batch["image"] - 1
        t = jax.random.randint(k_step, (len(x0),), 1, trained + 1)
        time = jnp.asarray(whole.time)[t]
        epsilon = draw(jax.random.split(k_noise, len(x0)), x0.shape[1:], time.astype(jnp.float32))
        said = noise_in(params)(diffused(whole, x0, epsilon, t), time)
        return errors(said, epsilon, batch.get("_ignore")), stats

    def rebuilt(state, image, keys):
        """One draw's reconstruction."""
        k_start, k_steps = folded(keys, 0), folded(keys, 1)
        x0, t = 2 * image - 1, jnp.full(len(image), part.steps, jnp.int32)
        start = draw(k_start, x0.shape[1:], jnp.asarray(part.time, jnp.float32)[t])
        denoise = guided(part, denoiser(part, noise_in(weights(state))), x0, guidance)
        return (sample(part, denoise, diffused(part, x0, start, t), k_steps, draw) + 1) / 2

    def score_images(state, batch: Batch, keys) -> Prediction:
        image = batch["image"]

        def add(sums, number):
            again = rebuilt(state, image, folded(keys, number))
            residual = pixels(again, image, batch.get("_ignore"))
            residual = residual + distance(again, image) if distance else residual
            return jax.tree.map(jnp.add, sums, (again, residual)), None

        zeros = jnp.zeros_like(image), jnp.zeros_like(image[..., 0])
        (images, maps), _ = jax.lax.scan(add, zeros, jnp.arange(draws))
        scores = pool(maps / draws, rule, valid_pixels(batch))
        return Prediction(scores, maps / draws, {"reconstruction": images / draws})

    update = gradient_update(terms, tx, loss_weights=loss_weights, ema_decay=ema_decay)
    return Method(init, {"train": Phase(update)}, score_images)


def folded(keys: Key, number) -> Key:
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
