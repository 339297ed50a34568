"""A variational autoencoder of the published autoencoder's layers (Kingma, Welling 2013, arXiv 1312.6114).

Axes: b batch, h height, w width, c channels, d latent, f features; `...` is `d` for one code per image and `p q d`
for a spatial code, which stands at every place of the encoder's last layer.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.autoencoder import ENCODER, Decoder, Encoder, extra_halvings
from adjax.types import UserError

LOG_VARIANCE = 10.0  # the bound on both sides of 0
# A code that begins as all noise is one the decoder learns to ignore, for hundreds of updates or for ever. So variances
# begin at exp(-5.4), and the mean gets back what eight activations take from a signal that is initialised without them.
NARROW = 6.0
MEAN = 10.0


class VariationalAutoencoder(nn.Module):
    """The autoencoder with a mean and a log variance for every number of its code. The output is linear."""

    latent: int = 100
    width: float = 1.0
    spatial: bool = False

    def setup(self) -> None:
        self.encoder = Encoder(2 * self.latent, self.width, 0.0, self.spatial)
        self.decoder = Decoder(self.width, 0.0)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        return self.decode(self.encode(x)[0], x.shape[1:])

    def encode(self, x: Float[Array, "b h w c"]) -> tuple[Float[Array, "b ..."], Float[Array, "b ..."]]:
        """Mean and log variance; the latter saturates smoothly, since a clipped one could not find back."""
        mean, log_variance = jnp.split(self.encoder(x, False), 2, axis=-1)
        return MEAN * mean, LOG_VARIANCE * jnp.tanh((log_variance - NARROW) / LOG_VARIANCE)

    def decode(self, code: Float[Array, "b ..."], shape: tuple[int, int, int]) -> Float[Array, "b h w c"]:
        """The image of a code; `shape` is its (h, w, c)."""
        return self.decoder(code, shape, False)


def reparameterised(mean: Float[Array, "b ..."], log_variance: Float[Array, "b ..."], key) -> Float[Array, "b ..."]:
    """A draw of the code, differentiable in its mean and variance."""
    return mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)


def attended_layer(layer: int, h: int, w: int) -> str:
    """The name of the encoder's convolution number `layer`, counted from 0, or from the end if negative."""
    number = len(ENCODER) + extra_halvings(h, w)
    if not -number <= layer < number:
        raise UserError(f"there is no layer {layer} to attend to; choose from {-number} to {number - 1}")
    return f"Conv_{layer % number}"


def layer_output(
    network: nn.Module, params, x: Float[Array, "b h w c"], name: str
) -> tuple[Float[Array, "b p q f"], Callable[[Array], Float[Array, "b ..."]]]:
    """What the encoder's layer `name` gives before its activation, and the code's mean as a function of it."""
    _, kept = network.apply(
        {"params": params},
        x,
        method="encode",
        capture_intermediates=lambda module, _: module.path == ("encoder", name),
        mutable=["intermediates"],
    )
    (output,) = kept["intermediates"]["encoder"][name]["__call__"]

    def mean(output: Float[Array, "b p q f"]) -> Float[Array, "b ..."]:
        def replace(call, args, kwargs, context):
            return output if context.module.path == ("encoder", name) else call(*args, **kwargs)

        with nn.intercept_methods(replace):
            return network.apply({"params": params}, x, method="encode")[0]

    return output, mean
