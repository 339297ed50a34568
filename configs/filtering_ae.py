"""Filtering autoencoder, after "Noise & Pattern", on images in MVTec AD's layout, scored by tiles of 128 px.

python -m adjax.main --config=configs/filtering_ae.py --config.data.root=DIR --workdir=runs/filtering_ae
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    # Noise and score were chosen on defects planted in validation images (experiments/reconstruction/choose.json).
    config.method = {
        "name": "filtering_ae",
        "synthesis": "structured",
        "noise": 0.05,
        "width": 1.0,
        "score": "msgms + l1",
    }
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine", weight_decay=0.0)
    config.fit.steps = {"train": 300}
    return finish(config, mode)
