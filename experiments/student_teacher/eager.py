"""EfficientAD's scoring in PyTorch, as one writes it there, with the weights of ours.

After the public re-implementation; b c h w throughout.
"""

import torch
from torch import nn
from torch.nn import functional

from adjax.backbones.networks import IMAGENET
from adjax.methods.efficient_ad import State
from adjax.nets.pdn import LAYERS, MARGIN, decoded
from experiments.reconstruction.eager import filled, number, tensor


def conv(params, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    side, _, inputs, outputs = params["kernel"].shape
    layer = nn.Conv2d(inputs, outputs, side, stride, padding)
    return filled(layer, params["kernel"].transpose(3, 2, 0, 1), params["bias"])


def ordered(params) -> list:
    """The layers' parameters in the order of their numbers."""
    return [params[name] for name in sorted(params, key=number)]


def pdn(network: str, params) -> nn.Sequential:
    layers: list[nn.Module] = []
    for layer, own in zip(LAYERS[network], ordered(params), strict=True):
        layers += [conv(own), nn.ReLU(), *([nn.AvgPool2d(2)] if layer.pool else [])]
    return nn.Sequential(*layers[:-1])  # no ReLU after the last


class Autoencoder(nn.Module):
    def __init__(self, params, side: int, grid: int):
        super().__init__()
        layers = ordered(params)
        strided = [conv(p, 2, 1) for p in layers[:5]]
        self.encoder = nn.Sequential(*(m for c in strided for m in (c, nn.ReLU())), conv(layers[5]))
        self.decoder = nn.ModuleList(conv(p, padding=2) for p in layers[6:12])
        self.last = nn.Sequential(conv(layers[12], padding=1), nn.ReLU(), conv(layers[13], padding=1))
        self.sizes, self.grid = decoded(side), grid

    def forward(self, x):
        x = self.encoder(x)
        for size, layer in zip(self.sizes, self.decoder, strict=True):
            x = functional.relu(layer(functional.interpolate(x, size=size, mode="bilinear")))
        return self.last(functional.interpolate(x, size=self.grid, mode="bilinear"))


class EfficientAD(nn.Module):
    """Images in [0, 1] of `side` pixels -> score and map."""

    def __init__(self, network: str, state: State, side: int):
        super().__init__()
        params = state.net.params
        self.teacher, self.student = pdn(network, state.teacher["params"]), pdn(network, params["student"])
        self.autoencoder = Autoencoder(params["autoencoder"], side, side // 4 - 2 * MARGIN)
        count, mean, scatter = state.moments
        self.register_buffer("mean", tensor(mean[:, 0])[None, :, None, None])
        self.register_buffer("spread", tensor((scatter[:, 0, 0] / count) ** 0.5)[None, :, None, None])
        self.register_buffer("quantiles", tensor(state.maps.rows))
        for name, values in zip(("centre", "scale"), IMAGENET):
            self.register_buffer(name, torch.tensor(values)[None, :, None, None])

    def forward(self, image):
        x = (image - self.centre) / self.scale
        wanted = (self.teacher(x) - self.mean) / self.spread
        first, second = self.student(x).chunk(2, 1)
        distances = [((first - wanted) ** 2).mean(1), ((second - self.autoencoder(x)) ** 2).mean(1)]
        low, high = self.quantiles
        maps = [0.1 * (m - a) / (b - a) for m, a, b in zip(distances, low, high, strict=True)]
        whole = functional.pad((0.5 * maps[0] + 0.5 * maps[1])[:, None], (MARGIN,) * 4)
        anomaly_map = functional.interpolate(whole, size=image.shape[2:], mode="bilinear")
        return anomaly_map.amax((1, 2, 3)), anomaly_map[:, 0]


def anomalib(state: State) -> nn.Module:
    """anomalib's EfficientAD-S with the same weights; images in [0, 1] -> an object with the map."""
    from anomalib.models.image.efficient_ad.torch_model import EfficientAdModel

    model, params = EfficientAdModel().eval(), state.net.params
    parts = (state.teacher["params"], params["student"], params["autoencoder"])
    for part, own in zip((model.teacher, model.student, model.ae), parts, strict=True):
        convs = [m for m in part.modules() if isinstance(m, nn.Conv2d)]
        for layer, values in zip(convs, ordered(own), strict=True):
            filled(layer, values["kernel"].transpose(3, 2, 0, 1), values["bias"])
    count, mean, scatter = state.moments
    spread = (scatter[:, 0, 0] / count) ** 0.5
    named = {"mean": mean[:, 0], "std": spread}
    for name, values in named.items():
        model.mean_std[name] = nn.Parameter(tensor(values)[None, :, None, None], requires_grad=False)
    (qa_st, qa_ae), (qb_st, qb_ae) = state.maps.rows
    for name, value in {"qa_st": qa_st, "qb_st": qb_st, "qa_ae": qa_ae, "qb_ae": qb_ae}.items():
        model.quantiles[name] = nn.Parameter(tensor(value), requires_grad=False)
    return model
