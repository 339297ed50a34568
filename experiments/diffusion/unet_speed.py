"""Images per second of AnoDDPM's published network (131.6 million parameters, 256 px) in bfloat16, on a GPU.

python -m experiments.diffusion.unet_speed [--batch 8] [--small]

A training step is forward, backward and AdamW on the squared error of the noise; scoring is one call of the network.
The share of the matrix units' ceiling is the operations that the program states, over those of one large product of
bfloat16 matrices in the same time, measured in the same process. `--small` is a try on a CPU.
"""

import argparse
import importlib.metadata
import json
import pathlib
import time

import jax
import jax.numpy as jnp
import optax

from adjax.nets.unet import UNet

HERE = pathlib.Path(__file__).parent


def seconds(run, arguments: tuple, repeats: int) -> float:
    """Of one call, after one that warms up."""
    jax.block_until_ready(run(*arguments))
    began = time.monotonic()
    for _ in range(repeats):
        last = run(*arguments)
    jax.block_until_ready(last)
    return (time.monotonic() - began) / repeats


def stated(function, arguments: tuple) -> float:
    """Operations of the program as it is written: a GPU's compiled one does not count its library calls."""
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arguments)
    with jax.default_device(jax.devices("cpu")[0]):
        return function.lower(*shapes).cost_analysis()["flops"]


def ceiling(side: int, repeats: int) -> float:
    """Operations a second of a product of bfloat16 matrices."""
    a, b = jax.random.normal(jax.random.key(0), (2, side, side), jnp.bfloat16)
    product = jax.jit(jnp.matmul)
    return 2 * side**3 / seconds(product, (a, b), repeats)


def measure(network: UNet, side: int, batch: int, repeats: int) -> dict:
    key = jax.random.key(0, impl="rbg")
    shape = (batch, side, side, 3)
    image, time_ = jax.random.normal(jax.random.key(1), shape), jnp.full(batch, 100, jnp.int32)
    params = jax.jit(network.init)(key, image[:1], time_[:1])["params"]
    tx = optax.adamw(1e-4)

    def loss(params, image, time_):
        return ((network.apply({"params": params}, image, time_) - image) ** 2).mean()

    @jax.jit
    def learn(params, image, time_, state):
        gradient = jax.grad(loss)(params, image, time_)
        with jax.numpy_dtype_promotion("standard"):
            change, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, change), state

    call = jax.jit(lambda params, image, time_: network.apply({"params": params}, image, time_))
    state, found = jax.jit(tx.init)(params), {}
    for name, function, arguments in (("training", learn, (state,)), ("scoring", call, ())):
        arguments = (params, image, time_, *arguments)
        began = time.monotonic()
        compiled = function.lower(*arguments).compile()
        compile_s = time.monotonic() - began
        spent = seconds(compiled, arguments, repeats)
        operations = stated(function, arguments)
        found[name] = {
            "images_per_s": batch / spent,
            "operations": operations,
            "operations_per_s": operations / spent,
            "compile_s": compile_s,
        }
    return found | {"parameters": sum(leaf.size for leaf in jax.tree.leaves(params))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--small", action="store_true")
    flags = parser.parse_args()
    side, repeats = (64, 2) if flags.small else (256, 20)
    network = UNet(3, **({"features": (32, 32)} if flags.small else {}), dtype=jnp.bfloat16)
    top = ceiling(512 if flags.small else 8192, repeats)
    found = measure(network, side, flags.batch, repeats)
    for name in ("training", "scoring"):
        found[name]["share_of_ceiling"] = found[name]["operations_per_s"] / top
    versions = {package: importlib.metadata.version(package) for package in ("jax", "jaxlib", "flax")}
    about = {"device": jax.devices()[0].device_kind, "versions": versions, "side": side, "batch": flags.batch}
    found = about | {"ceiling_operations_per_s": top} | found
    if not flags.small:
        (HERE / "unet_speed.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
