"""What methods that diffuse an image part of the way share: a network learns the noise, and rebuilds without it.

Axes: b batch, h height, w width, c channels.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from adjax.diffusion import noises, samplers, schedules
from adjax.diffusion.noises import Noise
from adjax.diffusion.process import Denoiser, Images, Steps, denoiser, diffused, guided
from adjax.diffusion.schedules import Schedule
from adjax.losses import weighted_map, weighted_terms
from adjax.losses.names import parse
from adjax.nets.unet import UNet
from adjax.optim import gradient_update, learner, weights
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError

# (schedule to the step that images are diffused to, network, noise, images, keys) -> the images without what is new in
# them; all in [-1, 1]
Rebuild = Callable[[Schedule, Denoiser, Noise, Images, Key], Images]
STEPS = 1000  # of the whole diffusion, as published everywhere
SETTINGS = tuple(f.name for f in dataclasses.fields(UNet) if f.name not in ("channels", "parent", "name"))


def partial_diffusion(
    *,
    tx: optax.GradientTransformation,
    unet: Mapping[str, Any],
    noise: str,
    schedule: str,
    trained: int,
    top: int | Sequence[int],
    calls: int,
    rebuild: Rebuild,
    distance: Callable[[Array, Array], Float[Array, "b h w"]] | None,
    draws: int,
    loss: str,
    score: str,
    rule: str,
    ema_decay: float,
) -> Method:
    """Other arguments are described where they have defaults: methods.anoddpm and methods.ddad."""
    whole = schedules.named(schedule, STEPS)
    tops = (top,) if isinstance(top, int) else tuple(top)
    if not tops or not 0 <= min(tops) <= max(tops) <= trained <= whole.steps:
        raise UserError(f"top {top} and trained {trained}; choose 0 <= top <= trained <= {whole.steps}")
    parts, draw = [schedules.respaced(whole, calls, each) for each in tops], noises.named(noise)
    loss_weights = parse(loss)
    pixels, errors = weighted_map(parse(score)), weighted_terms(loss_weights)

    def init(key: Key, batch: Batch, info: Info):
        del info
        return learner(initialised(unet, key, batch["image"]), tx, ema_decay=ema_decay)

    def terms(params, stats, batch: Batch, key: Key):
        k_step, k_noise = jax.random.split(key)
        x0 = 2 * batch["image"] - 1
        t = jax.random.randint(k_step, (len(x0),), 1, trained + 1)
        xt, epsilon = drawn(whole, draw, x0, t, jax.random.split(k_noise, len(x0)))
        said = noise_in(unet, params)(xt, jnp.asarray(whole.time)[t])
        return errors(said, epsilon, batch.get("_ignore")), stats

    def score_images(state, batch: Batch, keys) -> Prediction:
        image, said = batch["image"], noise_in(unet, weights(state))

        def add(part: Schedule, sums, number):
            again = (rebuild(part, said, draw, 2 * image - 1, folded(keys, number)) + 1) / 2
            residual = pixels(again, image, batch.get("_ignore"))
            residual = residual + distance(again, image) if distance else residual
            return jax.tree.map(jnp.add, sums, (again, residual)), None

        sums = jnp.zeros_like(image), jnp.zeros_like(image[..., 0])
        for first, part in zip(range(0, draws * len(parts), draws), parts):
            sums, _ = jax.lax.scan(functools.partial(add, part), sums, first + jnp.arange(draws))
        rebuilt, anomaly_map = (total / (draws * len(parts)) for total in sums)
        scores = pool(anomaly_map, rule, valid_pixels(batch))
        return Prediction(scores, anomaly_map, {"reconstruction": rebuilt})

    update = gradient_update(terms, tx, loss_weights=loss_weights, ema_decay=ema_decay)
    return Method(init, {"train": Phase(update)}, score_images)


def there_and_back(sampler: str, eta: float, guidance: float = 0.0) -> Rebuild:
    """Images are diffused to the schedule's last step and sampled from there."""
    sample = samplers.named(sampler, eta)

    def rebuild(schedule: Schedule, said: Denoiser, draw: Noise, x0: Images, keys: Key) -> Images:
        xt = noisiest(schedule, draw, x0, folded(keys, 0))
        return sample(schedule, guided(schedule, denoiser(schedule, said), x0, guidance), xt, folded(keys, 1), draw)

    return rebuild


def noisiest(schedule: Schedule, draw: Noise, x0: Images, keys: Key) -> Images:
    """x_t of the schedule's last step."""
    return drawn(schedule, draw, x0, jnp.full(len(x0), schedule.steps, jnp.int32), keys)[0]


def network(unet: Mapping[str, Any], channels: int) -> UNet:
    """`unet` holds settings of nets.unet.UNet; what it leaves out is as published by AnoDDPM for 256 px."""
    unknown = sorted(set(unet) - set(SETTINGS))
    if unknown:
        raise UserError(f"unknown setting '{unknown[0]}' of the U-Net; choose from {', '.join(SETTINGS)}")
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in unet.items()}
    return UNet(channels, **settings | {"dtype": jnp.dtype(settings.get("dtype", "float32"))})


def initialised(unet: Mapping[str, Any], key: Key, image: Images):
    return network(unet, image.shape[-1]).init(key, image[:1], jnp.zeros(1, jnp.int32))["params"]


def noise_in(unet: Mapping[str, Any], params) -> Denoiser:
    """(x_t, time) -> the noise that the network sees in it."""
    return lambda x, time: network(unet, x.shape[-1]).apply({"params": params}, x, time)


def drawn(schedule: Schedule, draw: Noise, x0: Images, t: Steps, keys: Key) -> tuple[Images, Images]:
    """x_t, and the noise in it."""
    epsilon = draw(keys, x0.shape[1:], jnp.asarray(schedule.time, jnp.float32)[t])
    return diffused(schedule, x0, epsilon, t), epsilon


def folded(keys: Key, number) -> Key:
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
