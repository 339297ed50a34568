"""What a variational autoencoder says about a pixel: anomaly maps from its bound, its gradients and its attention.

Axes: b batch, h height, w width, c channels, f features, s draws of the code; p q a coarser height and width; `...`
is `d` or `p q d`, the code. Every map is made from its own image alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from adjax.losses import term_kl, weighted_map
from adjax.losses.filters import blur, gaussian_taps
from adjax.losses.names import parse
from adjax.nets.vae import attended_layer, layer_output
from adjax.types import UserError

Map = Float[Array, "b h w"]


class Bound(NamedTuple):
    """A network at its weights, with the terms of its negative evidence lower bound in nats."""

    network: nn.Module
    params: Any
    likelihood: Callable[[Array, Array], Map]  # (rebuilt, image) -> -log p(x|z) of every pixel, but for a constant
    beta: float  # what a nat of the code costs
    layer: int  # the encoder's convolution that attention looks at
    samples: int  # draws of the code; 0 takes its mean

    def apply(self, *args, method: str):
        return self.network.apply({"params": self.params}, *args, method=method)


def rebuilt_map(bound: Bound, image: Float[Array, "b h w c"], keys) -> Map:
    """-log p(x|z), the mean over the draws: An and Cho's reconstruction probability with the noise held fixed."""
    mean, log_variance = bound.apply(image, method="encode")
    if not bound.samples:
        return bound.likelihood(bound.apply(mean, image.shape[1:], method="decode"), image)
    noise = jax.vmap(lambda key: jax.random.normal(key, (bound.samples, *mean.shape[1:])))(keys)
    codes = mean[:, None] + jnp.exp(log_variance / 2)[:, None] * noise
    rebuilt = bound.apply(codes.reshape(-1, *mean.shape[1:]), image.shape[1:], method="decode")
    maps = bound.likelihood(rebuilt, jnp.repeat(image, bound.samples, axis=0))
    return maps.reshape(-1, bound.samples, *image.shape[1:3]).mean(1)


def kl_map(bound: Bound, image: Float[Array, "b h w c"], keys) -> Map:
    """beta KL, spread evenly over the pixels that a code stands for: the sum over the map is the whole.

    One code per image gives a constant map; a spatial code one that follows its places.
    """
    del keys
    mean, log_variance = bound.apply(image, method="encode")
    places, d = mean.shape[:-1], mean.shape[-1]
    kl = term_kl(mean.reshape(-1, d), log_variance.reshape(-1, d)).reshape(places)
    kl = kl.reshape(-1, *(places[1:] or (1, 1)))
    share = kl[0].size / (image.shape[1] * image.shape[2])
    return bound.beta * share * jax.image.resize(kl, image.shape[:3], "linear")


def bound_map(bound: Bound, image: Float[Array, "b h w c"], keys) -> Map:
    """The negative bound, shared out among the pixels."""
    return rebuilt_map(bound, image, keys) + kl_map(bound, image, keys)


def gradient_map(of: Callable[[Bound, Array, Array], Map]) -> Callable[[Bound, Array, Array], Map]:
    """|d/dx| of the sum of a map, smoothed (Zimmerer et al. 2019, arXiv 1912.00003): where x must change."""

    def score(bound: Bound, image: Float[Array, "b h w c"], keys) -> Map:
        gradient = jax.grad(lambda x: of(bound, x, keys).sum())(image)
        return _smooth(jnp.abs(gradient).mean(-1))

    return score


def product_map(bound: Bound, image: Float[Array, "b h w c"], keys) -> Map:
    """Zimmerer's combination: the KL's gradient, brought to [0, 1] in each image and smoothed, times -log p(x|z)."""
    gradient = jnp.abs(jax.grad(lambda x: kl_map(bound, x, keys).sum())(image)).mean(-1)
    low, high = (f(gradient, axis=(1, 2), keepdims=True) for f in (jnp.min, jnp.max))
    scaled = (gradient - low) / jnp.maximum(high - low, jnp.finfo(jnp.float32).tiny)
    return _smooth(scaled) * rebuilt_map(bound, image, keys)


def _smooth(maps: Map) -> Map:
    """By the published Gaussian: 7 px wide, sigma 3."""
    return blur(maps[..., None], gaussian_taps(7, 3.0), pad=True)[..., 0]


def attention_map(bound: Bound, image: Float[Array, "b h w c"], keys) -> Map:
    """|Grad-CAM of the summed latent means| (Liu et al. 2020, arXiv 1911.07389), enlarged bilinearly.

    The public code divides the gradient by its root mean square over the batch; here it is that of the image.
    """
    del keys
    return jnp.abs(_grad_cam(bound, image))


def inattention_map(bound: Bound, image: Float[Array, "b h w c"], keys) -> Map:
    """1 - A, with A the sigmoid of Grad-CAM: where a network that learned to attend to all of a normal image doesn't.

    After CAVGA (Venkataramanan et al. 2020, arXiv 1911.08616); how the paper normalises A is not known here.
    """
    del keys
    return 1.0 - jax.nn.sigmoid(_grad_cam(bound, image))


def _grad_cam(bound: Bound, image: Float[Array, "b h w c"]) -> Map:
    b, h, w, _ = image.shape
    output, mean = layer_output(bound.network, bound.params, image, attended_layer(bound.layer, h, w))
    gradient = jax.grad(lambda a: mean(a).sum())(output)
    size = jnp.sqrt((gradient**2).mean(axis=(1, 2, 3), keepdims=True))
    alpha = (gradient / (size + 1e-5)).mean(axis=(1, 2), keepdims=True)
    return jax.image.resize((alpha * output).sum(-1), (b, h, w), "linear")


SCORES: dict[str, Callable[[Bound, Array, Array], Map]] = {
    "reconstruction": rebuilt_map,
    "elbo": bound_map,
    "kl": kl_map,
    "gradient": gradient_map(bound_map),
    "gradient_kl": gradient_map(kl_map),
    "gradient_reconstruction": gradient_map(rebuilt_map),
    "gradient_product": product_map,
    "attention": attention_map,
    "inattention": inattention_map,
}
SUMMED = ("elbo", "kl")  # whose image score is the sum over the map


def chosen(
    score: str, loss: Mapping[str, float], sigma: float
) -> tuple[Callable[[Bound, Array, Array], Map], Callable]:
    """The map that `score` names, and the likelihood that it wants to find in `Bound`.

    A score that is no name of SCORES is a sum of losses as in "ssim + 0.5*l1": the map of the reconstruction under it.
    """
    if score in SCORES:
        error = weighted_map(loss)
        return SCORES[score], lambda rebuilt, x: x.shape[-1] / (2 * sigma**2) * error(rebuilt, x)
    try:
        return rebuilt_map, weighted_map(parse(score))
    except UserError as wrong:
        raise UserError(f"unknown score '{score}'; choose from {', '.join(SCORES)}, or a loss: {wrong}") from wrong
