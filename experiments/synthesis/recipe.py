"""DRAEM's planted anomaly as its authors make it: one image at a time, NumPy for the blobs, imgaug for the texture.

Axes: h height, w width, c channels. Images are float32 in [0, 1], textures uint8.

imgaug 0.4.0 was written for NumPy 1 and an older Pillow; two names are mended here, no computation is:
`np.sctypes`, and the cut-off of its autocontrast, which it hands to Pillow as an array of one number.
"""

import warnings

import numpy as np

if not hasattr(np, "sctypes"):
    np.sctypes = {
        "int": [np.int8, np.int16, np.int32, np.int64],
        "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
        "float": [np.float16, np.float32, np.float64],
        "complex": [np.complex64, np.complex128],
        "others": [bool, object, bytes, str, np.void],
    }
import imgaug
import imgaug.augmenters as iaa

warnings.simplefilter("ignore")
_autocontrast = iaa.pillike._autocontrast_pil
iaa.pillike._autocontrast_pil = lambda image, cutoff, ignore: _autocontrast(image, float(np.ravel(cutoff)[0]), ignore)

AUGMENTERS = [
    iaa.GammaContrast((0.5, 2.0), per_channel=True),
    iaa.MultiplyAndAddToBrightness(mul=(0.8, 1.2), add=(-30, 30)),
    iaa.pillike.EnhanceSharpness(),
    iaa.AddToHueAndSaturation((-50, 50), per_channel=True),
    iaa.Solarize(0.5, threshold=(32, 128)),
    iaa.Posterize(),
    iaa.Invert(),
    iaa.pillike.Autocontrast(),
    iaa.pillike.Equalize(),
    iaa.Affine(rotate=(-45, 45)),
]
ROTATE = iaa.Sequential([iaa.Affine(rotate=(-90, 90))])


def seed(number: int) -> None:
    np.random.seed(number)
    imgaug.seed(number)


def perlin(side: int, rows: int, columns: int) -> np.ndarray:
    """√2 × gradient noise with unit gradients on (rows + 1)(columns + 1) nodes."""
    angle = 2 * np.pi * np.random.rand(rows + 1, columns + 1)
    tall, wide = side // rows, side // columns
    y = (np.arange(side) / tall % 1)[:, None]
    x = (np.arange(side) / wide % 1)[None]

    def corner(down, right):
        near = angle[down : down + rows, right : right + columns].repeat(tall, 0).repeat(wide, 1)
        return np.cos(near) * (y - down) + np.sin(near) * (x - right)

    def fade(t):
        return t * t * t * (t * (6 * t - 15) + 10)

    upper = corner(0, 0) + fade(y) * (corner(1, 0) - corner(0, 0))
    lower = corner(0, 1) + fade(y) * (corner(1, 1) - corner(0, 1))
    return np.sqrt(2) * (upper + fade(x) * (lower - upper))


def blobs(side: int) -> np.ndarray:
    rows, columns = 2 ** np.random.randint(0, 6, 2)
    return (ROTATE(image=perlin(side, rows, columns)) > 0.5).astype(np.float32)[..., None]


def plant(image: np.ndarray, texture: np.ndarray, augmented: bool = True) -> tuple[np.ndarray, np.ndarray]:
    if augmented:
        three = np.random.choice(len(AUGMENTERS), 3, replace=False)
        texture = iaa.Sequential([AUGMENTERS[i] for i in three])(image=texture)
    mask = blobs(len(image))
    beta = 0.8 * np.random.rand()
    inside = (1 - beta) * (texture.astype(np.float32) / 255) + beta * image
    planted = (image * (1 - mask) + mask * inside).astype(np.float32)
    return (planted, mask) if np.random.rand() > 0.5 else (image, np.zeros_like(mask))
