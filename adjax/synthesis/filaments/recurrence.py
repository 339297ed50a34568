"""Linear recurrences as small matrix products: fast to compile, parallel on an accelerator.

Axes: n sequence, l position.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

BLOCK = 48


def recur(steps: Float[Array, "n l"], decay: float = 1.0) -> Float[Array, "n l"]:
    """y[i] = decay · y[i − 1] + steps[i], y[−1] = 0; with decay 1 the cumulative sum."""
    n, length = steps.shape
    blocks = -(-length // BLOCK)
    steps = jnp.pad(steps, ((0, 0), (0, blocks * BLOCK - length))).reshape(n, blocks, BLOCK)
    inner = jnp.einsum("nbi,ij->nbj", steps, powers(BLOCK, decay), precision=lax.Precision.HIGHEST)
    before = np.pad(powers(blocks, decay**BLOCK)[:, :-1], ((0, 0), (1, 0)))
    carry = jnp.einsum("na,ab->nb", inner[:, :, -1], before, precision=lax.Precision.HIGHEST)
    fade = decay ** np.arange(1, BLOCK + 1, dtype=np.float32)
    return (inner + carry[:, :, None] * fade[None, None]).reshape(n, blocks * BLOCK)[:, :length]


def powers(n: int, decay: float) -> np.ndarray:
    """decay^(j − i) above the diagonal, 0 below."""
    lag = np.arange(n)[None] - np.arange(n)[:, None]
    return np.where(lag >= 0, float(decay) ** np.maximum(lag, 0), 0.0).astype(np.float32)
