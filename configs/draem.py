"""DRAEM on images in MVTec AD's layout, scored by tiles of 128 px; textures are procedural unless given.

python -m adjax.main --config=configs/draem.py --config.data.root=DIR --workdir=runs/draem
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    # A sixteenth of the published features, which begin at 64; the mean before pooling is narrower as the tile is.
    levels = (1, 2, 4, 8, 8, 8)
    config.method = {"name": "draem", "base": 4, "multiples": levels, "synthesis": "draem", "window": 11}
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine", weight_decay=0.0)
    config.fit.steps = {"train": 300}
    config.fit.batch_size = 16
    return finish(config, mode)
