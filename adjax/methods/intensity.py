"""The trivial detector: bright is anomalous. Whatever does not beat it has learnt nothing.

Axes: b batch, h height, w width, c channels.
"""

import jax.numpy as jnp

from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Method, Prediction


def intensity(*, rule: str = "max") -> Method:
    """The mean over channels, as the map."""

    def score(state, batch: Batch, keys) -> Prediction:
        del state, keys
        anomaly_map = jnp.mean(batch["image"], axis=-1)
        return Prediction(pool(anomaly_map, rule, valid_pixels(batch)), anomaly_map)

    return Method(lambda key, batch, info: (), {}, score)
