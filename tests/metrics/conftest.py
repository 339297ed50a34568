import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def images(rng):
    """Maps of different sizes with many ties, masks with touching corners, and one good image."""
    maps, masks = [], []
    for height, width in ((9, 11), (12, 7), (10, 10), (8, 15)):
        mask = rng.uniform(size=(height, width)) < 0.15
        maps.append((np.round(rng.normal(size=mask.shape) + mask, 1)).astype(np.float32))
        masks.append(mask)
    masks[2][:] = False
    return maps, masks
