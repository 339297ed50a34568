"""Connected regions of a defect mask.

Axes: h w, p pixels of the mask in reading order.
"""

import numpy as np
from jaxtyping import Bool, Int
from scipy import ndimage

# Diagonal neighbours belong together, as in the MVTec definition; SciPy's default are four neighbours.
EIGHT = np.ones((3, 3), bool)


def label_regions(mask: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "p"]:
    """The number (from 0) of each mask pixel's 8-connected region. Costs what the mask's bounding box costs."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return np.empty(0, np.int32)
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    labels, _ = ndimage.label(box, structure=EIGHT)
    return labels[box] - 1
