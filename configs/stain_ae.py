"""Autoencoder with skips that removes stains (AE + Stain) on images in MVTec AD's layout, by tiles of 128 px.

python -m adjax.main --config=configs/stain_ae.py --config.data.root=DIR --workdir=runs/stain_ae
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {"name": "stain_ae", "synthesis": "stain", "width": 1.0, "passes": 0, "score": "l1"}
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine", weight_decay=0.0)
    config.fit.steps = {"train": 300}
    return finish(config, mode)
