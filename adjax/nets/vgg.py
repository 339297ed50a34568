"""VGG-16 and -19 (Simonyan & Zisserman 2015, arXiv 1409.1556), the convolutions without the classifier.

Axes: b batch, h height, w width, c channels.

The names of the parameters are torchvision's, with _ for a dot: features_0 and so on, counting ReLUs and poolings too.
"""

from functools import partial

from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.conv import Conv
from adjax.nets.taps import Tap, Window, collect

FEATURES = (64, 128, 256, 512, 512)
DEPTHS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # convolutions before each pooling


class VGG(nn.Module):
    """Normalised images -> {layer: features}: relu1_1 … relu5_4 after a ReLU, pool1 … pool5 after a pooling."""

    depths: tuple[int, ...]
    layers: tuple[str, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "b h w 3"]) -> dict[str, Array]:
        stages, index = [], 0
        for number, (depth, features) in enumerate(zip(self.depths, FEATURES), 1):
            for i in range(1, depth + 1):
                conv = Conv(features, (3, 3), padding=1, name=f"features_{index}")
                stages.append((f"relu{number}_{i}", lambda x, conv=conv: nn.relu(conv(x))))
                index += 2
            stages.append((f"pool{number}", partial(nn.max_pool, window_shape=(2, 2), strides=(2, 2))))
            index += 1
        return collect(x, stages, self.layers)


def taps(depths: tuple[int, ...]) -> dict[str, Tap]:
    window, found = Window(), {}
    for number, (depth, features) in enumerate(zip(depths, FEATURES), 1):
        for i in range(1, depth + 1):
            window = window.then(3)
            found[f"relu{number}_{i}"] = Tap(features, *window)
        window = window.then(2, 2)
        found[f"pool{number}"] = Tap(features, *window)
    return found
