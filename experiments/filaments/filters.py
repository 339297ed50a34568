"""Detectors that learn nothing: maps of one image, higher = more of something.

Axes: h height, w width.
"""

import numpy as np
from jaxtyping import Float
from scipy import ndimage


def maps(image: Float[np.ndarray, "h w"]) -> dict[str, np.ndarray]:
    """Intensity, blob, variance, gradient and line filters of grey values in [0, 1]."""
    image = image.astype(np.float32)
    smooth = {s: ndimage.gaussian_filter(image, s) for s in (2, 3, 5, 8)}
    power = ndimage.gaussian_filter(image * image, 5)
    xx, yy, xy = (ndimage.gaussian_filter(image, 2, order=o) for o in ((0, 2), (2, 0), (1, 1)))
    spread = np.sqrt((xx - yy) ** 2 / 4 + xy**2)
    fine, coarse = (ndimage.gaussian_filter(image, s, order=o) for s, o in ((1.5, (0, 1)), (1.5, (1, 0))))
    return {
        "intensity": image,
        "off_median": np.abs(image - np.median(image)),
        "smooth_3": smooth[3],
        "smooth_8": smooth[8],
        "std_5": np.sqrt(np.maximum(power - smooth[5] ** 2, 0)),
        "gradient": np.hypot(fine, coarse),
        "log_3": smooth[2] - smooth[3],
        "log_5": smooth[3] - smooth[5],
        "log_8": smooth[5] - smooth[8],
        "line": spread - (xx + yy) / 2,
    }


def statistics(image: np.ndarray, responses: dict[str, np.ndarray]) -> dict[str, float]:
    """One number per image and map: mean, extremes, high quantile."""
    numbers = {}
    for name, response in responses.items():
        thin = response[::2, ::2].ravel()
        numbers[f"{name}/mean"] = float(thin.mean())
        numbers[f"{name}/spread"] = float(thin.std())
        numbers[f"{name}/max"], numbers[f"{name}/min"] = float(response.max()), float(response.min())
        numbers[f"{name}/q99.95"] = float(np.partition(thin, -len(thin) // 2000)[-len(thin) // 2000])
    return numbers
