"""Stacked members: both lowerings, and the one that is taken, give what a loop gives, and so do their gradients."""

import jax
import numpy as np

from adjax.nets.patch_descriptor import PatchDescriptor
from adjax.stacked import vmapped

NET = PatchDescriptor(17, 3, 1 / 64)


def test_members_in_one_call_equal_a_loop_over_them():
    x = jax.random.normal(jax.random.key(0), (2, 18, 18, 3))
    members = jax.jit(jax.vmap(lambda key: NET.init(key, x)))(jax.random.split(jax.random.key(1), 3))
    total = lambda run: lambda members: (run(lambda one, x: NET.apply(one, x))(members, x) ** 2).sum((1, 2, 3, 4))
    value = lambda run: jax.jit(lambda members: (total(run)(members), jax.grad(lambda m: total(run)(m).sum())(members)))
    found, grouped = value(vmapped)(members), value(lambda f: jax.vmap(f, in_axes=(0, None)))(members)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, grouped)
    alone = jax.jit(NET.apply)
    for m in range(3):
        one = jax.tree.map(lambda leaf: leaf[m], members)  # noqa: B023
        np.testing.assert_allclose(found[0][m], (alone(one, x) ** 2).sum(), rtol=1e-5)
