"""k-means: Lloyd's iteration (1982) from k-means++ (Arthur, Vassilvitskii 2007), the best of several starts.

Axes: n points, k centres, d dimensions.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from adjax.types import Key, UserError

ROWS = 4096  # points whose distances to all centres are held at once
REST = 1000  # an iteration ends when at most one in so many points has changed its centre


def kmeans(
    points: Float[Array, "n d"], number: int, key: Key, *, restarts: int = 10, steps: int = 100
) -> Float[Array, "k d"]:
    """The centres with the smallest sum of squared distances, of `restarts` starts of at most `steps` steps each."""
    if not 1 <= number <= len(points):
        raise UserError(f"{number} means of {len(points)} points; choose 1 to {len(points)}")
    middle = points.mean(0, keepdims=True)  # |a|² + |b|² - 2ab loses fewer digits around 0
    found = [_run(points - middle, number, steps, k) for k in jax.random.split(key, restarts)]
    return min(found, key=lambda run: float(run[1]))[0] + middle


def medoids(points: Float[Array, "n d"], centres: Float[Array, "k d"]) -> Int[Array, "k"]:
    """The index of the point nearest to each centre."""
    nearest = lambda centre: jnp.argmin(((points - centre[None]) ** 2).sum(1)).astype(jnp.int32)
    return jax.lax.map(nearest, centres)


@partial(jax.jit, static_argnums=(1, 2))
def _run(points, number: int, steps: int, key: Key) -> tuple[Float[Array, "k d"], Float[Array, ""]]:
    def step(carry):
        done, centres, owner, _ = carry
        centres = _means(points, owner, centres)
        new = assigned(points, centres)
        return done + 1, centres, new, (new != owner).sum() > len(points) // REST

    centres = start(points, number, key)
    first = (jnp.int32(0), centres, assigned(points, centres), jnp.bool_(True))
    _, centres, owner, _ = jax.lax.while_loop(lambda carry: carry[3] & (carry[0] < steps), step, first)
    return centres, ((points - centres[owner]) ** 2).sum()


def start(points: Float[Array, "n d"], number: int, key: Key) -> Float[Array, "k d"]:
    """k-means++: each next centre is a point drawn with the probability of its squared distance to those before."""
    k_first, k_next = jax.random.split(key)
    first = points[jax.random.randint(k_first, (), 0, len(points))]

    def step(i, carry):
        centres, nearest = carry
        nearest = jnp.minimum(nearest, ((points - centres[i - 1][None]) ** 2).sum(1))
        drawn = jax.random.categorical(jax.random.fold_in(k_next, i), jnp.log(nearest))
        return centres.at[i].set(points[drawn]), nearest

    centres = jnp.zeros((number, points.shape[1]), points.dtype).at[0].set(first)
    return jax.lax.fori_loop(1, number, step, (centres, jnp.full(len(points), jnp.inf, points.dtype)))[0]


def assigned(points: Float[Array, "n d"], centres: Float[Array, "k d"]) -> Int[Array, "n"]:
    """Which centre is nearest to each point."""
    square = (centres**2).sum(1)

    def nearest(point: Float[Array, "d"]) -> Int[Array, ""]:
        product = jnp.matmul(centres, point, precision=jax.lax.Precision.HIGHEST)
        return jnp.argmax(2 * product - square).astype(jnp.int32)

    return jax.lax.map(nearest, points, batch_size=min(ROWS, len(points)))


def _means(points, owner: Int[Array, "n"], centres: Float[Array, "k d"]) -> Float[Array, "k d"]:
    """Of the points of each centre; a centre without points stays."""
    total = jnp.zeros_like(centres).at[owner].add(points)
    count = jnp.zeros(len(centres), points.dtype).at[owner].add(1)[:, None]
    return jnp.where(count > 0, total / jnp.maximum(count, 1), centres)
