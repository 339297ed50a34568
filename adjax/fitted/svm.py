"""One-class support vector machine (Schölkopf et al. 2001) with a Gaussian kernel, fitted by scikit-learn.

Axes: n vectors, s support vectors, b queries, d dimensions.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from sklearn.svm import OneClassSVM

from adjax.fitted.neighbours import squared_distances


class Svm(NamedTuple):
    vectors: Float[Array, "s d"]
    log_weights: Float[Array, "s"]  # of the dual coefficients
    log_rho: Float[Array, ""]
    gamma: Float[Array, ""]


def fit(x: Float[np.ndarray, "n d"], *, nu: float = 0.5) -> Svm:
    """gamma = 1 / (d Var x), as scikit-learn has it by default."""
    x = np.asarray(x, np.float64)
    svm = OneClassSVM(nu=nu).fit(x)
    gamma = 1 / (x.shape[1] * (x.var() or 1.0))
    weights = svm.dual_coef_[0]
    numbers = (svm.support_vectors_, np.log(weights), np.log(-svm.intercept_[0]), gamma)
    return Svm(*(jnp.asarray(number, jnp.float32) for number in numbers))


def score(svm: Svm, x: Float[Array, "b d"]) -> Float[Array, "b"]:
    """log rho - log Σ a exp(-gamma |x - v|²): above 0 where scikit-learn's decision, rho (exp(-score) - 1), is below.

    The decision itself cannot tell what is far away: once the sum is below rho's last digit, all of it is -rho. The
    logarithm keeps the order and goes on rising as the squared distance does.
    """
    exponents = svm.log_weights[None] - svm.gamma * squared_distances(x, svm.vectors)
    return svm.log_rho - jax.nn.logsumexp(exponents, axis=1)
