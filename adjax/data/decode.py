"""From a file to pixels: as stored, and as f32 in [0, 1]. Axes: h height, w width, c channels."""

import io

import numpy as np
from jaxtyping import Float32, Shaped
from PIL import Image

from adjax.data import files, tiff
from adjax.data.tensorflow import tf
from adjax.data.view import View
from adjax.types import Record, UserError

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow and TensorFlow weigh


def decode(record: Record) -> Shaped[np.ndarray, "h w c"]:
    """The pixels as stored. Raises UserError, naming the file, when it is broken or no longer what its header said."""
    try:
        image = _decode(files.read(record.path), record)
        if image.shape != record.shape or image.dtype.name != record.dtype:
            raise UserError(
                f"was {record.dtype} {record.shape} when it was listed and is {image.dtype} {image.shape} now; "
                "start again"
            )
        if image.dtype.kind == "f" and not np.isfinite(image).all():
            raise UserError("holds NaN or infinite pixels; repair or remove it")
    except UserError as error:
        raise UserError(f"{record.path} {error}") from None
    except Exception as error:  # decoders of broken files raise whatever they stumble over
        reason = str(error).split("}} ")[-1] or type(error).__name__  # TensorFlow puts its own node in front
        raise UserError(f"{record.path} cannot be decoded ({reason}); replace or remove it") from error
    return image


def _decode(data: bytes, record: Record) -> Shaped[np.ndarray, "h w c"]:
    """By the first bytes, not by the extension. TensorFlow's PNG reader notices damage that Pillow's lets pass."""
    channels = record.shape[2]
    if data[:4] in tiff.MAGIC:
        return tiff.pixels(io.BytesIO(data))
    if data[:4] == b"\x89PNG":
        channels = 0 if channels == 2 else channels  # 0: as stored; grey with alpha cannot be asked for by number
        return tf().io.decode_png(data, channels=channels, dtype=record.dtype).numpy()
    if data[:2] == b"\xff\xd8":
        return tf().io.decode_jpeg(data, channels=channels, dct_method="INTEGER_ACCURATE").numpy()
    with Image.open(io.BytesIO(data)) as image:  # BMP, whose palettes and single bits TensorFlow lacks
        image = np.asarray(image.convert({"1": "L", "P": "RGB"}.get(image.mode, image.mode)))
    return image[..., None] if image.ndim == 2 else image


def to_unit(
    image: Shaped[np.ndarray, "h w c"], view: View, out: Float32[np.ndarray, "h w c2"] | None = None
) -> Float32[np.ndarray, "h w c2"]:
    """f32 in [0, 1] with the view's channels: integers divided by their type's largest value, floats mapped by
    `view.range` and clipped. f32 holds every 8- and 16-bit value apart. The result goes into `out` where it is given.
    """
    if image.dtype.kind == "f":
        low, high = view.range
        image = np.clip((image - np.float32(low)) / np.float32(high - low), 0, 1)
    else:
        direct = out if view.channels in (None, image.shape[2]) else None  # one pass over the pixels, no copy
        image = np.divide(image, np.float32(np.iinfo(image.dtype).max), out=direct, dtype=np.float32)
    image = _with_channels(image, view.channels)
    if out is None or image is out:
        return image
    out[:] = image
    return out


def _with_channels(image: Float32[np.ndarray, "h w c"], channels: int | None) -> Float32[np.ndarray, "h w c"]:
    if channels is None or channels == image.shape[2]:
        return image
    if image.shape[2] in (2, 4):
        image = image[..., :-1]  # alpha
    if channels == 1 and image.shape[2] == 3:
        # Not a matrix product: its rounding depends on the shape, and a tile must equal its place in the image.
        return sum(image[..., i, None] * weight for i, weight in enumerate(LUMA))
    return np.repeat(image, 3, axis=2) if channels == 3 and image.shape[2] == 1 else image


def resize(image: Float32[np.ndarray, "h w c"], size: tuple[int, int]) -> Float32[np.ndarray, "h w c"]:
    """Bilinear, antialiased where it shrinks."""
    planes = [Image.fromarray(image[..., i]) for i in range(image.shape[2])]
    return np.stack([np.asarray(p.resize(size[::-1], Image.Resampling.BILINEAR)) for p in planes], -1)


def read_image(record: Record, view: View) -> Float32[np.ndarray, "h w c"]:
    """The image at its own size with the view's range and channels, as reports show it."""
    view.check([record])
    return to_unit(decode(record), view)
