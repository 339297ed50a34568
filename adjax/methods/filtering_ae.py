"""Filtering autoencoder, after "Noise & Pattern" (Bauer, Müller 2025, arXiv 2511.07233).

It repairs structured corruptions, a random shape × texture × opacity, while isotropic Gaussian noise lies over image
and target alike: what is like noise is let through, what has a structure of its own is taken out.
"""

import optax

from adjax.methods.stain_ae import stain_ae
from adjax.types import Method


def filtering_ae(
    *,
    tx: optax.GradientTransformation,
    synthesis: str = "structured",
    noise: float = 0.05,
    width: float = 1.0,
    loss: str = "l2",
    score: str = "l1",
    rule: str = "max",
    ema_decay: float = 0.0,
) -> Method:
    """The network is AE + Stain's, without its skips.

    Network, `noise`, shapes, textures, `loss` and `score` are this library's own choice.
    """
    return stain_ae(
        tx=tx,
        synthesis=synthesis,
        noise=noise,
        skips=False,
        width=width,
        loss=loss,
        score=score,
        rule=rule,
        ema_decay=ema_decay,
    )
