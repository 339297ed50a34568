"""Degrees of likeness and the loss against plain loops."""

import jax
import numpy as np
import pytest

from adjax.losses import contrastive

DRAW = np.random.default_rng(0)
X = np.concatenate([DRAW.normal(size=(7, 3)), DRAW.normal(size=(6, 3)) + 4]).astype(np.float32)
SQUARED = ((X[:, None].astype(np.float64) - X[None]) ** 2).sum(-1)


def plain_context(k: int) -> np.ndarray:
    n = len(X)
    near = [set(np.argsort(row)[:k].tolist()) for row in SQUARED]
    close = [set(np.argsort(row)[: k // 2].tolist()) for row in SQUARED]
    shared = [[len(near[i] & near[j]) / k if j in near[i] else 0.0 for j in range(n)] for i in range(n)]
    mutual = [[j for j in close[i] if i in close[j]] for i in range(n)]
    expanded = np.array([np.mean([shared[j] for j in mutual[i]], axis=0) for i in range(n)])
    found = (expanded + expanded.T) / 2
    np.fill_diagonal(found, 1)
    return found


@pytest.mark.parametrize("k", [5, 8])
def test_contexts_are_the_plain_ones(k):
    found = jax.jit(contrastive.contextual, static_argnums=1)(SQUARED.astype(np.float32), k)
    np.testing.assert_allclose(found, plain_context(k), atol=1e-6)


def test_degrees_are_symmetric_within_0_and_1_and_1_for_itself():
    found = np.asarray(jax.jit(contrastive.degrees, static_argnums=(1, 2, 3))(X, 5, 2.0, 0.25))
    np.testing.assert_allclose(found, 0.25 * np.exp(-SQUARED / 2) + 0.75 * plain_context(5), atol=1e-5)
    np.testing.assert_array_equal(found, found.T)
    assert found.min() >= 0 and found.max() <= 1 and (np.diag(found) == 1).all()


def test_the_loss_is_the_plain_one_and_knows_no_scale():
    degree = DRAW.uniform(size=(13, 13)).astype(np.float32)
    d = np.sqrt(SQUARED)
    d /= d.mean(1, keepdims=True)
    expected = (degree * d**2 + (1 - degree) * np.maximum(0.8 - d, 0) ** 2).sum(1)
    loss = jax.jit(contrastive.relaxed_contrastive, static_argnums=2)
    np.testing.assert_allclose(loss(X, degree, 0.8), expected, rtol=1e-4)
    np.testing.assert_allclose(loss(X * np.float32(1e-3), degree, 0.8), expected, rtol=1e-3)


def test_vectors_that_coincide_have_a_finite_gradient():
    twice = np.concatenate([X[:2], X[:2]])
    loss = lambda z: contrastive.relaxed_contrastive(z, np.full((4, 4), 0.5, np.float32), 1.0).sum()
    assert np.isfinite(jax.jit(jax.grad(loss))(twice)).all()


def test_no_gradient_flows_through_degrees():
    gradient = jax.jit(jax.grad(lambda z: contrastive.degrees(z, 3, 1.0, 0.5).sum()))
    np.testing.assert_array_equal(gradient(X), 0)
