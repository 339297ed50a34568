"""Losses of a segmentation head.

Axes: b batch, h height, w width. `logits` are log-odds of "anomalous" (of a two-channel head: the difference of its
channels), `target` is the mask in [0, 1], p = sigmoid(logits). Each term is one image's: nothing is pooled over the
batch. TP = sum p y, FP = sum p (1 - y), FN = sum (1 - p) y.

Overlap losses carry `smooth` > 0 in numerator and denominator: at 1 (pixel) an empty mask is learned from gently, and
one missed pixel costs at most 1/2. Towards 0 an empty mask gives loss 1 for whatever small p.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Mask = Float[Array, "b h w"]
PerImage = Float[Array, "b"]

ROOT = 1e-6  # under a power below 1, whose gradient at 0 is infinite


def term_cross_entropy(logits: Mask, target: Mask) -> PerImage:
    """Mean binary cross-entropy."""
    positive, negative = _log_probabilities(logits)
    return -(target * positive + (1 - target) * negative).mean((1, 2))


def term_focal(logits: Mask, target: Mask, *, gamma: float = 2.0, alpha: float | None = None) -> PerImage:
    """-mean a_t (1 - p_t)^gamma log p_t (Lin et al. 2017); a_t is alpha on anomalous pixels, 1 - alpha on others.

    No alpha weighs both with 1, as DRAEM does; RetinaNet has 0.25. gamma 0 is the cross-entropy.
    """
    positive, negative = _log_probabilities(logits)
    of_positive, of_negative = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    # (1 - p)^gamma from the log of 1 - p, which is finite where p is 1.
    anomalous = of_positive * jnp.exp(gamma * negative) * positive
    normal = of_negative * jnp.exp(gamma * positive) * negative
    return -(target * anomalous + (1 - target) * normal).mean((1, 2))


def term_balanced_cross_entropy(
    logits: Mask, target: Mask, *, class_weights: Float[Array, "2"] | tuple[float, float]
) -> PerImage:
    """Cross-entropy with one weight for normal and one for anomalous pixels, divided by the sum of the weights.

    The division keeps a weight of 100,000 for a one-pixel object from exploding: the term is a mean of
    cross-entropies. See `median_frequency_weights`.
    """
    positive, negative = _log_probabilities(logits)
    anomalous, normal = class_weights[1] * target, class_weights[0] * (1 - target)
    return -(anomalous * positive + normal * negative).sum((1, 2)) / (anomalous + normal).sum((1, 2))


def median_frequency_weights(masks: Float[Array, "n h w"]) -> Float[Array, "2"]:
    """Weights of the normal and the anomalous class, median(f) / f (SegNet: Badrinarayanan et al. 2017).

    f is a class's share of the pixels of the images that contain it; masks are 0 or 1, those of the training set.
    A class that no image contains gets weight 1.
    """
    shares = jnp.stack([(1 - masks).mean((1, 2)), masks.mean((1, 2))])
    present = (shares > 0).astype(masks.dtype)
    images = present.sum(1)
    frequency = shares.sum(1) / jnp.maximum(images, 1)
    median = jnp.median(jnp.where(images > 0, frequency, frequency.max()))  # of two classes: their mean
    return jnp.where(images > 0, median / jnp.where(images > 0, frequency, 1), 1)


def term_dice(logits: Mask, target: Mask, *, smooth: float = 1.0) -> PerImage:
    """1 - (2 TP + smooth) / (sum p + sum y + smooth), without squares in the denominator (Milletari's has them)."""
    p = jax.nn.sigmoid(logits.astype(jnp.float32))
    overlap, total = (p * target).sum((1, 2)), (p + target).sum((1, 2))
    return (total - 2 * overlap) / (total + smooth)


def term_dice_focal(logits: Mask, target: Mask, *, smooth: float = 1.0, gamma: float = 2.0) -> PerImage:
    """Dice + focal, each with weight 1."""
    return term_dice(logits, target, smooth=smooth) + term_focal(logits, target, gamma=gamma)


def term_dice_cross_entropy(logits: Mask, target: Mask, *, smooth: float = 1.0) -> PerImage:
    """Dice + cross-entropy, each with weight 1 (as nnU-Net, Isensee et al. 2021)."""
    return term_dice(logits, target, smooth=smooth) + term_cross_entropy(logits, target)


def term_tversky(logits: Mask, target: Mask, *, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0) -> PerImage:
    """1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth) (Salehi et al. 2017).

    beta > alpha favours recall. alpha = beta = 1/2 is Dice with twice the smoothing, 1 and 1 is Jaccard.
    """
    p = jax.nn.sigmoid(logits.astype(jnp.float32))
    hit = (p * target).sum((1, 2))
    missed = alpha * (p * (1 - target)).sum((1, 2)) + beta * ((1 - p) * target).sum((1, 2))
    return missed / (hit + missed + smooth)


def term_focal_tversky(
    logits: Mask,
    target: Mask,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 4 / 3,
    smooth: float = 1.0,
) -> PerImage:
    """The Tversky loss to the power 1 / gamma (Abraham, Khan 2019): gamma > 1 flattens it for poor overlaps."""
    tversky = term_tversky(logits, target, alpha=alpha, beta=beta, smooth=smooth)
    return (tversky + ROOT) ** (1 / gamma) - ROOT ** (1 / gamma)


def _log_probabilities(logits: Mask) -> tuple[Mask, Mask]:
    """log p and log (1 - p), finite for any finite logit."""
    logits = logits.astype(jnp.float32)
    return jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
