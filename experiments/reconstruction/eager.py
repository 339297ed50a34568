"""The networks of conv_ae and draem in PyTorch, as one writes them there, with the weights of ours.

The layers are those of the papers' public code: strided and transposed convolutions, an 8x8 convolution to the code,
bilinear upsampling with aligned corners.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def tensor(array) -> torch.Tensor:
    return torch.from_numpy(np.array(array))


def conv(params, stride: int = 1) -> nn.Conv2d:
    side, _, inputs, outputs = params["kernel"].shape
    layer = nn.Conv2d(inputs, outputs, side, stride, padding=1)
    return filled(layer, params["kernel"].transpose(3, 2, 0, 1), params["bias"])


def transposed(params) -> nn.ConvTranspose2d:
    side, _, inputs, outputs = params["kernel"].shape
    layer = nn.ConvTranspose2d(inputs, outputs, side, 2, padding=1)
    return filled(layer, params["kernel"][::-1, ::-1].transpose(2, 3, 0, 1), params["bias"])


def filled(layer, weight, bias):
    with torch.no_grad():
        layer.weight.copy_(tensor(weight))
        layer.bias.copy_(tensor(bias))
    return layer


def conv_ae(params) -> nn.Module:
    """nets.autoencoder.ConvAutoencoder for 128x128 pixels."""
    encoder, decoder = params["encoder"], params["decoder"]
    layers: list[nn.Module] = []
    for name in sorted((n for n in encoder if n.startswith("Conv_")), key=number):
        layers += [conv(encoder[name], 2 if len(encoder[name]["kernel"]) == 4 else 1), nn.LeakyReLU(0.2)]
    code, image = encoder["Dense_0"], decoder["Dense_0"]["kernel"]
    (inputs, latent), features = code["kernel"].shape, decoder["bias"].shape[0]
    down, up = nn.Conv2d(inputs // 64, latent, 8), nn.ConvTranspose2d(latent, features, 8)
    down_weight = code["kernel"].reshape(8, 8, -1, latent).transpose(3, 2, 0, 1)
    up_weight = image.reshape(latent, 8, 8, features).transpose(0, 3, 1, 2)
    layers += [filled(down, down_weight, code["bias"]), filled(up, up_weight, decoder["bias"]), nn.LeakyReLU(0.2)]
    for name in ("Conv_0", "Conv_1", "T_0", "Conv_2", "T_1", "Conv_3", "T_2"):
        kind, index = name.split("_")
        layers.append(conv(decoder[name]) if kind == "Conv" else transposed(decoder[f"DoublingConvTranspose_{index}"]))
        layers.append(nn.LeakyReLU(0.2))
    return nn.Sequential(*layers, transposed(decoder["DoublingConvTranspose_3"]))


def number(name: str) -> int:
    return int(name.rsplit("_", 1)[1])


class Unit(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, params):
        norm = filled(nn.BatchNorm2d(len(params["BatchNorm_0"]["bias"])), *norm_of(params))
        super().__init__(conv(params["Conv_0"]), norm, nn.ReLU())


def norm_of(params):
    return params["BatchNorm_0"]["scale"], params["BatchNorm_0"]["bias"]


class Draem(nn.Module):
    """nets.draem.Draem."""

    def __init__(self, params):
        super().__init__()
        self.rebuild, self.segment = Part(params["reconstructive"], False), Part(params["discriminative"], True)

    def forward(self, x):
        rebuilt = self.rebuild(x)
        return rebuilt, self.segment(torch.cat([rebuilt, x], dim=1))


class Part(nn.Module):
    """Two units a level on the way down, three on the way up; with or without skips."""

    def __init__(self, params, skips: bool):
        super().__init__()
        names = sorted((n for n in params if n.startswith("ConvNorm_")), key=number)
        self.units, self.skips = nn.ModuleList(Unit(params[n]) for n in names), skips
        self.levels = (len(names) + 3) // 5  # two on each, and three on all but the lowest
        self.last = conv(params["Conv_0"])

    def forward(self, x):
        units, levels = iter(self.units), []
        for level in range(self.levels):
            x = functional.max_pool2d(x, 2) if level else x
            outer, inner = next(units), next(units)  # Flax numbers the outer of two nested layers first
            x = outer(inner(x))
            levels.append(x)
        for level in range(self.levels - 1)[::-1]:
            x = next(units)(functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True))
            x = torch.cat([x, levels[level]], dim=1) if self.skips else x
            one, other = next(units), next(units)
            x = one(other(x)) if self.skips else other(one(x))  # nested with skips alone
        return self.last(x)


def l2(rebuilt, image):
    return ((rebuilt - image) ** 2).mean()


def ssim(rebuilt, image):
    """1 - SSIM with a Gaussian window of 11 pixels, of every channel, as DRAEM's public code computes it."""
    at = torch.arange(11.0) - 5
    line = torch.exp(-(at**2) / (2 * 1.5**2))
    line = line / line.sum()
    channels = image.shape[1]
    window = (line[:, None] * line[None]).expand(channels, 1, 11, 11).contiguous()

    def mean(x):
        return functional.conv2d(x, window, padding=5, groups=channels)

    mu_x, mu_y = mean(rebuilt), mean(image)
    var_x, var_y = mean(rebuilt**2) - mu_x**2, mean(image**2) - mu_y**2
    cov = mean(rebuilt * image) - mu_x * mu_y
    top = (2 * mu_x * mu_y + 0.01**2) * (2 * cov + 0.03**2)
    return 1 - (top / ((mu_x**2 + mu_y**2 + 0.01**2) * (var_x + var_y + 0.03**2))).mean()


def focal(logits, mask):
    """Gamma 2, both classes alike."""
    chance = torch.softmax(logits, dim=1).gather(1, mask[:, None])[:, 0].clamp_min(1e-6)
    return (-((1 - chance) ** 2) * torch.log(chance)).mean()
