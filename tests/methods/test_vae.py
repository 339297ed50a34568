"""The bound against its closed forms, and the maps against theirs.

Axes: b batch, h height, w width, c channels, n pixels, d latent, k draws.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import optax
import pytest
from flax import linen as nn
from scipy import special

from adjax.losses import LOSSES, term_kl
from adjax.losses.filters import blur, gaussian_taps
from adjax.methods import variational
from adjax.methods.vae import vae as factory_of
from adjax.methods.variational import SCORES, Bound
from adjax.nets.vae import MEAN, VariationalAutoencoder, attended_layer, layer_output, reparameterised
from adjax.optim import learner
from adjax.types import Info, UserError

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it

IMAGES = matrix.normals(3, seed=5)
NETWORK = VariationalAutoencoder(latent=6, width=0.125)
SETTINGS = {"latent": 6, "width": 0.125}


@functools.cache
def params(spatial: bool = False):
    network = NETWORK.clone(spatial=spatial)
    return jax.jit(network.init)(jax.random.key(0, impl="rbg"), IMAGES[:1])["params"]


def bound(sigma=0.1, beta=2.0, spatial=False, samples=0, layer=4) -> Bound:
    likelihood = lambda rebuilt, x: LOSSES["l2"].map(rebuilt, x) / (2 * sigma**2)
    return Bound(NETWORK.clone(spatial=spatial), params(spatial), likelihood, beta, layer, samples)


def encoded(q: Bound, images=IMAGES):
    return jax.jit(lambda x: q.apply(x, method="encode"))(images)


def keys(number=3):
    return jax.random.split(jax.random.key(9), number)


def prediction(images=IMAGES, spatial=False, **settings):
    method = factory_of(tx=optax.identity(), spatial=spatial, **SETTINGS, **settings)
    return matrix.score(method, learner(params(spatial), optax.identity()), images)


# A linear network, for which everything is known.


class Linear(nn.Module):
    """mean = x W + a, log variance v, f(z) = z U + u; the fields are those of VariationalAutoencoder."""

    latent: int
    width: float
    spatial: bool

    def setup(self):
        self.mean = nn.Dense(self.latent)
        self.log_variance = self.param("log_variance", lambda _: jnp.full(self.latent, -2.0))
        self.out = nn.Dense(6)

    def encode(self, x):
        mean = self.mean(x.reshape(x.shape[0], -1))
        return mean, jnp.broadcast_to(self.log_variance, mean.shape)

    def decode(self, code, shape):
        return self.out(code).reshape(-1, *shape)

    def __call__(self, x):
        return self.decode(self.encode(x)[0], x.shape[1:])


VARIANCES = np.array([4.0, 2.0, 0.3, 0.3, 0.3, 0.3])  # of the data, along orthogonal directions
AXES = np.linalg.qr(np.random.default_rng(3).normal(size=(6, 6)))[0]
MEAN_IMAGE = np.array([1.0, -1, 0, 2, 0, 1])
NOISE = float(np.sqrt(0.3))  # the best sigma: the mean of the variances that two directions leave


def data(number=512):
    """Rows whose mean and covariance are exactly MEAN_IMAGE and AXES diag(VARIANCES) AXESᵀ."""
    z = np.random.default_rng(4).normal(size=(number, 6))
    z -= z.mean(0)
    z = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T, bias=True))).T
    return (z * np.sqrt(VARIANCES) @ AXES.T + MEAN_IMAGE).reshape(-1, 6, 1, 1).astype(np.float32)


@functools.cache
def linear(sigma: float, beta: float = 1.0, steps: int = 2000):
    """The method itself with a linear network in it, trained: (parameters, mean of the bound in nats)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(factory_of.__globals__, "VariationalAutoencoder", Linear)
        tx = optax.adam(optax.cosine_decay_schedule(0.02, steps))
        method = factory_of(tx=tx, latent=2, sigma=sigma, beta=beta, warmup=10)
        rows = matrix.batch(data())
        state = jax.jit(lambda k: method.init(k, rows, Info({}, {}, 512)))(jax.random.key(1))

        def step(state, number):
            state, scalars = method.phases["train"].update(state, rows, jax.random.fold_in(jax.random.key(2), number))
            return state, scalars

        state, scalars = jax.jit(lambda s: jax.lax.scan(step, s, jnp.arange(steps)))(state)
    total = float(scalars["loss/total"][-500:].mean())
    return state.params, -(6 * total + 3 * np.log(2 * np.pi * sigma**2)), float(scalars["loss/kl"][-1])


def test_a_linear_vae_is_probabilistic_pca():
    """Tipping, Bishop 1999: the principal subspace, its scales, and a bound that is log p(x) itself."""
    found, nats, _ = linear(NOISE)
    u = np.asarray(found["out"]["kernel"], np.float64).T  # n d
    cosines = np.linalg.svd(np.linalg.qr(u)[0].T @ AXES[:, :2])[1]
    assert np.degrees(np.arccos(cosines.clip(-1, 1))).max() < 5
    np.testing.assert_allclose(np.linalg.eigvalsh(u.T @ u), np.array([2.0, 4.0]) - NOISE**2, rtol=0.1)
    np.testing.assert_allclose(found["out"]["bias"], MEAN_IMAGE, atol=0.1)
    exact = -0.5 * (6 * np.log(2 * np.pi) + np.log(VARIANCES).sum() + 6)  # the mean over the data
    np.testing.assert_allclose(nats, exact, atol=0.05)


def test_the_best_noise_is_the_variance_left_over():
    assert linear(NOISE)[1] > max(linear(0.8 * NOISE)[1], linear(1.25 * NOISE)[1])


def test_beta_goes_from_the_autoencoder_to_the_mean_image():
    """At 0 the principal components are rebuilt, above variance / sigma² nothing but the mean."""
    x = data()
    for beta, kept in ((1e-4, 2), (100.0, 0)):
        found, _, kl = linear(0.5, beta)
        rebuilt = Linear(2, 1.0, False).apply({"params": found}, x)
        wanted = (x.reshape(-1, 6) - MEAN_IMAGE) @ AXES[:, :kept] @ AXES[:, :kept].T + MEAN_IMAGE
        np.testing.assert_allclose(rebuilt.reshape(-1, 6), wanted, atol=0.15)
    assert kl < 1e-3


def test_the_kl_gradient_of_a_linear_encoder_is_its_mean_seen_backwards():
    network = Linear(2, 1.0, False)
    found = jax.jit(network.init)(jax.random.key(0), data()[:2])["params"]
    linear_bound = Bound(network, found, None, 1.0, 0, 0)
    x = data()[:5]
    mean, _ = linear_bound.apply(x, method="encode")
    gradient = jax.jit(jax.grad(lambda x: variational.kl_map(linear_bound, x, None).sum()))
    np.testing.assert_allclose(gradient(x).reshape(5, 6), mean @ found["mean"]["kernel"].T, rtol=1e-4, atol=1e-6)
    zero = jnp.zeros((1, 6, 1, 1))  # the bias is 0, and so the mean
    np.testing.assert_array_equal(gradient(zero), 0)


def test_the_bound_lies_below_importance_weighted_ones():
    """Burda et al. 2016: log mean of k weights grows with k towards log p(x)."""
    network = Linear(2, 1.0, False)
    found, sigma = jax.jit(network.init)(jax.random.key(0), data()[:2])["params"], 0.7
    x, draws = jnp.asarray(data()[:64]), 20_000
    mean, log_variance = network.apply({"params": found}, x, method="encode")

    @jax.jit
    def log_weights(key):
        z = reparameterised(mean, log_variance, key)
        rebuilt = network.apply({"params": found}, z, (6, 1, 1), method="decode")
        logpdf = lambda value, scale: jax.scipy.stats.norm.logpdf(value, 0.0, scale).sum(1)
        rest = (x - rebuilt).reshape(64, 6)
        return logpdf(rest, sigma) + logpdf(z, 1.0) - logpdf(z - mean, jnp.exp(log_variance / 2))

    weights = jax.jit(lambda keys: jax.lax.map(log_weights, keys))(jax.random.split(jax.random.key(3), draws))
    importance = lambda k: special.logsumexp(np.reshape(weights, (-1, k, 64)), 1).mean() - np.log(k)
    u = np.asarray(found["out"]["kernel"], np.float64)
    covariance = u.T @ u + sigma**2 * np.eye(6)
    flat = np.asarray(x, np.float64).reshape(64, 6)
    distance = np.einsum("bi,ij,bj->b", flat, np.linalg.inv(covariance), flat)
    exact = -0.5 * (distance + np.linalg.slogdet(2 * np.pi * covariance)[1]).mean()
    ladder = [importance(k) for k in (1, 5, 50, 1000)] + [exact]
    assert all(low < high for low, high in itertools.pairwise(ladder)), ladder


# Maps of the convolutional network.


def test_reconstruction_maps_are_the_losses():
    found = prediction()
    rebuilt = found.aux["reconstruction"]
    np.testing.assert_allclose(found.map, ((rebuilt - IMAGES) ** 2)[..., 0] / 0.02, rtol=1e-4)
    ssim = jax.jit(LOSSES["ssim"].map)(rebuilt, IMAGES)
    np.testing.assert_allclose(prediction(score="ssim").map, ssim, atol=1e-5)
    with pytest.raises(UserError, match="unknown score 'elob'; choose from reconstruction, elbo"):
        prediction(score="elob")


@pytest.mark.parametrize("spatial", [False, True])
def test_elbo_and_kl_are_the_bound(spatial):
    mean, log_variance = encoded(bound(spatial=spatial))
    assert mean.shape == ((3, 2, 2, 6) if spatial else (3, 6))
    kl = 2.0 * jax.jit(term_kl)(mean, log_variance)
    found = prediction(score="kl", beta=2.0, spatial=spatial)
    np.testing.assert_allclose(found.score, kl, rtol=1e-4)
    np.testing.assert_allclose(found.map.sum((1, 2)), kl, rtol=1e-4)
    assert (np.ptp(found.map[0]) > 0) == spatial
    rest = prediction(beta=2.0, spatial=spatial).map.sum((1, 2))
    np.testing.assert_allclose(prediction(score="elbo", beta=2.0, spatial=spatial).score, rest + kl, rtol=1e-4)


def test_draws_of_the_code_are_averaged():
    """Against one draw after another; the draws differ, and converge to their mean."""
    q, sampled = bound(), bound(samples=5)
    many = jax.jit(lambda x, keys: variational.rebuilt_map(sampled, x, keys))(IMAGES, keys())
    mean, log_variance = encoded(q)
    noise = jnp.stack([jax.random.normal(key, (5, 6)) for key in keys()])
    likelihood = jax.jit(lambda z: q.likelihood(q.apply(z, (32, 32, 1), method="decode"), IMAGES))
    one = [likelihood(mean + jnp.exp(log_variance / 2) * noise[:, i]) for i in range(5)]
    np.testing.assert_allclose(many, sum(one) / 5, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("of", [variational.rebuilt_map, variational.kl_map, variational.bound_map])
def test_gradients_equal_finite_differences(of, monkeypatch):
    monkeypatch.setattr(nn, "leaky_relu", lambda x, slope: x + slope * jnp.sin(x))  # without kinks
    q, x = bound(), jnp.asarray(IMAGES)
    maps = jax.jit(lambda x: of(q, x, None))
    gradient = jax.jit(jax.grad(lambda x: of(q, x, None).sum()))(x)
    length = jnp.sqrt((gradient**2).sum((1, 2, 3)))
    step = 0.03 * gradient / length[:, None, None, None]
    # Summed in double precision: the difference is in the fifth digit.
    ahead, behind = (np.asarray(maps(y), np.float64).sum((1, 2)) for y in (x + step, x - step))
    np.testing.assert_allclose((ahead - behind) / 0.06, length, rtol=1e-2)
    smooth = blur(jnp.abs(gradient), gaussian_taps(7, 3.0), pad=True)[..., 0]
    np.testing.assert_allclose(
        jax.jit(lambda x: variational.gradient_map(of)(q, x, None))(x), smooth, rtol=1e-3, atol=1e-6
    )


def test_the_product_is_bounded_by_the_likelihood():
    """The KL's gradient becomes a weight in [0, 1] of each image by itself."""
    run = lambda map_of, q: jax.jit(lambda x: map_of(q, x, None))(IMAGES)
    found = run(variational.product_map, bound())
    weight = found / run(variational.rebuilt_map, bound())
    assert weight.min() >= 0 and weight.max() <= 1 + 1e-5
    doubled = run(variational.product_map, bound(beta=4.0))
    np.testing.assert_allclose(doubled, found, rtol=1e-3, atol=1e-6)  # no scale of its own


def test_the_layer_is_part_of_the_encoder():
    @jax.jit
    def followed(params, images):
        output, mean = layer_output(NETWORK, params, images, "Conv_4")
        gradient = jax.grad(lambda a: mean(a).sum())(output)
        steepest = jnp.sqrt((gradient**2).sum())
        ahead, behind = (mean(output + step * gradient / steepest).sum() for step in (1e-2, -1e-2))
        whole = NETWORK.apply({"params": params}, images, method="encode")[0]
        return mean(output), whole, (ahead - behind) / 2e-2, steepest

    mean, whole, slope, steepest = followed(params(), IMAGES)
    np.testing.assert_array_equal(mean, whole)
    np.testing.assert_allclose(slope, steepest, rtol=1e-2)
    with pytest.raises(UserError, match="from -8 to 7"):
        attended_layer(8, 32, 32)


def test_attention_at_the_last_layer_by_hand():
    """Only the activation and the linear head follow it: the gradient is the head's kernel."""
    q = bound(layer=-1)
    found = jax.jit(lambda x: variational.attention_map(q, x, None))(IMAGES)
    output = jax.jit(lambda x: layer_output(NETWORK, q.params, x, "Conv_7")[0])(IMAGES)
    output = np.asarray(output, np.float64)
    kernel = np.asarray(params()["encoder"]["Dense_0"]["kernel"], np.float64)[:, :6].sum(1)
    gradient = MEAN * kernel.reshape(output.shape[1:]) * np.where(output > 0, 1.0, 0.2)
    gradient /= np.sqrt((gradient**2).mean((1, 2, 3), keepdims=True)) + 1e-5
    cam = (gradient.mean((1, 2), keepdims=True) * output).sum(-1).astype(np.float32)
    np.testing.assert_allclose(found, np.abs(jax.image.resize(cam, (3, 32, 32), "linear")), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["attention", "inattention", "gradient_product"])
def test_a_map_is_made_of_its_own_image_alone(name):
    maps = jax.jit(lambda images: SCORES[name](bound(), images, None))
    together, among = maps(IMAGES), maps(np.concatenate([matrix.normals(1, seed=6), IMAGES[1:2], IMAGES[:1]]))
    np.testing.assert_allclose(among[1], together[1], rtol=1e-3, atol=1e-6)
    assert np.abs(among[0] - together[0]).max() > 1e-3


def test_attention_does_not_see_the_decoder():
    other = jax.tree.map(lambda x: x + 1.0, params()["decoder"])
    q = bound()
    for name in ("attention", "inattention"):
        maps = jax.jit(lambda params, of=SCORES[name]: of(q._replace(params=params), jnp.asarray(IMAGES), None))
        np.testing.assert_array_equal(maps(q.params), maps({**q.params, "decoder": other}))


def test_attention_expansion_trains_the_encoder_through_a_gradient():
    """The head's kernel enters the layer's attention only as a gradient: a second-order path, and open."""
    q = bound()
    expansion = lambda p: variational.inattention_map(q._replace(params=p), jnp.asarray(IMAGES), None).mean()
    gradient = jax.jit(jax.grad(expansion))(params())
    assert jnp.abs(gradient["encoder"]["Dense_0"]["kernel"]).max() > 1e-6
    assert jnp.abs(gradient["encoder"]["Conv_0"]["kernel"]).max() > 1e-6
    for leaf in jax.tree.leaves(gradient["decoder"]):
        np.testing.assert_array_equal(leaf, 0)


@pytest.mark.budget(30)  # two trainings with second-order gradients
def test_attention_expansion_makes_normal_images_attended():
    attended = []
    for weight in (0.0, 1.0):
        method = factory_of(tx=optax.adam(4e-3), attention=weight, score="inattention", **SETTINGS)
        state = matrix.train(method, steps=30).state
        attended.append(1 - matrix.score(method, state, matrix.normals(8, seed=11)).map.mean())
    assert attended[1] > attended[0] + 0.02
