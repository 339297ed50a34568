"""After DiffusionAD (Zhang, Wang, Wu, Jiang 2023, arXiv 2303.08730): rebuild in one step of diffusion, then segment.

Axes: b batch, h height, w width, c channels.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from adjax.diffusion import schedules
from adjax.diffusion.losses import term_simple
from adjax.diffusion.noises import gaussian
from adjax.diffusion.process import Images, Steps, guided, split
from adjax.losses import term_focal
from adjax.losses.pixel import map_smooth_l1
from adjax.methods.partial_diffusion import STEPS, drawn, folded, initialised, noise_in
from adjax.nets.blocks import check_sides
from adjax.nets.draem import BASE, MULTIPLES, Discriminative
from adjax.optim import gradient_update, learner, weights
from adjax.pooling import pool, valid_pixels
from adjax.synthesis import TEXTURED, batched, sometimes
from adjax.synthesis import synthesis as named
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError

UNET = {"heads": 4}
WEIGHTS = {"noise": 1.0, "focal": 5.0, "smooth_l1": 1.0}


def diffusion_ad(
    *,
    tx: optax.GradientTransformation,
    unet: Mapping[str, Any] = {},
    base: int = BASE,
    multiples: tuple[int, ...] = MULTIPLES,
    synthesis: str = "draem",
    share: float = 0.5,
    boundary: int = 300,
    steps: tuple[int, int] = (200, 400),
    guidance: float = 1.0,
    rule: str = "top:0.00076",
    ema_decay: float = 0.0,
) -> Method:
    """An update plants the synthesis in a `share` of the images and learns the noise of the others, at one step below
    the `boundary` and one from there on; what is scored is diffused to the two `steps`, by the same noise.

    The one-step estimate from the first is drawn by `guidance` towards that from the second. A network of DRAEM's
    segments image and estimate. The published score is the mean of the 50 highest pixels of 256².

    Ours: DRAEM's planting with its own opacities and without a foreground, its network for the segmentation, whose
    gradient flows into both networks, and one optimiser for both (published are 1e-4 and 1e-5). `unet` changes
    settings of nets.unet.UNet.
    """
    schedule, unet = schedules.linear(STEPS), UNET | dict(unet)
    if not 1 < boundary <= STEPS or not 1 <= steps[0] < boundary <= steps[1] <= STEPS:
        raise UserError(f"steps {steps} with boundary {boundary}; choose 1 <= first < boundary <= second <= {STEPS}")
    discriminative = Discriminative(tuple(base * m for m in multiples))
    plant = batched(sometimes(named(synthesis), share))

    def init(key: Key, batch: Batch, info: Info):
        del info
        image = batch["image"][:1]
        check_sides(*image.shape[1:3], 1 << (len(multiples) - 1))
        k_diffusion, k_segmentation = jax.random.split(key)
        found = discriminative.init(k_segmentation, jnp.concatenate([image, image], axis=-1), False)
        params = {"diffusion": initialised(unet, k_diffusion, image), "segmentation": found["params"]}
        return learner(params, tx, stats=found["batch_stats"], ema_decay=ema_decay)

    def estimated(params, x0: Images, t: tuple[Steps, Steps], keys: tuple[Key, Key]):
        """x_0 from both steps at once, and each step's error of the noise, [b]."""
        (xt, epsilon), (far, other) = (drawn(schedule, gaussian, x0, t_, k) for t_, k in zip(t, keys))
        both, times = jnp.concatenate([xt, far]), jnp.concatenate(t)
        said = noise_in(unet, params["diffusion"])(both, jnp.asarray(schedule.time)[times])
        near_x0, far_x0 = jnp.split(split(schedule, said, both, times, "epsilon").x0, 2)
        x0 = guided(schedule, lambda *_: near_x0, jnp.clip(far_x0, -1.0, 1.0), guidance)(xt, t[0])
        errors = term_simple(said, jnp.concatenate([epsilon, other])).reshape(2, -1).sum(0)
        return jnp.clip(x0, -1.0, 1.0), errors

    def segmented(params, stats, image: Images, x0: Images, train: bool):
        """Log-odds of "anomalous"."""
        apply = lambda **how: discriminative.apply(
            {"params": params["segmentation"], "batch_stats": stats},
            jnp.concatenate([image, (x0 + 1) / 2], -1),
            train,
            **how,
        )
        logits, after = apply(mutable=["batch_stats"]) if train else (apply(), {"batch_stats": stats})
        return logits[..., 1] - logits[..., 0], after["batch_stats"]

    def terms(params, stats, batch: Batch, key: Key):
        k_plant, k_near, k_far, k_noise = jax.random.split(key, 4)
        planted = plant(k_plant, batch["image"], batch.get("texture"))
        image, mask, b = planted.image, planted.mask.astype(jnp.float32), len(planted.image)
        t = jax.random.randint(k_near, (b,), 1, boundary), jax.random.randint(k_far, (b,), boundary, STEPS + 1)
        keys = jax.random.split(k_noise, 2 * b)
        x0, errors = estimated(params, 2 * image - 1, t, (keys[:b], keys[b:]))
        logits, stats = segmented(params, stats, image, x0, True)
        noise = errors * among_normal(planted.mask.any((1, 2)), batch["_mask"])
        focal = term_focal(logits, mask, gamma=4.0, alpha=0.5)
        smooth = map_smooth_l1(jax.nn.sigmoid(logits)[..., None], mask[..., None]).mean((1, 2))
        return {"noise": noise, "focal": focal, "smooth_l1": smooth}, stats

    def score_images(state, batch: Batch, keys) -> Prediction:
        image, params = batch["image"], weights(state)
        t = tuple(jnp.full(len(image), step, jnp.int32) for step in steps)
        x0, _ = estimated(params, 2 * image - 1, t, (folded(keys, 0), folded(keys, 1)))
        anomaly_map = jax.nn.sigmoid(segmented(params, state.stats, image, x0, False)[0])
        return Prediction(pool(anomaly_map, rule, valid_pixels(batch)), anomaly_map, {"reconstruction": (x0 + 1) / 2})

    update = gradient_update(terms, tx, loss_weights=WEIGHTS, ema_decay=ema_decay)
    needs = frozenset({"texture"} if synthesis in TEXTURED else ())
    return Method(init, {"train": Phase(update)}, score_images, needs=needs)


def among_normal(anomalous, real):
    """Weights [b] that make a mean over the batch's real rows one over its normal rows; 0 where there are none."""
    normal = (real & ~anomalous).astype(jnp.float32)
    return normal * real.sum().astype(jnp.float32) / jnp.maximum(normal.sum(), 1.0)
