"""Isolation forest on histograms of hue, saturation and value: a baseline that sees colours alone, not where they are.

python -m adjax.main --config=configs/colour_forest.py --config.data.root=DIR --workdir=runs/colour_forest

For images in colour in MVTec AD's layout; of grey ones it sees the histogram of brightness.
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "one_class",
        "model": "forest",
        "descriptor": "hsv",
        "bins": 32,  # of each channel
        "trees": 1000,  # ten forests: of 100 trees, results change by points from seed to seed
    }
    config.data.update(dataset="folder", size=256, tile=0)
    config.fit.update(steps={"train": 0}, batch_size=8)  # one pass
    return finish(config, mode)
