"""Denoising conditioned on the image (DDAD: Mousakhan, Brox, Tayyub 2023, arXiv 2305.15956), compared in pixels.

Axes: b batch, h height, w width.
"""

from collections.abc import Callable

import optax
from jaxtyping import Array, Float

from adjax.methods.anoddpm import anoddpm
from adjax.types import Method


def ddad(
    *,
    tx: optax.GradientTransformation,
    features: tuple[int, ...] = (64, 64, 128, 128, 256, 256),
    blocks: int = 2,
    attention: tuple[int, ...] = (8, 16, 32),
    heads: int = 4,
    top: int = 250,
    steps: int = 10,
    guidance: float = 3.0,
    distance: Callable[[Array, Array], Float[Array, "b h w"]] | None = None,
    draws: int = 1,
    score: str = "l1",
    rule: str = "max",
    ema_decay: float = 0.0,
    dtype: str = "float32",
    remat: bool = False,
) -> Method:
    """Partial diffusion with Gaussian noise, whose reconstruction is drawn towards the image by `guidance`.

    The published guidance is 0 to 11, chosen for each class of images; here it is one number. Published maps add a
    distance of adapted features, scaled by maxima over the test batch, so that a score depends on its neighbours.
    Here `distance(reconstruction, image)` is added as it is: scale it by constants from training images.
    """
    return anoddpm(
        tx=tx,
        features=features,
        blocks=blocks,
        attention=attention,
        heads=heads,
        noise="gaussian",
        trained=1000,
        top=top,
        sampler="ddim",
        steps=steps,
        eta=1.0,
        guidance=guidance,
        distance=distance,
        draws=draws,
        score=score,
        rule=rule,
        ema_decay=ema_decay,
        dtype=dtype,
        remat=remat,
    )
