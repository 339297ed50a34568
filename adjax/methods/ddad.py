"""Denoising conditioned on the image (DDAD: Mousakhan, Brox, Tayyub 2023, arXiv 2305.15956), compared in pixels.

Axes: b batch, h height, w width.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optax
from jaxtyping import Array, Float

from adjax.methods.partial_diffusion import STEPS, partial_diffusion, there_and_back
from adjax.types import Method

UNET = {"features": (64, 64, 128, 128, 256, 256), "heads": 4}


def ddad(
    *,
    tx: optax.GradientTransformation,
    unet: Mapping[str, Any] = {},
    trained: int = STEPS,
    top: int | Sequence[int] = 250,
    calls: int = 10,
    eta: float = 1.0,
    guidance: float = 3.0,
    distance: Callable[[Array, Array], Float[Array, "b h w"]] | None = None,
    draws: int = 1,
    score: str = "l1",
    rule: str = "max",
    ema_decay: float = 0.0,
) -> Method:
    """Partial diffusion with Gaussian noise, whose reconstruction is drawn towards the image by `guidance`.

    The published guidance is 0 to 11, chosen for each class of images; here it is one number. Published maps add a
    distance of adapted features, scaled by maxima over the test batch, so that a score depends on its neighbours.
    Here `distance(reconstruction, image)` is added as it is: scale it by constants from training images. `unet` changes
    settings of nets.unet.UNet from the published ones; the other arguments are those of methods.anoddpm.
    """
    return partial_diffusion(
        tx=tx,
        unet=UNET | dict(unet),
        noise="gaussian",
        schedule="linear",
        trained=trained,
        top=top,
        calls=calls,
        rebuild=there_and_back("ddim", eta, guidance),
        distance=distance,
        draws=draws,
        loss="l2",
        score=score,
        rule=rule,
        ema_decay=ema_decay,
    )
