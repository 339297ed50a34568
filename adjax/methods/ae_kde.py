"""A kernel density of an autoencoder's codes: how rare an image is by what the autoencoder sees in it."""

import optax

from adjax.methods.conv_ae import conv_ae
from adjax.methods.one_class import COMPONENTS, one_class
from adjax.transforms import after
from adjax.types import Method


def ae_kde(
    *,
    tx: optax.GradientTransformation,
    latent: int = 100,
    width: float = 1.0,
    loss: str = "l2",
    components: int = COMPONENTS["kde"],
    bandwidth: str | float = "scott",
    memory_mb: float = 0.0,
    rule: str = "max",
) -> Method:
    """`latent`, `width`, `loss`: of conv_ae. `components`: whitened principal ones of the code that the density sees,
    since one of all its numbers would need far more images than there are; 0: all of them, standardised. `bandwidth`,
    `memory_mb`: of one_class. There is no map: an image, or the rarest of its tiles, has a score.
    """
    autoencoder = conv_ae(tx=tx, latent=latent, width=width, loss=loss, rule=rule)
    density = one_class(
        model="kde", descriptor="features", components=components, bandwidth=bandwidth, memory_mb=memory_mb
    )
    return after(autoencoder, density)
