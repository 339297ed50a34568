"""What is logged about addressing."""

import jax
import matrix
import numpy as np
import optax
import pytest

from adjax.methods.memae import memae
from adjax.types import Info

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it


@pytest.mark.parametrize(("shrink", "share"), [(0.0, 0.0), (25.0, 1.0)])
def test_places_that_address_nothing_are_counted(shrink, share):
    """Fresh items are addressed almost alike: each gets 1/50, so a shrinkage of 25/50 leaves nothing."""
    method = memae(tx=optax.sgd(0.0), items=50, shrink=shrink, width=0.125)
    rows = matrix.batch(matrix.normals(4, seed=0))
    info = Info({"train": 4}, {"train": 1}, 4)
    state = jax.jit(lambda key: method.init(key, rows, info))(jax.random.key(0, impl="rbg"))
    state, scalars = jax.jit(method.phases["train"].update)(state, rows, jax.random.key(1))
    assert scalars["unaddressed"] == share
    assert np.isfinite(scalars["loss/total"])
