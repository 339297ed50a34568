"""Autoencoder and a kernel density of its codes, on whole images in MVTec AD's layout resized to 128 px.

python -m adjax.main --config=configs/ae_kde.py --config.data.root=DIR --workdir=runs/ae_kde

No maps: an image has one score, the negative logarithm of the density.
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "ae_kde",
        "latent": 100,
        "width": 1.0,
        "loss": "l2",
        "components": 16,  # of the code
        "bandwidth": "scott",
    }
    config.data.update(dataset="folder", size=128, tile=0)
    config.optim.update(learning_rate=1e-3, schedule="cosine")  # chosen for conv_ae, see folder.py
    config.fit.steps = {"train": 300, "train_after": 0}  # 0: one pass
    return finish(config, mode)
