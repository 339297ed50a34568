"""Memory-augmented autoencoder (MemAE) on images in MVTec AD's layout, scored by tiles of 128 px.

python -m adjax.main --config=configs/memae.py --config.data.root=DIR --workdir=runs/memae
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {"name": "memae", "items": 500, "shrink": 2.0, "width": 0.5, "loss": "l2", "score": ""}
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine", weight_decay=0.0)
    config.fit.steps = {"train": 300}
    return finish(config, mode)
